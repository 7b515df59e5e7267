"""Remote write section of `prometheus.yml`, and its files.

Format: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#remote_write.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.promql.metric_allowlist import series_of
from components.settings.remote_write import TENANT_HEADER, RemoteWrite

FOLDER = "remote-write"
"""Rule file in `rules/` that only a stack with remote write loads."""


def files(receivers: Sequence[RemoteWrite]) -> dict[str, str]:
    """Return the files without secrets: authorities."""
    return {f"{_folder(found)}/ca.pem": f"{found.ca.strip()}\n" for found in receivers if found.ca}


def secret_files(receivers: Sequence[RemoteWrite]) -> dict[str, str]:
    """Return the secret files, which Prometheus reads for each request: no reload is needed."""
    secrets = {
        f"{_folder(receiver)}/{name}": secret.get_secret_value()
        for receiver in receivers
        for name, secret in (
            ("password", receiver.password),
            ("bearer_token", receiver.bearer_token),
        )
    }
    return {path: secret for path, secret in secrets.items() if secret}


def rendered(receivers: Sequence[RemoteWrite], config_dir: str) -> dict[str, Any]:
    """Return the section; nothing without a receiver. Files are below `config_dir`."""
    found = [_rendered(receiver, f"{config_dir}/{_folder(receiver)}") for receiver in receivers]
    return {"remote_write": found} if found else {}


def _rendered(receiver: RemoteWrite, folder: str) -> dict[str, Any]:
    tenant = {TENANT_HEADER: receiver.tenant} if receiver.tenant else {}
    tls = {
        **({"ca_file": f"{folder}/ca.pem"} if receiver.ca else {}),
        **({"server_name": receiver.server_name} if receiver.server_name else {}),
    }
    optional: Mapping[str, Any] = {
        "headers": {**tenant, **receiver.headers},
        **_login(receiver, folder),
        "tls_config": tls,
        "write_relabel_configs": [*_by_name(receiver)]
        + [rule.rendered() for rule in receiver.write_relabel],
    }
    return {
        "name": receiver.name,
        "url": receiver.url,
        **{key: value for key, value in optional.items() if value},
        "queue_config": receiver.queue.model_dump(),
    }


def _login(receiver: RemoteWrite, folder: str) -> dict[str, Any]:
    if receiver.username:
        login = {"username": receiver.username, "password_file": f"{folder}/password"}
        return {"basic_auth": login}
    if receiver.bearer_token.get_secret_value():
        return {"authorization": {"type": "Bearer", "credentials_file": f"{folder}/bearer_token"}}
    return {}


def _by_name(receiver: RemoteWrite) -> Iterator[dict[str, Any]]:
    for action, entries in (("keep", receiver.keep), ("drop", receiver.drop)):
        if entries:
            regex = "|".join(map(series_of, entries))
            yield {"action": action, "source_labels": ["__name__"], "regex": regex}


def _folder(receiver: RemoteWrite) -> str:
    """Return the folder of its files, below Prometheus' own."""
    return f"{FOLDER}/{receiver.name}"
