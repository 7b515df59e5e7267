"""The scrape jobs that copy the recorded series of other stacks.

docs/decisions/0013-federation.md says what is fetched, and why by its own time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from components.prometheus import http_source
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
            **http_source.client_config(source, f"{folder}/{_prefix(source)}"),
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


def files(sources: Sequence[FederationSource]) -> dict[str, str]:
    """Return the sources' authorities, by path."""
    return {
        path: text
        for source in sources
        for path, text in http_source.files(source, _prefix(source)).items()
    }


def secret_files(sources: Sequence[FederationSource]) -> dict[str, str]:
    """Return the passwords, by path."""
    return {
        path: text
        for source in sources
        for path, text in http_source.secret_files(source, _prefix(source)).items()
    }


def _prefix(source: FederationSource) -> str:
    return f"{FOLDER}/{source.stack}"
