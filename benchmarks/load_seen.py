"""A size of the load test, and what was seen of a Prometheus that held it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import linear_regression, median

from benchmarks.load_pages import WARD_SERIES
from benchmarks.load_watch import Asked, Moment
from benchmarks.prometheus_containers import Block

# The stack's sampleLimit: more series are more targets.
MOST_A_TARGET = 50_000


@dataclass(frozen=True)
class Size:
    """So many series, scraped and evaluated every `interval` seconds, watched for `seconds`.

    After each minute a share `churn` of them is new.
    """

    series: int
    interval: int
    seconds: int
    churn: float = 0.01

    @property
    def pages(self) -> list[int]:
        targets = -(-self.series // MOST_A_TARGET)
        wards = self.series // WARD_SERIES
        return [
            (wards // targets + (target < wards % targets)) * WARD_SERIES
            for target in range(targets)
        ]


@dataclass(frozen=True)
class Loaded:
    """What was seen. `moments` are those of the watch, without the queries and the block after it.

    `scraped` are seconds of a scrape, the mean and the longest; `alerts` seconds of delay;
    `missed` are scrapes that failed and evaluations that fell out; `after` is what was seen while
    queries were asked and the block was written.
    """

    size: Size
    active: int
    moments: Sequence[Moment]
    scraped: tuple[float, float]
    missed: int
    alerts: tuple[float, ...]
    recorded: Sequence[Asked]
    raw: Sequence[Asked]
    block: Block
    wal_bytes: int
    after: Sequence[Moment]

    @property
    def steady(self) -> Sequence[Moment]:
        """The second half of the watch."""
        return self.moments[len(self.moments) // 2 :]

    @property
    def head(self) -> int:
        """Series that Prometheus held in memory, those that ended among them."""
        return int(median(moment.head for moment in self.steady))

    @property
    def resident(self) -> float:
        return median(moment.resident for moment in self.steady)

    @property
    def peak(self) -> float:
        """The most resident memory seen, through queries and the writing of a block too."""
        return max(moment.resident for moment in (*self.moments, *self.after))

    @property
    def working_set(self) -> float:
        return median(moment.working_set for moment in self.steady)

    @property
    def samples_a_second(self) -> float:
        return self._a_second("prometheus_tsdb_head_samples_appended_total")

    @property
    def cores(self) -> float:
        return self._a_second("process_cpu_seconds_total")

    @property
    def rules_seconds(self) -> float:
        return median(moment.rules_seconds for moment in self.steady)

    @property
    def slowest_group(self) -> tuple[str, float]:
        """The group of rules that takes longest, and its seconds: it has one interval for them."""
        names = self.steady[-1].groups
        found = {name: median(moment.groups[name] for moment in self.steady) for name in names}
        return max(found.items(), key=lambda group: group[1])

    @property
    def sample_bytes(self) -> float:
        return self.block.chunk_bytes / self.block.samples

    @property
    def chunk_samples(self) -> float:
        """120 in a chunk that is full."""
        return self.block.samples / self.block.chunks

    @property
    def index_bytes(self) -> float:
        """Of a series, in each block."""
        return self.block.index_bytes / self.block.series

    @property
    def wal_sample_bytes(self) -> float:
        """The log is looked at right after the block has been written."""
        return self.wal_bytes / self.block.samples

    def _a_second(self, name: str) -> float:
        first, last = self.moments[0], self.moments[-1]
        return (last.own[name] - first.own[name]) / (last.at - first.at)


def fit(runs: Sequence[Loaded]) -> tuple[float, float]:
    """Bytes of memory of a Prometheus without series, and of each series in its head."""
    found = linear_regression([run.head for run in runs], [run.resident for run in runs])
    return found.intercept, found.slope
