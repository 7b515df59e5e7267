"""Targets of the job `probe`: each has its module, and blackbox_exporter asks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.catalog.integrations.probes import EXPORTER
from components.settings.probes import Probe

JOB = EXPORTER.job


def scrape_config(probes: Mapping[str, Probe], exporter: str) -> dict[str, Any]:
    """Return the keys of the scrape configuration; `exporter` is the address of the exporter.

    `instance` is the probe's name, `target` what it asks, `tier` the severity of its failing.
    """
    return {
        "metrics_path": "/probe",
        "static_configs": [
            {
                "targets": [probe.target],
                "labels": {
                    "__param_module": name,
                    "instance": name,
                    "target": probe.shown,
                    "tier": probe.severity,
                },
            }
            for name, probe in probes.items()
        ],
        "relabel_configs": [
            {"source_labels": ["__address__"], "target_label": "__param_target"},
            {"target_label": "__address__", "replacement": exporter},
        ],
    }
