"""What the dashboards need to know of a stack, and the time ranges they offer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from components.catalog.monitored import DEFAULT_MONITORED, Monitored
from components.common.quantities import duration_seconds
from components.settings.instance_names import instance_names
from components.settings.settings import Settings

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


class QuickRange(NamedTuple):
    """One entry of the time picker; `start` is Grafana's relative time, without `now-`."""

    seconds: int
    start: str
    display: str


QUICK_RANGES: Final = (
    QuickRange(5 * _MINUTE, "5m", "Last 5 minutes"),
    QuickRange(15 * _MINUTE, "15m", "Last 15 minutes"),
    QuickRange(30 * _MINUTE, "30m", "Last 30 minutes"),
    QuickRange(_HOUR, "1h", "Last hour"),
    QuickRange(3 * _HOUR, "3h", "Last 3 hours"),
    QuickRange(6 * _HOUR, "6h", "Last 6 hours"),
    QuickRange(12 * _HOUR, "12h", "Last 12 hours"),
    QuickRange(_DAY, "24h", "Last 24 hours"),
    QuickRange(2 * _DAY, "2d", "Last 2 days"),
    QuickRange(7 * _DAY, "7d", "Last 7 days"),
    QuickRange(14 * _DAY, "14d", "Last 14 days"),
    QuickRange(30 * _DAY, "30d", "Last 30 days"),
    QuickRange(90 * _DAY, "90d", "Last 90 days"),
    QuickRange(180 * _DAY, "180d", "Last 180 days"),
    QuickRange(365 * _DAY, "365d", "Last 365 days"),
)


@dataclass(frozen=True)
class DashboardSettings:
    """A stack, as its dashboards see it.

    `retention_seconds` is Prometheus' retention time and has to be an hour at least, the range
    that every dashboard opens with. `scrape_interval` is a Prometheus duration such as `15s`; no
    panel asks for points closer together. `watch` is what it watches; where it `federates` other
    stacks, it has their recorded series beside its own. `names` are what people call an instance.
    """

    stack: str
    retention_seconds: int
    scrape_interval: str
    watch: Sequence[Monitored] = DEFAULT_MONITORED
    federates: bool = False
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.retention_seconds < _HOUR:
            raise ValueError(
                f"retention_seconds is {self.retention_seconds}: the dashboards open with the last "
                f"hour and need a retention of {_HOUR} seconds at least"
            )

    @classmethod
    def of(cls, settings: Settings) -> "DashboardSettings":
        """Return what the dashboards need of a stack's settings."""
        return cls(
            stack=settings.stack,
            retention_seconds=int(duration_seconds(settings.history)),
            scrape_interval=settings.scrape_interval,
            watch=settings.watch,
            federates=bool(settings.federation),
            names=instance_names(settings),
        )

    @property
    def quick_ranges(self) -> tuple[QuickRange, ...]:
        """The ranges to offer: none is longer than the retention, shortest first."""
        return tuple(r for r in QUICK_RANGES if r.seconds <= self.retention_seconds)
