"""Thirty days of the demo: minutes of it over and over, in blocks as Prometheus would have them.

What is replayed is what the demo's targets showed: a gauge its values, a counter its increases.
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
# The longest block of a Prometheus that keeps 30 days: 2 hours, tripled while that is no more than
# a tenth of them.
BLOCK_HOURS = 54
BLOCK_SECONDS = BLOCK_HOURS * 3600
BLOCKS = -(-DAYS * DAY_SECONDS // BLOCK_SECONDS)
RETENTION = f"--storage.tsdb.retention.time={DAYS}d"
AT_ONCE = 2
DATA, RECORDED = "data", "recorded"
# Half a block: a range query has 11000 points a series at most.
ASKED_SECONDS = BLOCK_SECONDS // 2
SETTLED_SECONDS = 900
# Two windows as text, and the blocks.
NEEDED_BYTES = 6e9
_OF_A_FAMILY = re.compile(r"_(?:bucket|count|sum)$")

Number = int | float


@dataclass(frozen=True)
class Series:
    """A series as OpenMetrics writes it, and the values that are replayed."""

    name: str
    values: tuple[Number, ...]
    counter: bool

    def samples(self, first: int, count: int) -> Iterator[Number]:
        """`count` of them, from the sample of the number `first` on."""
        values, last = self.values, len(self.values) - 1
        if not self.counter or last == 0:
            for number in range(first, first + count):
                yield values[number % len(values)]
            return
        risen = values[-1] - values[0]
        for number in range(first, first + count):
            rounds, at = divmod(number, last)
            yield values[at] + rounds * risen


@dataclass(frozen=True)
class History:
    """Where the blocks are made, and the seconds from `start` to `end`, of 1970, that they hold."""

    containers: PrometheusContainers
    end: int
    say: Callable[[str], None]

    @property
    def start(self) -> int:
        return self.end - BLOCKS * BLOCK_SECONDS

    @property
    def last_sample(self) -> int:
        return self.end - STEP_SECONDS

    def write(self, series: Sequence[Series]) -> None:
        """The raw series. Raises BenchmarkError."""
        free = shutil.disk_usage(self.containers.folder).free
        if free < NEEDED_BYTES:
            raise BenchmarkError(
                f"{self.containers.folder} has {free / 1e9:.0f} GB free, and the history of {DAYS} "
                f"days needs {NEEDED_BYTES / 1e9:.0f} GB while it is made"
            )
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda number: self._write_block(series, number), range(BLOCKS)))

    def record(self, rules: Mapping[str, str]) -> None:
        """The recorded series, from their expressions, which read raw series alone.

        Evaluated as often as the targets are scraped. Raises BenchmarkError.
        """
        folder = self.containers.folder
        with (
            self.containers.server(RETENTION) as prometheus,
            ThreadPoolExecutor(AT_ONCE) as pool,
        ):
            list(
                pool.map(
                    lambda number: self._record_block(prometheus, rules, number), range(BLOCKS)
                )
            )
        for block in (folder / RECORDED).iterdir():
            block.rename(folder / DATA / block.name)
        self._settle()

    def _write_block(self, series: Sequence[Series], number: int) -> None:
        file = self.containers.folder / f"raw-{number}.txt"
        write_samples(file, series, self.start, number)
        self._import(file, DATA)
        self.say(f"block {number + 1} of {BLOCKS}, of {BLOCK_HOURS} hours: written")

    def _record_block(self, prometheus: Prometheus, rules: Mapping[str, str], number: int) -> None:
        file = self.containers.folder / f"{RECORDED}-{number}.txt"
        first = self.start + number * BLOCK_SECONDS
        with file.open("w") as out:
            for name, expression in rules.items():
                for start in range(first, first + BLOCK_SECONDS, ASKED_SECONDS):
                    window = {"start": start, "end": start + ASKED_SECONDS - STEP_SECONDS}
                    found = prometheus.ask(
                        "/api/v1/query_range", query=expression, step=STEP_SECONDS, **window
                    )
                    for series in found["result"]:
                        written = as_written(name, series["metric"])
                        out.writelines(
                            f"{written} {value} {at}\n" for at, value in series["values"]
                        )
            out.write("# EOF\n")
        self._import(file, RECORDED)
        self.say(f"block {number + 1} of {BLOCKS}, of {BLOCK_HOURS} hours: recorded")

    def _import(self, file: Path, folder: str) -> None:
        self.containers.promtool(
            *("tsdb", "create-blocks-from", "openmetrics"),
            f"--max-block-duration={BLOCK_HOURS}h",
            *(f"{FOLDER}/{file.name}", f"{FOLDER}/{folder}"),
        )
        file.unlink()

    def _settle(self) -> None:
        """Until Prometheus has put recorded and raw series into one block each window."""
        self.say("Prometheus compacts the recorded series into them")
        deadline = time.monotonic() + SETTLED_SECONDS
        with self.containers.server(RETENTION) as prometheus:
            while (found := prometheus.total("prometheus_tsdb_blocks_loaded")) != BLOCKS:
                if time.monotonic() > deadline:
                    raise BenchmarkError(
                        f"Prometheus has {found:g} blocks after {SETTLED_SECONDS} s, not {BLOCKS}"
                    )
                time.sleep(1)


def last_end() -> int:
    """The latest time, in seconds of 1970, at which a block of BLOCK_HOURS ends."""
    return int(time.time()) // BLOCK_SECONDS * BLOCK_SECONDS


def write_samples(file: Path, series: Sequence[Series], start: int, block: int) -> None:
    """One block's samples as OpenMetrics, a series after the other."""
    first = start + block * BLOCK_SECONDS
    times = [f" {at}\n" for at in range(first, first + BLOCK_SECONDS, STEP_SECONDS)]
    with file.open("w") as out:
        for found in series:
            samples = found.samples(block * len(times), len(times))
            out.write(
                "".join(
                    [f"{found.name} {value}{at}" for value, at in zip(samples, times, strict=True)]
                )
            )
        out.write("# EOF\n")


def as_written(name: str, labels: Mapping[str, str]) -> str:
    pairs = ",".join(
        f"{label}={json.dumps(value, ensure_ascii=False)}"
        for label, value in sorted(labels.items())
        if label != "__name__"
    )
    return f"{name}{{{pairs}}}"


def seen_in(prometheus: Prometheus, seconds: int, without: frozenset[str]) -> list[Series]:
    """All series of the last `seconds` but those named in `without`."""
    metadata = json.loads(prometheus.get("/api/v1/metadata"))["data"]
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
    """As long as the others of its job: before its first sample it had that value already."""
    name = labels["__name__"]
    whole = all(value.is_integer() for value in values)
    padded = [*values[:1] * (length - len(values)), *values]
    kind = kinds.get(name) or kinds.get(_OF_A_FAMILY.sub("", name), "")
    return Series(
        as_written(name, labels),
        tuple(map(int, padded)) if whole else tuple(padded),
        counter=kind in ("counter", "histogram") or bool(_OF_A_FAMILY.search(name)),
    )
