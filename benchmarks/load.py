"""A real Prometheus under more and more series: what it holds, and what each series costs.

It gets the stack's own scrape configuration, list of what is stored and rules, with targets that
`load_exporter` stands in for. Nothing else of the stack runs, and no alert is sent to anybody.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
import yaml

from benchmarks import load_watch
from benchmarks.load_exporter import exporter
from benchmarks.load_pages import PROBE
from benchmarks.load_seen import Loaded, Size
from benchmarks.load_watch import Watch
from benchmarks.projects import BenchmarkError
from benchmarks.prometheus_containers import FOLDER, Prometheus, PrometheusContainers
from benchmarks.raw_expressions import recording_rules
from benchmarks.stack import LOAD, configuration
from components.preflight.conflicts import STACK_LABEL
from ops.offline import render

MEMORY = "8g"
SCRAPED_SECONDS = 120
QUERY_ROUNDS = 3
OF_THE_STACK = ("prometheus", "backend")
# For what comes after the watch; then the exporter ends by itself.
SPARE_SECONDS = 900


def measure(
    client: docker.DockerClient,
    image: str,
    folder: Path,
    size: Size,
    say: Callable[[str], None],
    stack: str = LOAD,
) -> Loaded:
    """One size, on a Prometheus that starts empty in `folder`. Raises BenchmarkError.

    Container and network have the label of `stack`; the caller removes what a kill leaves.
    """
    folder.mkdir()
    containers = PrometheusContainers(client, image, folder, stack)
    most = SCRAPED_SECONDS + size.seconds + SPARE_SECONDS
    with (
        _network(client, stack) as (network, gateway),
        exporter(gateway, size.pages, size.churn, most) as pages,
    ):
        config, rules = _configured(size, pages.targets, folder)
        options: dict[str, Any] = {"network": network, "mem_limit": MEMORY}
        flag = "--web.enable-admin-api"
        with containers.configured(config, flag, **options) as (prometheus, container):
            _wait_until_scraped(prometheus, len(pages.targets))
            say(f"{size.series} series every {size.interval} s: watched for {size.seconds} s")
            with Watch(prometheus, container) as watch:
                time.sleep(size.interval)
                delays = load_watch.alert_delays(
                    prometheus, pages, size.interval, time.monotonic() + size.seconds
                )
            moments = list(watch.moments)
            scraped, failed = _scrapes(prometheus, moments[-1].at - moments[0].at)
            active = int(_value(prometheus, "sum(scrape_samples_post_metric_relabeling)"))
            with Watch(prometheus, container) as after:
                recorded, raw = load_watch.ask_both_ways(prometheus, rules, QUERY_ROUNDS)
                block = containers.snapshot(prometheus)
            wal = sum(path.stat().st_size for path in (folder / "data" / "wal").rglob("*"))
    late = "prometheus_rule_group_iterations_missed_total"
    return Loaded(
        size=size,
        active=active,
        moments=moments,
        scraped=scraped,
        missed=failed + int(moments[-1].own.get(late, 0) - moments[0].own.get(late, 0)),
        alerts=delays,
        recorded=recorded,
        raw=raw,
        block=block,
        wal_bytes=wal,
        after=list(after.moments),
    )


@contextlib.contextmanager
def _network(client: docker.DockerClient, stack: str) -> Iterator[tuple[str, str]]:
    """A bridge of the test's own, and this machine's address in it."""
    network = client.networks.create(stack, labels={STACK_LABEL: stack})
    try:
        network.reload()
        yield stack, network.attrs["IPAM"]["Config"][0]["Gateway"]
    finally:
        network.remove()


def _configured(size: Size, targets: Sequence[str], folder: Path) -> tuple[str, Mapping[str, str]]:
    """The text of `prometheus.yml`, and the recorded series' expressions; rules go to `folder`."""
    every = f"{size.interval}s"
    config = configuration(
        "dev",
        {},
        demo=False,
        scrapeInterval=every,
        evaluationInterval=every,
        backendTargets=list(targets),
        keepMetrics=[PROBE],
    )
    files = render.render("dev", config.for_mocks())
    rules = {path: text for path, text in files.items() if path.startswith("rules/")}
    texts = {**rules, "rules/load.yml": yaml.safe_dump(load_watch.ALERT_RULES)}
    (folder / "rules").mkdir()
    for path, text in texts.items():
        (folder / path).write_text(text)
    rendered = yaml.safe_load(files["prometheus.yml"])
    # What is not here cannot be asked, and nobody is to be told.
    del rendered["alerting"]
    rendered["rule_files"] = [f"{FOLDER}/rules/*.yml"]
    rendered["scrape_configs"] = [
        job for job in rendered["scrape_configs"] if job["job_name"] in OF_THE_STACK
    ]
    return yaml.safe_dump(rendered), recording_rules(rules)


def _wait_until_scraped(prometheus: Prometheus, targets: int) -> None:
    deadline = time.monotonic() + SCRAPED_SECONDS
    while time.monotonic() < deadline:
        if _value(prometheus, 'sum(up{job="backend"})') == targets:
            return
        time.sleep(1)
    pools = prometheus.ask("/api/v1/query", query='up{job="backend"}')["result"]
    raise BenchmarkError(f"not all targets were scraped within {SCRAPED_SECONDS} s: {pools}")


def _scrapes(prometheus: Prometheus, seconds: float) -> tuple[tuple[float, float], int]:
    window = f"[{round(seconds)}s]"
    took = f'scrape_duration_seconds{{job="backend"}}{window}'
    mean = _value(prometheus, f"avg(avg_over_time({took}))")
    longest = _value(prometheus, f"max(max_over_time({took}))")
    up = f'up{{job="backend"}}{window}'
    failed = _value(prometheus, f"sum(count_over_time({up}) - sum_over_time({up}))")
    return (mean, longest), int(failed)


def _value(prometheus: Prometheus, expression: str) -> float:
    """Of one series, or 0."""
    found = prometheus.ask("/api/v1/query", query=expression)["result"]
    return float(found[0]["value"][1]) if found else 0.0
