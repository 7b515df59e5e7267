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
from benchmarks.figures import OTHER, Figure, Report
from benchmarks.projects import Project, copy_of_program, empty_program
from benchmarks.rule_edit import RuleEdits
from benchmarks.stack import (
    COMPOSE,
    DEV,
    LOCAL,
    OTHER_DEV,
    OTHER_PROD,
    PROD,
    Configuration,
    configuration,
)
from components.docker.api_version import START_INTERVAL
from ops.offline import local_deploy
from ops.root import ROOT

UP_TARGET, SECOND_UP_TARGET, MEMORY_TARGET = 1.3, 1.6, 700
# An `up` that changes little takes seconds: more rounds give a steadier median.
SHORT_ROUNDS_A_ROUND = 3
# Shorter than the default, so that a missed scrape shows.
PROD_SCRAPE_SECONDS = 3
TRAFFIC_SECONDS, SAMPLE_SECONDS = 60, 5
MEGABYTE = 1e6
EMPTY = "an empty program"
# Against the other commit.
OTHER_UP_TARGET = 0.7
OTHER_TARGETS = {"second up": 0.55, "second up, with preview": 0.55, "rule edit": 0.6}
PROD_VALUES: dict[str, Any] = {
    "scrapeInterval": f"{PROD_SCRAPE_SECONDS}s",
    # In clear text: certificates of one's own are no part of what is measured.
    "tls": False,
}


@dataclass(frozen=True)
class Bench:
    """`cli` is the Pulumi command, None without an engine; `folder` is for temporary files.

    `other` is the work tree of the commit that this one is measured against.
    """

    client: docker.DockerClient
    cli: str | None
    images: Mapping[str, str]
    folder: Path
    rounds: int
    report: Report
    log: Callable[[str], None]
    other: Path | None = None

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
        if bench.other:
            other = _other(bench, "dev", OTHER_DEV)
            _up_and_remove(bench, other)
            measures["other"] = lambda: _up_and_remove(bench, other)
    what = "up from nothing, dev stack with demo"
    if absent := compose_project.missing():
        bench.report.notes.append(f"{what}: {absent}, so its target is not judged.")
    else:
        compose = ComposeProject(
            bench.folder / "compose",
            COMPOSE,
            config.for_mocks(),
            start_interval=_api_version(bench.client) >= START_INTERVAL,
        )
        measures["compose"] = compose.up_and_remove
    found = interleaved(bench, bench.rounds, measures)
    baselines = {
        "compose": "docker compose up --wait",
        "other": OTHER,
        "local": "deploy without engine",
    }
    targets = {"compose": UP_TARGET, "other": OTHER_UP_TARGET} if bench.cli else {}
    if not bench.cli:
        what, found["pulumi"] = f"{what}, without engine", found.pop("local")
    for key, name in baselines.items():
        if key in found:
            bench.add(
                what,
                found["pulumi"],
                target=targets.get(key),
                baseline=found[key],
                baseline_name=name,
            )
    if not bench.cli and absent:
        bench.add(what, found["pulumi"])


def second_up_and_rule_edit(bench: Bench) -> None:
    """Measure an unchanged prod stack and a rule edit beside a program without resources."""
    assert bench.cli is not None
    empty = empty_program(bench.cli, bench.folder / "empty")
    config = configuration("prod", bench.images, **PROD_VALUES)
    project = _copy(bench, "prod", PROD, config)
    edits = _unchanged(bench, project, config)
    measures = {
        "empty": empty.up,
        "second up": lambda: project.up("--expect-no-changes"),
        "empty, with preview": lambda: empty.up(preview=True),
        "second up, with preview": lambda: project.up("--expect-no-changes", preview=True),
        "rule edit": edits.edit,
    }
    if bench.other:
        theirs = configuration("prod", bench.images, bench.other, **PROD_VALUES)
        other = _copy(bench, "other-prod", OTHER_PROD, theirs, bench.other)
        measures |= {
            "second up, other": lambda: other.up("--expect-no-changes"),
            "second up, with preview, other": lambda: other.up("--expect-no-changes", preview=True),
            "rule edit, other": _unchanged(bench, other, theirs).edit,
        }
    found = interleaved(bench, SHORT_ROUNDS_A_ROUND * bench.rounds, measures)
    fault, observed = edits.fault()
    bench.report.notes += [
        f"{observed}.",
        f"state of the prod stack: {project.state_bytes()} bytes.",
    ]
    plain: dict[str, Any] = {"baseline": found["empty"], "baseline_name": EMPTY}
    previewed: dict[str, Any] = {
        "baseline": found["empty, with preview"],
        "baseline_name": f"{EMPTY}, with preview",
    }
    bench.add("second up, prod stack", found["second up"], target=SECOND_UP_TARGET, **plain)
    bench.add("second up, prod stack, with preview", found["second up, with preview"], **previewed)
    bench.add("rule edit, until live", found["rule edit"], fault=fault, **plain)
    bench.add("rule edit, until `pulumi up` ends", tuple(edits.up_seconds), **plain)
    for name, target in OTHER_TARGETS.items():
        if baseline := found.get(f"{name}, other"):
            bench.add(
                f"{name}, prod stack",
                found[name],
                target=target,
                baseline=baseline,
                baseline_name=OTHER,
            )


