"""What the program knows of one kind of monitored service; all registries are derived from it."""

from __future__ import annotations

from dataclasses import dataclass

from components.catalog.image import Image


@dataclass(frozen=True)
class Exporter:
    """An exporter: `service` names its container, `job` its scrape job.

    `port` is the one it listens on and is published on. `of_application`: it connects to the
    application, and so joins the application's networks. `spec(settings, host)` in
    `components/exporters/<job>.py` makes its container.
    """

    service: str
    job: str
    port: int
    image: Image
    memory: str = "64m"
    cpus: float = 0.25
    of_application: bool = True


@dataclass(frozen=True)
class Integration:
    """One kind of monitored service: the module that has it is named like the kind.

    `service` is the label of its alerts. While `down_alert` fires, its other alerts are inhibited.
    `rule_files` are names in `rules/`, `dashboards` modules of `components/dashboards` with a
    function `sheet(alerts)`; the first one explains its alerts. `destination` is the receiver, by
    name, that also gets its alerts, beside those of its severity. `default`: stacks that do not set
    `watch` monitor it. `has_servers`: `vitalstream:servers` says where it is.
    """

    kind: str
    service: str
    rule_files: tuple[str, ...]
    dashboards: tuple[str, ...]
    down_alert: str | None = None
    destination: str | None = None
    exporter: Exporter | None = None
    default: bool = False
    has_servers: bool = False
