"""What a day of the full demo stack takes on disk, with the list of what is stored and without."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.figures import Aim, Figure
from benchmarks.history import DAY_SECONDS
from benchmarks.measurements import Bench, bring_up
from benchmarks.prometheus_containers import Prometheus, PrometheusContainers
from benchmarks.stack import ALL_METRICS, Configuration, configuration
from components.catalog.images import IMAGES
from components.docker.container import container_name
from components.docker.service import DATA_SUFFIX

AIM = Aim(25)
# Of VitalStream's document.
DOCUMENTED_MEGABYTES = 100
MEGABYTE = 1e6
WATCHED_SECONDS = 900
# Over the last of them the samples are counted: rates of 5 minutes are there by then.
COUNTED_SECONDS = 300
# Blocks of two hours, as Prometheus writes them; compacted, they share their indexes.
BLOCKS_A_DAY = 12
SAMPLES = "prometheus_tsdb_head_samples_appended_total"


@dataclass(frozen=True)
class Day:
    """What a Prometheus stores: `samples` a day, and bytes of a sample and of a block's index."""

    samples: float
    series: int
    sample_bytes: float
    index_bytes: float

    @property
    def megabytes(self) -> float:
        chunks = self.samples * self.sample_bytes
        return (chunks + BLOCKS_A_DAY * self.index_bytes) / MEGABYTE

    def words(self) -> str:
        return (
            f"{self.series} series, {self.samples / 1e6:.1f} million samples a day of "
            f"{self.sample_bytes:.2f} bytes, and {BLOCKS_A_DAY} indexes of "
            f"{self.index_bytes / 1000:.0f} kB"
        )


def storage_a_day(bench: Bench) -> None:
    """Two demos side by side for a while, one of which stores everything."""
    kept = configuration("dev", bench.images)
    everything = configuration("dev", bench.images, keepAllMetrics=True)
    bench.say("the dev stack comes up twice, one of which stores every metric")
    names = {
        bring_up(bench, "kept", kept): kept,
        bring_up(bench, "everything", everything, ALL_METRICS): everything,
    }
    bench.say(f"watching what they store for {WATCHED_SECONDS} s")
    time.sleep(WATCHED_SECONDS - COUNTED_SECONDS)
    before = {name: _samples(config) for name, config in names.items()}
    time.sleep(COUNTED_SECONDS)
    after = {name: _samples(config) for name, config in names.items()}
    days = [
        _day(bench, name, (after[name][1] - before[name][1]) / (after[name][0] - before[name][0]))
        for name in names
    ]
    what = "storage a day, dev stack with demo"
    mine, theirs = ((day.megabytes,) for day in days)
    document = f"VitalStream's document, {DOCUMENTED_MEGABYTES} MB"
    bench.report.figures += [
        Figure(what, mine, "MB", AIM),
        Figure(what, mine, "MB", None, theirs, "every metric kept"),
        Figure(what, mine, "MB", None, (float(DOCUMENTED_MEGABYTES),), document),
    ]
    bench.report.notes += [
        f"storage a day: {days[0].words()}; with every metric kept: {days[1].words()}.",
        f"that is an upper bound: chunks had {WATCHED_SECONDS // 15} samples instead of 120, and "
        "blocks are taken as never compacted. The write-ahead log, which does not grow day by day, "
        "is not in it.",
    ]


def _samples(config: Configuration) -> tuple[float, float]:
    """The time in seconds, and the samples that Prometheus has stored since it started."""
    prometheus = Prometheus(f"http://127.0.0.1:{config.ports['prometheus']}")
    return time.monotonic(), prometheus.total(SAMPLES)


def _day(bench: Bench, name: str, samples_a_second: float) -> Day:
    """From a block that Prometheus writes of all that the stack's own has stored."""
    bench.client.containers.get(container_name(name, "prometheus")).stop()
    folder = bench.folder / f"{name}-block"
    folder.mkdir()
    image = bench.images.get("prometheus", IMAGES["prometheus"].reference)
    containers = PrometheusContainers(bench.client, image, folder, name)
    block = containers.block_of(f"{container_name(name, 'prometheus')}{DATA_SUFFIX}")
    return Day(
        samples=samples_a_second * DAY_SECONDS,
        series=block.series,
        sample_bytes=block.chunk_bytes / block.samples,
        index_bytes=block.index_bytes,
    )
