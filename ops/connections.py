"""Connections to a running stack: engines, URLs and sessions."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from components.docker.engines import Engine
from components.settings.loader import SettingsError
from components.settings.settings import Settings
from ops.demo import pulumi_cli
from ops.offline import program
from ops.root import ROOT


class _Trusting(HTTPAdapter):
    """Adapter that trusts one more certificate authority."""

    def __init__(self, authority: str) -> None:
        self._authority = authority
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=self._authority)
        super().init_poolmanager(*arguments, ssl_context=context, **options)

    def cert_verify(self, *_arguments: Any) -> None:
        """Leave verification to the context: requests would replace its authorities."""


def main_engine(stack: str, root: Path = ROOT) -> Engine:
    """Return the engine of the stack's `dockerHost`; without a stack file, the local one."""
    known = (root / f"Pulumi.{stack}.yaml").is_file()
    values = program.committed_values(stack, root) if known else {}
    return Engine(
        str(values.get("dockerHost") or "unix:///var/run/docker.sock"),
        certificates=str(values.get("dockerCertPath") or ""),
    )


def engines(stack: str, root: Path = ROOT) -> list[Engine]:
    """Return all engines of the stack's settings, `dockerHost` first."""
    return [
        main_engine(stack, root),
        *(
            Engine(str(host.get("docker")), name, str(host.get("certPath") or ""))
            for name, host in _structure(stack, "hosts", root).items()
            if isinstance(host, dict)
        ),
    ]


def placement(stack: str, root: Path = ROOT) -> dict[str, Any]:
    """Return the host by service, from the stack's settings."""
    return _structure(stack, "placement", root)


def _structure(stack: str, key: str, root: Path) -> dict[str, Any]:
    known = (root / f"Pulumi.{stack}.yaml").is_file()
    found = program.committed_values(stack, root).get(key) if known else None
    return found if isinstance(found, dict) else {}


def settings_of(stack: str) -> Settings:
    """Return a stack's committed settings with placeholders for its secrets.

    With TLS, services require a password: secrets are then read by the Pulumi CLI. Raises
    ProgramError.
    """
    config = program.StackConfig.of_stack(stack)
    if json.loads(config.values[f"{program.PROJECT}:tls"]):
        config = _with_its_secrets(stack)
    try:
        return config.settings(stack)
    except SettingsError as error:
        raise program.ProgramError(str(error)) from None


def session(settings: Settings) -> requests.Session:
    """Return a session for Prometheus and Alertmanager at `settings.local_url(service)`.

    Grafana needs its own login: `session.auth = (user, password)`.
    """
    made = trusting(settings.tls_ca)
    if settings.tls:
        made.auth = (settings.web_user, settings.web_password.get_secret_value())
    return made


def trusting(authority: str) -> requests.Session:
    """Return a session that also trusts this authority (PEM), if any."""
    made = requests.Session()
    # Ignore the user's proxy and .netrc.
    made.trust_env = False
    if authority:
        made.mount("https://", _Trusting(authority))
    return made


def _with_its_secrets(stack: str) -> program.StackConfig:
    cli = pulumi_cli.find()
    if cli is None:
        raise program.ProgramError(
            f"Stack {stack} requires a password (vitalstream:tls), and there is no Pulumi CLI here "
            "to read it from the stack's configuration. fix: install the Pulumi CLI"
        )
    done = pulumi_cli.run(cli, "config", "--show-secrets", "--json", "--stack", stack)
    if done.returncode != 0:
        raise program.ProgramError(
            f"Stack {stack} requires a password (vitalstream:tls), which cannot be read from its "
            f"configuration: {pulumi_cli.error_of(done)}"
        )
    found: dict[str, Any] = json.loads(done.stdout)
    own = {
        key.removeprefix(f"{program.PROJECT}:"): entry
        for key, entry in found.items()
        if key.startswith(f"{program.PROJECT}:")
    }
    values = {key: entry["value"] for key, entry in own.items()}
    secrets = {key for key, entry in own.items() if entry["secret"]}
    return program.StackConfig.of_values({**program.committed_values(stack), **values}, secrets)
