"""What an exporter is to this program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.service import ServiceSpec
    from components.settings import Settings
    from components.watch import Watchable

# For who looks at the application. Where a network has no way out, Docker's resolver does not
# answer for a name that is gone, and by resolv.conf's default one waits 10 s for it: as long as a
# scrape may take. Prometheus then takes the exporter of a dead database for what is dead.
QUICK_LOOKUPS = ("timeout:1", "attempts:2")


@dataclass(frozen=True)
class Exporter:
    """`service` names its container, `job` its scrape job; `port` is its own and published one.

    `watches` is what it is there for: a stack that does not watch it has no such exporter.
    `of_application`: it looks at the application, and so joins its networks.
    """

    service: str
    job: str
    watches: Watchable
    port: int
    spec: Callable[[Settings], ServiceSpec]
    memory: str = "64m"
    cpus: float = 0.25
    of_application: bool = True
