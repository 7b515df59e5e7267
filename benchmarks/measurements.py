"""Measurements of a stack, each a function from a `Bench` to figures in its report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import docker
from docker.models.containers import Container

from benchmarks import compose_project, stack
from benchmarks.compose_project import ComposeProject
from benchmarks.figures import Figure, Report
from benchmarks.projects import Project, copy_of_program, empty_program
from benchmarks.rule_edit import RuleEdits
from benchmarks.stack import COMPOSE, DEV, LOCAL, PROD, Configuration, configuration
from ops.offline import local_deploy

UP_TARGET, SECOND_UP_TARGET, MEMORY_TARGET = 1.3, 1.6, 700
# An `up` that changes little takes seconds: more rounds give a steadier median.
SHORT_ROUNDS_A_ROUND = 3
# Shorter than the default, so that a missed scrape shows.
PROD_SCRAPE_SECONDS = 3
TRAFFIC_SECONDS, SAMPLE_SECONDS = 60, 5
MEGABYTE = 1e6
EMPTY = "an empty program"


@dataclass(frozen=True)
class Bench:
    """`cli` is the Pulumi command, None without an engine; `folder` is for temporary files."""

    client: docker.DockerClient
    cli: str | None
    images: Mapping[str, str]
    folder: Path
    rounds: int
    report: Report
    log: Callable[[str], None]

    def add(self, name: str, samples: tuple[float, ...], unit: str = "s", **more: Any) -> None:
        """Add a figure to the report."""
        self.report.figures.append(Figure(name, samples, unit, **more))


def interleaved(
    bench: Bench, rounds: int, measures: Mapping[str, Callable[[], float]]
) -> dict[str, tuple[float, ...]]:
    """Return seconds by measure: one sample per round, in an order shuffled per round."""
    rng = Random(0)
    samples: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(1, rounds + 1):
        for name in rng.sample(list(measures), len(measures)):
            samples[name].append(measures[name]())
            bench.log(f"round {number} of {rounds}: {name} {samples[name][-1]:.2f} s")
    return {name: tuple(found) for name, found in samples.items()}


def up_from_nothing(bench: Bench) -> None:
    """Measure the dev stack with its demo beside Compose and beside the deploy without engine."""
    config = configuration("dev", bench.images)
    measures: dict[str, Callable[[], float]] = {"local": lambda: _local_up(bench, config)}
    if bench.cli:
        project = _copy(bench, "dev", DEV, config)
        bench.log("a first up that does not count, for what Docker has to build")
        _up_and_remove(bench, project)
        measures["pulumi"] = lambda: _up_and_remove(bench, project)
    what = "up from nothing, dev stack with demo"
    if absent := compose_project.missing():
        bench.report.notes.append(f"{what}: {absent}, so its target is not judged.")
    else:
        compose = ComposeProject(bench.folder / "compose", COMPOSE, config.for_mocks())
        measures["compose"] = compose.up_and_remove
    found = interleaved(bench, bench.rounds, measures)
    baselines = {"compose": "docker compose up --wait", "local": "deploy without engine"}
    if not bench.cli:
        what, found["pulumi"] = f"{what}, without engine", found.pop("local")
    for key, name in baselines.items():
        if key in found:
            target = UP_TARGET if bench.cli and key == "compose" else None
            bench.add(what, found["pulumi"], target=target, baseline=found[key], baseline_name=name)
    if not bench.cli and absent:
        bench.add(what, found["pulumi"])


def second_up_and_rule_edit(bench: Bench) -> None:
    """Measure an unchanged prod stack and a rule edit beside a program without resources."""
    assert bench.cli is not None
    config = configuration(
        "prod",
        bench.images,
        scrapeInterval=f"{PROD_SCRAPE_SECONDS}s",
        # In clear text: certificates of one's own are no part of what is measured.
        tls=False,
    )
    empty = empty_program(bench.cli, bench.folder / "empty")
    project = _copy(bench, "prod", PROD, config)
    bench.log("the prod stack comes up")
    project.up()
    stack.check_healthy(bench.client, PROD)
    # The first of them compiles the copied modules.
    project.up("--expect-no-changes")
    url = f"http://127.0.0.1:{config.ports['prometheus']}"
    edits = RuleEdits(project, bench.client, url, PROD_SCRAPE_SECONDS)
    found = interleaved(
        bench,
        SHORT_ROUNDS_A_ROUND * bench.rounds,
        {
            "empty": empty.up,
            "second up": lambda: project.up("--expect-no-changes"),
            "empty, with preview": lambda: empty.up(preview=True),
            "second up, with preview": lambda: project.up("--expect-no-changes", preview=True),
            "rule edit": edits.edit,
        },
    )
    fault, observed = edits.fault()
    bench.report.notes.append(f"{observed}.")
    plain: dict[str, Any] = {"baseline": found["empty"], "baseline_name": EMPTY}
    previewed: dict[str, Any] = {
        "baseline": found["empty, with preview"],
        "baseline_name": f"{EMPTY}, with preview",
    }
    bench.add("second up, prod stack", found["second up"], target=SECOND_UP_TARGET, **plain)
    bench.add("second up, prod stack, with preview", found["second up, with preview"], **previewed)
    bench.add("rule edit, until live", found["rule edit"], fault=fault, **plain)
    bench.add("rule edit, until `pulumi up` ends", tuple(edits.up_seconds), **plain)


def resident_memory(bench: Bench) -> None:
    """Measure the dev stack under the demo's traffic for a minute."""
    bench.log("the dev stack comes up")
    name = bring_up(bench, "memory", configuration("dev", bench.images))
    bench.log(f"its memory is sampled for {TRAFFIC_SECONDS} s")
    found = stack.containers(bench.client, name)
    samples: list[dict[str, float]] = []
    deadline = time.monotonic() + TRAFFIC_SECONDS
    with ThreadPoolExecutor(len(found)) as pool:
        while time.monotonic() < deadline:
            sizes = pool.map(_resident_megabytes, found)
            services = (container.labels["vitalstream.service"] for container in found)
            samples.append(dict(zip(services, sizes, strict=True)))
            time.sleep(SAMPLE_SECONDS)
    sums = tuple(sum(sample.values()) for sample in samples)
    bench.add("resident memory, dev stack with demo", sums, "MB", target=MEMORY_TARGET)
    medians = {service: median(sample[service] for sample in samples) for service in samples[0]}
    largest_first = sorted(medians.items(), key=lambda found: -found[1])
    shares = ", ".join(f"{service} {size:.1f}" for service, size in largest_first)
    bench.report.notes.append(f"resident memory by container, MB: {shares}.")


