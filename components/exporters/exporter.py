"""What an exporter is to this program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.service import ServiceSpec
    from components.settings import Settings


@dataclass(frozen=True)
class Exporter:
    """`service` names its container, `job` its scrape job; `port` is its own and published one.

    `of_application`: it looks at the application, and so joins its networks.
    """

    service: str
    job: str
    port: int
    spec: Callable[[Settings], ServiceSpec]
    memory: str = "64m"
    cpus: float = 0.25
    of_application: bool = True
