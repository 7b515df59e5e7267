"""The scrape jobs that copy the recorded series of other stacks.

docs/decisions/0013-federation.md says what is fetched, and why by its own time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from components.settings.federation import FederationSource

FOLDER: Final = "federation"
"""Folder of the passwords and CAs, below Prometheus' own folder."""
JOB: Final = "federate"
# Recorded names, level:metric:operation. Raw metrics have no colon, and neither has ALERTS: an
# alert is sent by the stack that monitors the service.
NAMES: Final = "[a-z][a-zA-Z0-9_]*:[a-zA-Z0-9_]+:[a-zA-Z0-9_]+"


def scrape_configs(
    sources: Sequence[FederationSource], limits: Mapping[str, Any], folder: str, replica: str
) -> list[dict[str, Any]]:
    """Return one scrape configuration per source, since each has its own password.

    All of them have the job `federate`. `folder` is Prometheus' own, `replica` the label that
    distinguishes the replicas of a pair.
    """
    return [
        {
            "job_name": f"{JOB}-{source.stack}",
            "metrics_path": "/federate",
            "params": {"match[]": [f'{{__name__=~"{NAMES}"}}']},
            # What the source says of its series stands: job, instance, and the stack that they
            # are of.
            "honor_labels": True,
            **_asking(source, folder),
            **limits,
            "static_configs": [
                {"targets": [source.target], "labels": {"job": JOB, "stack": source.stack}}
            ],
            # Another server than Prometheus, or a proxy in front, may ignore match[].
            "metric_relabel_configs": [
                {"action": "keep", "source_labels": ["__name__"], "regex": NAMES},
                # The other replica of a pair may take over.
                {"action": "labeldrop", "regex": replica},
            ],
        }
        for source in sources
    ]


def _asking(source: FederationSource, folder: str) -> dict[str, Any]:
    if source.scheme == "http":
        return {}
    tls = {
        **({"ca_file": f"{folder}/{_ca(source)}"} if source.ca else {}),
        **({"server_name": source.server_name} if source.server_name else {}),
    }
    found: dict[str, Any] = {"scheme": "https"}
    if tls:
        found["tls_config"] = tls
    if source.username:
        found["basic_auth"] = {
            "username": source.username,
            "password_file": f"{folder}/{_password(source)}",
        }
    return found


def files(sources: Sequence[FederationSource]) -> dict[str, str]:
    """Return the sources' authorities, by path."""
    return {_ca(source): f"{source.ca.strip()}\n" for source in sources if source.ca}


def secret_files(sources: Sequence[FederationSource]) -> dict[str, str]:
    """Return the passwords, by path."""
    return {
        _password(source): source.password.get_secret_value()
        for source in sources
        if source.username
    }


def _ca(source: FederationSource) -> str:
    return f"{FOLDER}/{source.stack}.ca.pem"


def _password(source: FederationSource) -> str:
    return f"{FOLDER}/{source.stack}.password"