def without_file_cache(stats: Mapping[str, Any]) -> int:
    """Return bytes as `docker stats` shows them: less the page cache that can be reclaimed.

    cgroup v1 calls that total_inactive_file, v2 inactive_file.
    """
    details = stats["stats"]
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    return int(stats["usage"] - cache)


def bring_up(bench: Bench, folder: str, config: Configuration) -> str:
    """Bring a stack up, with the engine if there is one, and return its name."""
    if not bench.cli:
        local_deploy.up(LOCAL, config.for_mocks(), bench.log)
        return LOCAL
    _copy(bench, folder, DEV, config).up()
    return DEV


def _resident_megabytes(container: Container) -> float:
    stats: Any = container.stats(stream=False, one_shot=True)
    return without_file_cache(stats["memory_stats"]) / MEGABYTE


def _copy(bench: Bench, folder: str, name: str, config: Configuration) -> Project:
    assert bench.cli is not None
    return copy_of_program(bench.cli, bench.folder / folder, name, config.values, config.secrets)


def _up_and_remove(bench: Bench, project: Project) -> float:
    project.reset_state()
    seconds = project.up()
    stack.check_healthy(bench.client, project.stack)
    stack.remove(bench.client, project.stack)
    return seconds


def _local_up(bench: Bench, config: Configuration) -> float:
    started = time.monotonic()
    local_deploy.up(LOCAL, config.for_mocks(), lambda _: None)
    seconds = time.monotonic() - started
    stack.check_healthy(bench.client, LOCAL)
    stack.remove(bench.client, LOCAL)
    return seconds