def _unchanged(bench: Bench, project: Project, config: Configuration) -> RuleEdits:
    """Bring the stack up twice, and return the edits of its rules."""
    bench.log(f"{project.stack} comes up")
    project.up()
    stack.check_healthy(bench.client, project.stack)
    # The first of them compiles the copied modules.
    project.up("--expect-no-changes")
    url = f"http://127.0.0.1:{config.ports['prometheus']}"
    return RuleEdits(project, bench.client, url, PROD_SCRAPE_SECONDS)


def resident_memory(bench: Bench) -> None:
    """Measure the dev stack under the demo's traffic for a minute."""
    name = bring_up(bench, "memory", configuration("dev", bench.images))
    samples = _memory(bench, name)
    sums = _sums(samples)
    what = "resident memory, dev stack with demo"
    bench.add(what, sums, "MB", target=MEMORY_TARGET)
    if bench.other and bench.cli:
        stack.remove(bench.client, name)
        other = _other(bench, "memory-other", OTHER_DEV)
        other.up()
        theirs = _sums(_memory(bench, OTHER_DEV))
        both = min(len(sums), len(theirs))
        bench.add(what, sums[:both], "MB", target=1, baseline=theirs[:both], baseline_name=OTHER)
    medians = {service: median(sample[service] for sample in samples) for service in samples[0]}
    largest_first = sorted(medians.items(), key=lambda found: -found[1])
    shares = ", ".join(f"{service} {size:.1f}" for service, size in largest_first)
    bench.report.notes.append(f"resident memory by container, MB: {shares}.")


def _memory(bench: Bench, name: str) -> list[dict[str, float]]:
    """Return the megabytes of each service, every 5 s for a minute."""
    bench.log(f"the memory of {name} is sampled for {TRAFFIC_SECONDS} s")
    found = stack.containers(bench.client, name)
    samples: list[dict[str, float]] = []
    deadline = time.monotonic() + TRAFFIC_SECONDS
    with ThreadPoolExecutor(len(found)) as pool:
        while time.monotonic() < deadline:
            sizes = pool.map(_resident_megabytes, found)
            services = (container.labels["vitalstream.service"] for container in found)
            samples.append(dict(zip(services, sizes, strict=True)))
            time.sleep(SAMPLE_SECONDS)
    return samples


def _sums(samples: list[dict[str, float]]) -> tuple[float, ...]:
    return tuple(sum(sample.values()) for sample in samples)


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


def _copy(
    bench: Bench, folder: str, name: str, config: Configuration, root: Path = ROOT
) -> Project:
    assert bench.cli is not None
    at = bench.folder / folder
    return copy_of_program(bench.cli, at, name, config.values, config.secrets, root)


def _other(bench: Bench, folder: str, name: str) -> Project:
    """Return the other commit's dev stack, not up yet."""
    assert bench.other is not None
    config = configuration("dev", bench.images, bench.other)
    return _copy(bench, f"other-{folder}", name, config, bench.other)


def _up_and_remove(bench: Bench, project: Project) -> float:
    project.reset_state()
    seconds = project.up()
    stack.check_healthy(bench.client, project.stack)
    stack.remove(bench.client, project.stack)
    return seconds


def _api_version(client: docker.DockerClient) -> tuple[int, ...]:
    return tuple(map(int, str(client.version()["ApiVersion"]).split(".")))


def _local_up(bench: Bench, config: Configuration) -> float:
    started = time.monotonic()
    local_deploy.up(LOCAL, config.for_mocks(), lambda _: None)
    seconds = time.monotonic() - started
    stack.check_healthy(bench.client, LOCAL)
    stack.remove(bench.client, LOCAL)
    return seconds
