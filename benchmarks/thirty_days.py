"""The overview for the last 30 days: through the recorded series, and without them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

from benchmarks import stack
from benchmarks.figures import Aim, Figure
from benchmarks.history import BLOCKS, DAYS, RETENTION, History, last_end, seen_in
from benchmarks.measurements import Bench, bring_up
from benchmarks.overview import Query, difference, queries, side_by_side
from benchmarks.projects import BenchmarkError
from benchmarks.prometheus_containers import Prometheus, PrometheusContainers
from benchmarks.raw_expressions import expanded, recorded_in, recording_rules
from benchmarks.stack import HISTORY, configuration
from components.catalog.images import IMAGES
from ops.offline import render

RATIO_AIM = Aim(0.1)
TIME_AIM = Aim(300)
# 24 scrapes, which are what is replayed.
SCRAPE_SECONDS = 5
SEEN_SECONDS = 120
ROUNDS_A_ROUND = 5
SLOWEST = 5


def overview_of_thirty_days(bench: Bench) -> None:
    """Both ways in one run, on a Prometheus with the stack's own limits."""
    config = configuration("dev", bench.images, scrapeInterval=f"{SCRAPE_SECONDS}s")
    files = render.render("dev", config.for_mocks())
    rules = recording_rules({p: text for p, text in files.items() if p.startswith("rules/")})
    asked = queries(files["dashboards/overview.json"], rules)
    bench.say("the dev stack comes up")
    name = bring_up(bench, "history-demo", config)
    # Rates are over 5 minutes, but it is the raw series that are replayed.
    bench.say(f"looking at its series for {SEEN_SECONDS} s")
    time.sleep(2 * SCRAPE_SECONDS + SEEN_SECONDS)
    demo = Prometheus(f"http://127.0.0.1:{config.ports['prometheus']}")
    series = seen_in(demo, SEEN_SECONDS, frozenset(rules))
    stack.remove(bench.client, name)

    folder = bench.folder / "history"
    folder.mkdir()
    image = bench.images.get("prometheus", IMAGES["prometheus"].reference)
    containers = PrometheusContainers(bench.client, image, folder, HISTORY)
    history = History(containers, last_end(), bench.say)
    bench.say(f"{len(series)} series of {DAYS} days are written, in {BLOCKS} blocks")
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
    # Before anything is timed: it also has the blocks read once.
    if unlike := [words for query in asked if (words := difference(prometheus, query, at))]:
        raise BenchmarkError(f"recorded and raw are not the same: {'; '.join(unlike)}")
    rounds = ROUNDS_A_ROUND * bench.rounds
    found = side_by_side(prometheus, asked, at, rounds)
    recorded, raw = (_sums(found[side]) for side in ("recorded", "raw"))
    what = f"overview of the last {DAYS} days, Prometheus' time"
    bench.report.figures += [
        Figure(what, recorded, "ms", TIME_AIM),
        Figure(what, recorded, "ms", RATIO_AIM, raw, "the raw expressions"),
    ]
    by_query = {
        place: (median(found["recorded"][place]) * 1000, median(found["raw"][place]) * 1000)
        for place in range(len(asked))
    }
    slowest = sorted(by_query, key=lambda place: -by_query[place][0])[:SLOWEST]
    words = ", ".join(
        f"{asked[place].name} {by_query[place][0]:.1f} (raw {by_query[place][1]:.1f})"
        for place in slowest
    )
    bench.report.notes.append(
        f"{len(asked)} queries of the overview, {rounds} rounds; the slowest, in ms: {words}."
    )


def _sums(by_query: dict[int, tuple[float, ...]]) -> tuple[float, ...]:
    """Milliseconds of all queries together, by round."""
    return tuple(1000 * sum(samples) for samples in zip(*by_query.values(), strict=True))
