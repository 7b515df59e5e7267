"""The load test as a whole: its sizes, what is printed of them, and `ops size` beside them."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks import load, stack
from benchmarks.environment import load as machine_load
from benchmarks.figures import Grid
from benchmarks.load_seen import Loaded, Size, fit
from benchmarks.load_watch import Asked
from benchmarks.measurements import Bench
from components.catalog.images import IMAGES
from ops.size.demand import DAY_SECONDS, Demand, Load

MEGABYTE = 1e6
# The shortest interval at which two cores follow; the more scrapes, the fuller are the chunks.
SIZES = (
    Size(1_000, interval=1, seconds=150),
    Size(10_000, interval=5, seconds=180),
    Size(100_000, interval=10, seconds=300),
    Size(500_000, interval=15, seconds=480),
)
# Half of the series are new after each minute: what is in memory are mostly series that ended.
CHURNED = Size(10_000, interval=5, seconds=180, churn=0.5)


def series_and_more_series(bench: Bench) -> None:
    """Every size on a Prometheus of its own, one after the other."""
    image = bench.images.get("prometheus", IMAGES["prometheus"].reference)
    runs, loads = [], []
    for number, size in enumerate((*SIZES, CHURNED)):
        stack.remove(bench.client, stack.LOAD)
        runs.append(
            load.measure(bench.client, image, bench.folder / f"load-{number}", size, bench.say)
        )
        loads.append(machine_load())
    bench.report.grids += [figures(runs, loads), beside_ops_size(runs[: len(SIZES)])]
    bench.report.notes.append(churn_words(runs[len(SIZES)], runs))


def figures(runs: Sequence[Loaded], loads: Sequence[float]) -> Grid:
    """A column a run; `loads` are the machine's at the end of each."""
    rows: list[tuple[str, list[str]]] = [
        ("scraped and evaluated every", [f"{run.size.interval} s" for run in runs]),
        ("new series a minute", [f"{run.size.churn:.0%}" for run in runs]),
        ("series that the targets show", [f"{run.active:,}" for run in runs]),
        ("series in memory", [f"{run.head:,}" for run in runs]),
        ("samples a second", [f"{run.samples_a_second:,.0f}" for run in runs]),
        ("resident memory, MB", [_megabytes(run.resident) for run in runs]),
        ("most of it, through queries and a block, MB", [_megabytes(run.peak) for run in runs]),
        ("working set of the container, MB", [_megabytes(run.working_set) for run in runs]),
        ("cores", [f"{run.cores:.2f}" for run in runs]),
        ("a scrape of a target, mean, s", [f"{run.scraped[0]:.2f}" for run in runs]),
        ("a scrape of a target, longest, s", [f"{run.scraped[1]:.2f}" for run in runs]),
        ("all rules once, s", [f"{run.rules_seconds:.2f}" for run in runs]),
        ("the slowest group of rules", [run.slowest_group[0] for run in runs]),
        ("which takes, s", [f"{run.slowest_group[1]:.2f}" for run in runs]),
        ("missed scrapes and evaluations", [str(run.missed) for run in runs]),
        ("an alert's delay, median, s", [f"{median(run.alerts):.1f}" for run in runs]),
        ("an alert's delay, longest, s", [f"{max(run.alerts):.1f}" for run in runs]),
        ("that many alerts", [str(len(run.alerts)) for run in runs]),
        ("recorded queries, ms", [_milliseconds(run.recorded) for run in runs]),
        ("the same as raw expressions, ms", [_milliseconds(run.raw) for run in runs]),
        ("samples that those read, millions", [_millions(run.raw) for run in runs]),
        ("samples in a chunk, mean", [f"{run.chunk_samples:.0f}" for run in runs]),
        ("bytes of a sample in a block", [f"{run.sample_bytes:.2f}" for run in runs]),
        ("bytes of a series in a block's index", [f"{run.index_bytes:.0f}" for run in runs]),
        ("bytes of a sample in the log", [f"{run.wal_sample_bytes:.1f}" for run in runs]),
        ("the machine's load at the end", [f"{found:.0f}" for found in loads]),
    ]
    return Grid(
        "One Prometheus by series",
        ("", *(f"{run.size.series:,}" for run in runs)),
        tuple((name, *cells) for name, cells in rows),
    )


def beside_ops_size(runs: Sequence[Loaded]) -> Grid:
    """What `ops size` says of the series that were in memory, and what was measured."""
    base, slope = fit(runs)
    rows = []
    for run in runs:
        demand = Demand(Load(run.head, run.size.interval, DAY_SECONDS))
        rows.append(
            (
                f"{run.head:,}",
                _megabytes(run.resident),
                _megabytes(base + slope * run.head),
                _megabytes(demand.resident_bytes),
                f"{demand.resident_bytes / run.resident:.2f}",
                _megabytes(run.peak),
                demand.memory,
            )
        )
    return Grid(
        f"Memory: {base / MEGABYTE:.0f} MB and {slope:,.0f} bytes a series through these runs",
        (
            "series in memory",
            "resident, MB",
            "the line, MB",
            "ops size, MB",
            "ops size / measured",
            "most, MB",
            "limit of ops size",
        ),
        tuple(rows),
    )


def churn_words(churned: Loaded, runs: Sequence[Loaded]) -> str:
    still = next(run for run in runs if run.size.series == churned.size.series)
    more = churned.head - still.head
    each = (churned.resident - still.resident) / more
    return (
        f"churn: {churned.head:,} series in memory instead of {still.head:,} took "
        f"{_megabytes(churned.resident)} instead of {_megabytes(still.resident)} MB, "
        f"{each:,.0f} bytes for each that had ended."
    )


def _megabytes(size: float) -> str:
    return f"{size / MEGABYTE:,.0f}"


def _milliseconds(rounds: Sequence[Asked]) -> str:
    return f"{1000 * median(asked.seconds for asked in rounds):,.0f}"


def _millions(rounds: Sequence[Asked]) -> str:
    return f"{median(asked.samples for asked in rounds) / 1e6:,.1f}"
