"""Thirty days of history: minutes of the demo, replayed into blocks of Prometheus.

Gauges repeat their values, counters their increases.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.projects import BenchmarkError
from benchmarks.prometheus_containers import FOLDER, Prometheus, PrometheusContainers

STEP_SECONDS = 15
DAY_SECONDS = 86_400
DAYS = 30
# The longest block of a Prometheus that keeps 30 days: 2 hours, tripled while that is at most a
# tenth of them.
BLOCK_HOURS = 54
BLOCK_SECONDS = BLOCK_HOURS * 3600
BLOCKS = -(-DAYS * DAY_SECONDS // BLOCK_SECONDS)
RETENTION = f"--storage.tsdb.retention.time={DAYS}d"
THREADS = 2
DATA, RECORDED = "data", "recorded"
# Half a block: a range query returns at most 11000 points per series.
WINDOW_SECONDS = BLOCK_SECONDS // 2
COMPACTION_SECONDS = 900
# Two windows as text, and the blocks.
NEEDED_BYTES = 6e9
_OF_A_FAMILY = re.compile(r"_(?:bucket|count|sum)$")

Number = int | float


@dataclass(frozen=True)
class Series:
    """A series in OpenMetrics notation, and the values to replay."""

    name: str
    values: tuple[Number, ...]
    counter: bool

    def samples(self, first: int, count: int) -> Iterator[Number]:
        """Return `count` samples, starting with the sample numbered `first`."""
        values, last = self.values, len(self.values) - 1
        for number in range(first, first + count):
            if not self.counter or last == 0:
                yield values[number % len(values)]
            else:
                rounds, at = divmod(number, last)
                yield values[at] + rounds * (values[-1] - values[0])


@dataclass(frozen=True)
class History:
    """The blocks from `start` to `end`, in seconds since 1970."""

    containers: PrometheusContainers
    end: int
    log: Callable[[str], None]

    @property
    def start(self) -> int:
        return self.end - BLOCKS * BLOCK_SECONDS

    @property
    def last_sample(self) -> int:
        return self.end - STEP_SECONDS

    def write(self, series: Sequence[Series]) -> None:
        """Write the raw series. Raises BenchmarkError."""
        free = shutil.disk_usage(self.containers.folder).free
        if free < NEEDED_BYTES:
            raise BenchmarkError(
                f"{self.containers.folder} has {free / 1e9:.0f} GB free, and the history of {DAYS} "
                f"days needs {NEEDED_BYTES / 1e9:.0f} GB while it is written"
            )

        def block(number: int) -> None:
            file = self.containers.folder / f"raw-{number}.txt"
            write_samples(file, series, self.start, number)
            self._import(file, DATA)
            self.log(f"block {number + 1} of {BLOCKS}, of {BLOCK_HOURS} hours: written")

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(block, range(BLOCKS)))

    def record(self, rules: Mapping[str, str]) -> None:
        """Write the recorded series from expressions on raw series, one sample per scrape.

        Raises BenchmarkError.
        """
        with (
            self.containers.server(RETENTION) as prometheus,
            ThreadPoolExecutor(THREADS) as pool,
        ):
            list(pool.map(lambda number: self._record(prometheus, rules, number), range(BLOCKS)))
        for block in (self.containers.folder / RECORDED).iterdir():
            block.rename(self.containers.folder / DATA / block.name)
        self._compact()

    def _record(self, prometheus: Prometheus, rules: Mapping[str, str], number: int) -> None:
        file = self.containers.folder / f"{RECORDED}-{number}.txt"
        first = self.start + number * BLOCK_SECONDS
        with file.open("w") as out:
            for name, expression in rules.items():
                for start in range(first, first + BLOCK_SECONDS, WINDOW_SECONDS):
                    window = {"start": start, "end": start + WINDOW_SECONDS - STEP_SECONDS}
                    found = prometheus.ask(
                        "/api/v1/query_range", query=expression, step=STEP_SECONDS, **window
                    )
                    for series in found["result"]:
                        written = notation(name, series["metric"])
                        out.writelines(
                            f"{written} {value} {at}\n" for at, value in series["values"]
                        )
            out.write("# EOF\n")
        self._import(file, RECORDED)
        self.log(f"block {number + 1} of {BLOCKS}, of {BLOCK_HOURS} hours: recorded")

    def _import(self, file: Path, folder: str) -> None:
        self.containers.promtool(
            *("tsdb", "create-blocks-from", "openmetrics"),
            f"--max-block-duration={BLOCK_HOURS}h",
            *(f"{FOLDER}/{file.name}", f"{FOLDER}/{folder}"),
        )
        file.unlink()

    def _compact(self) -> None:
        """Wait until Prometheus has merged recorded and raw series into one block per window."""
        self.log("Prometheus compacts the recorded series into them")
        deadline = time.monotonic() + COMPACTION_SECONDS
        with self.containers.server(RETENTION) as prometheus:
            while (found := prometheus.blocks()) != BLOCKS:
                if time.monotonic() > deadline:
                    raise BenchmarkError(
                        f"Prometheus has {found} blocks after {COMPACTION_SECONDS} s, not {BLOCKS}"
                    )
                time.sleep(1)


def last_end() -> int:
    """Return the latest time, in seconds since 1970, at which a block of BLOCK_HOURS ends."""
    return int(time.time()) // BLOCK_SECONDS * BLOCK_SECONDS


def write_samples(file: Path, series: Sequence[Series], start: int, block: int) -> None:
    """Write one block's samples as OpenMetrics, one series after the other."""
    first = start + block * BLOCK_SECONDS
    times = [f" {at}\n" for at in range(first, first + BLOCK_SECONDS, STEP_SECONDS)]
    with file.open("w") as out:
        for found in series:
            samples = found.samples(block * len(times), len(times))
            pairs = zip(samples, times, strict=True)
            out.write("".join([f"{found.name} {value}{at}" for value, at in pairs]))
        out.write("# EOF\n")


