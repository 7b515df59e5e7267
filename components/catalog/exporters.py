"""Facts about each exporter: its job, what it monitors, its port and its limits."""

from __future__ import annotations

from dataclasses import dataclass

from components.catalog.monitored import Monitored


@dataclass(frozen=True)
class Exporter:
    """An exporter: `service` names its container, `job` its scrape job.

    `port` is the one it listens on and is published on. A stack that does not monitor `monitors`
    has no such exporter. `of_application`: it connects to the application, and so joins the
    application's networks.
    """

    service: str
    job: str
    monitors: Monitored
    port: int
    memory: str = "64m"
    cpus: float = 0.25
    of_application: bool = True


NODE = Exporter("node-exporter", "node", "host", 9100, of_application=False)
POSTGRES = Exporter("postgres-exporter", "postgres", "postgresql", 9187)
REDIS = Exporter("redis-exporter", "redis", "redis", 9121)
EXPORTERS: tuple[Exporter, ...] = (NODE, POSTGRES, REDIS)
