"""Overview dashboard over the last 30 days: with recorded series, and with raw expressions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random
from statistics import median

from benchmarks import stack
from benchmarks.history import BLOCKS, DAYS, RETENTION, History, last_end, recent_series
from benchmarks.measurements import Bench, bring_up
from benchmarks.overview_queries import (
    Query,
    ask,
    difference,
    expanded,
    queries,
    recorded_in,
    recording_rules,
)
from benchmarks.projects import BenchmarkError
from benchmarks.prometheus_containers import Prometheus, PrometheusContainers
from benchmarks.stack import HISTORY, configuration
from components.catalog.images import IMAGES
from ops.offline import render

# At least 12 times faster.
RATIO_TARGET = 1 / 12
MILLISECONDS_TARGET = 300
# 24 scrapes, which are replayed.
SCRAPE_SECONDS, WATCHED_SECONDS = 5, 120
ROUNDS_A_ROUND = 5
SLOWEST = 5


def overview_of_thirty_days(bench: Bench) -> None:
    """Measure both ways in one run, on a Prometheus with the stack's own limits."""
    config = configuration(
        "dev",
        bench.images,
        scrapeInterval=f"{SCRAPE_SECONDS}s",
        # Everything is ten times as many series, none of which the overview reads.
        keepOnlyWhatIsRead=True,
    )
    files = render.render("dev", config.for_mocks())
    rules = recording_rules(text for path, text in files.items() if path.startswith("rules/"))
    asked = queries(files["dashboards/overview.json"], rules)
    bench.log("the dev stack comes up")
    name = bring_up(bench, "history-demo", config)
    bench.log(f"its series are collected for {WATCHED_SECONDS} s")
    time.sleep(2 * SCRAPE_SECONDS + WATCHED_SECONDS)
    demo = Prometheus(f"http://127.0.0.1:{config.ports['prometheus']}")
    series = recent_series(demo, WATCHED_SECONDS, frozenset(rules))
    stack.remove(bench.client, name)

    folder = bench.folder / "history"
    folder.mkdir()
    image = bench.images.get("prometheus", IMAGES["prometheus"].reference)
    containers = PrometheusContainers(bench.client, image, folder, HISTORY)
    history = History(containers, last_end(), bench.log)
    bench.log(f"{len(series)} series of {DAYS} days are written, in {BLOCKS} blocks")
    history.write(series)
    needed = sorted(set().union(*(recorded_in(query.recorded, rules) for query in asked)))
    history.record({series: expanded(series, rules) for series in needed})
    with containers.server(RETENTION, limited=True) as prometheus:
        _compare(bench, prometheus, asked, history.last_sample)
    bench.report.notes.append(
        f"the history of {DAYS} days: {len(series)} series of the demo and "
        f"{len(needed)} recorded names, a sample every 15 s."
    )


def _compare(bench: Bench, prometheus: Prometheus, asked: Sequence[Query], at: int) -> None:
    """Time every query both ways in each round, in an order shuffled per round."""
    # Also reads the blocks once before anything is timed.
    if unlike := [words for query in asked if (words := difference(prometheus, query, at))]:
        raise BenchmarkError(f"recorded and raw series differ: {'; '.join(unlike)}")
    rng, rounds = Random(0), ROUNDS_A_ROUND * bench.rounds
    both = [(side, place) for place in range(len(asked)) for side in ("recorded", "raw")]
    found: dict[tuple[str, int], list[float]] = {key: [] for key in both}
    for _ in range(rounds):
        for side, place in rng.sample(both, len(both)):
            query = asked[place]
            answer = ask(prometheus, getattr(query, side), at, query.step)
            found[side, place].append(answer.seconds * 1000)
    sums = {
        side: tuple(
            map(sum, zip(*(found[side, place] for place in range(len(asked))), strict=True))
        )
        for side in ("recorded", "raw")
    }
    what = f"overview of the last {DAYS} days, Prometheus' time"
    bench.add(what, sums["recorded"], "ms", target=MILLISECONDS_TARGET)
    raw = {"baseline": sums["raw"], "baseline_name": "the raw expressions"}
    bench.add(what, sums["recorded"], "ms", target=RATIO_TARGET, **raw)
    slowest = sorted(range(len(asked)), key=lambda place: -median(found["recorded", place]))
    words = ", ".join(
        f"{asked[place].name} {median(found['recorded', place]):.1f} "
        f"(raw {median(found['raw', place]):.1f})"
        for place in slowest[:SLOWEST]
    )
    bench.report.notes.append(
        f"{len(asked)} queries of the overview, {rounds} rounds; the slowest, in ms: {words}."
    )