def notation(name: str, labels: Mapping[str, str]) -> str:
    """Return a series in OpenMetrics notation."""
    pairs = ",".join(
        f"{label}={json.dumps(value, ensure_ascii=False)}"
        for label, value in sorted(labels.items())
        if label != "__name__"
    )
    return f"{name}{{{pairs}}}"


def recent_series(prometheus: Prometheus, seconds: int, without: frozenset[str]) -> list[Series]:
    """Return all series of the last `seconds` except those named in `without`.

    A series that starts late is padded with its first value to the length of its job.
    """
    metadata = prometheus.ask("/api/v1/metadata")
    kinds = {name: found[0]["type"] for name, found in metadata.items()}
    found = prometheus.ask("/api/v1/query", query=f'{{__name__!=""}}[{seconds}s]')["result"]
    longest: dict[str, int] = {}
    for series in found:
        job = series["metric"].get("job", "")
        longest[job] = max(longest.get(job, 0), len(series["values"]))
    return [
        _series(
            series["metric"],
            [float(value) for _, value in series["values"]],
            longest[series["metric"].get("job", "")],
            kinds,
        )
        for series in found
        if series["metric"]["__name__"] not in without
    ]


def _series(
    labels: Mapping[str, str], values: list[float], length: int, kinds: Mapping[str, str]
) -> Series:
    name = labels["__name__"]
    padded = [*values[:1] * (length - len(values)), *values]
    whole = all(value.is_integer() for value in values)
    kind = kinds.get(name) or kinds.get(_OF_A_FAMILY.sub("", name), "")
    return Series(
        notation(name, labels),
        tuple(map(int, padded)) if whole else tuple(padded),
        counter=kind in ("counter", "histogram") or bool(_OF_A_FAMILY.search(name)),
    )
