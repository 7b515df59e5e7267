"""Facts about one kind of monitored service, from which all registries are derived."""

from __future__ import annotations

from dataclasses import dataclass

from components.catalog.image import Image


@dataclass(frozen=True)
class Exporter:
    """Exporter: `service` names its container, `job` its scrape job.

    `port` is the one it listens on and is published on. `of_application`: it connects to the
    application, and so joins the application's networks. `goes_out`: it always has a route to the
    outside. Without `serves_tls` it is asked in clear text, and never over a real network where
    the stack has TLS. `spec(settings, part)` in `components/exporters/<job>.py` returns its
    container.
    """

    service: str
    job: str
    port: int
    image: Image
    memory: str = "64m"
    cpus: float = 0.25
    of_application: bool = True
    goes_out: bool = False
    serves_tls: bool = True


@dataclass(frozen=True)
class Integration:
    """Kind of monitored service; its module is named like the kind.

    `service` is the label of its alerts. While `down_alert` fires, its other alerts are inhibited.
    `rule_files` are names in `rules/`, `dashboards` modules of `components/dashboards` with a
    function `spec(alerts)`; the first one explains its alerts. `destination` is the receiver, by
    name, that gets its alerts in addition to those of their severity. `default`: stacks that do not
    set `watch` monitor it. `has_servers`: `vitalstream:servers` says where it is; with
    `several_servers` there may be several, each with an exporter of its own.
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
    several_servers: bool = False
