"""The measurements of a stack, each a function from a `Bench` to its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from time import monotonic

import docker

from benchmarks import memory, stack
from benchmarks.compose_project import ComposeProject
from benchmarks.compose_project import missing as compose_missing
from benchmarks.figures import Aim, Figure, Report
from benchmarks.projects import Project, copy_of_program, empty_program
from benchmarks.rule_edit import RuleEdits
from benchmarks.stack import DEV, PROD, REHEARSAL, Configuration, configuration
from ops.offline import local_deploy

UP_AIM = Aim(1.5)
AGAIN_AIM = Aim(2)
MEMORY_AIM = Aim(700)
# An `up` that changes nothing or little is over in seconds: more of them make a steadier median.
SHORT_ROUNDS_A_ROUND = 3
PROD_SCRAPE_SECONDS = 3
TRAFFIC_SECONDS = 60
EMPTY = "an empty program"


@dataclass(frozen=True)
class Bench:
    """`cli` is the Pulumi command, None where there is no engine; `folder` is for scratch."""

    client: docker.DockerClient
    cli: str | None
    images: Mapping[str, str]
    folder: Path
    rounds: int
    report: Report
    say: Callable[[str], None]


def interleaved(
    bench: Bench, rounds: int, measures: Mapping[str, Callable[[], float]]
) -> dict[str, tuple[float, ...]]:
    """Seconds by measure: each once a round, in an order shuffled anew."""
    rng = Random(0)
    samples: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(1, rounds + 1):
        for name in rng.sample(list(measures), len(measures)):
            samples[name].append(measures[name]())
            bench.say(f"round {number} of {rounds}: {name} {samples[name][-1]:.2f} s")
    return {name: tuple(found) for name, found in samples.items()}


def up_from_nothing(bench: Bench) -> None:
    """The dev stack with its demo, beside Compose and beside the rehearsal."""
    config = configuration("dev", bench.images)
    measures: dict[str, Callable[[], float]] = {"rehearsal": lambda: _rehearse(bench, config)}
    if bench.cli:
        project = copy_of_program(bench.cli, bench.folder / "dev", DEV, config)
        bench.say("a first up that does not count, for what Docker has to build")
        _up_and_away(bench, project)
        measures["pulumi"] = lambda: _up_and_away(bench, project)
    absent = compose_missing()
    if not absent:
        compose = ComposeProject(bench.folder / "compose", stack.COMPOSE, config.for_mocks())
        measures["compose"] = lambda: _compose_and_away(compose)
    found = interleaved(bench, bench.rounds, measures)
    what = "up from nothing, dev stack with demo"
    if absent:
        bench.report.notes.append(f"{what}: {absent}, so its aim of 1.5x is not judged.")
    else:
        name = what if bench.cli else f"rehearsal {what}"
        bench.report.figures.append(
            Figure(
                name,
                found["pulumi" if bench.cli else "rehearsal"],
                "s",
                UP_AIM if bench.cli else None,
                found["compose"],
                "docker compose up --wait",
            )
        )
    if bench.cli:
        bench.report.figures.append(
            Figure(
                what,
                found["pulumi"],
                "s",
                yardstick=found["rehearsal"],
                yardstick_name="rehearsal, without engine",
            )
        )
    elif absent:
        bench.report.figures.append(Figure(f"rehearsal {what}", found["rehearsal"], "s"))


def second_up_and_rule_edit(bench: Bench, wanted: frozenset[str]) -> None:
    """The prod stack, beside a program that makes nothing."""
    if bench.cli is None:
        raise AssertionError("needs the engine")
    config = configuration("prod", bench.images, scrapeInterval=f"{PROD_SCRAPE_SECONDS}s")
    empty = empty_program(bench.cli, bench.folder / "empty")
    project = copy_of_program(bench.cli, bench.folder / "prod", PROD, config)
    bench.say("the prod stack comes up")
    project.up()
    stack.all_healthy(bench.client, PROD)
    # The first of them writes the compiled files of the copy.
    project.up("--expect-no-changes")
    measures: dict[str, Callable[[], float]] = {"empty": empty.up}
    if "second-up" in wanted:
        measures["second up"] = lambda: project.up("--expect-no-changes")
        measures["empty, with preview"] = lambda: empty.up(preview=True)
        measures["second up, with preview"] = lambda: project.up(
            "--expect-no-changes", preview=True
        )
    url = f"http://127.0.0.1:{config.ports['prometheus']}"
    edits = RuleEdits(project, bench.client, url, PROD_SCRAPE_SECONDS)
    if "rule-edit" in wanted:
        measures["rule edit"] = edits.edit
    found = interleaved(bench, SHORT_ROUNDS_A_ROUND * bench.rounds, measures)
    add = bench.report.figures.append
    if "second-up" in wanted:
        add(_beside_empty("second up, prod stack", found["second up"], found["empty"]))
        add(
            Figure(
                "second up, prod stack, with preview",
                found["second up, with preview"],
                "s",
                yardstick=found["empty, with preview"],
                yardstick_name=f"{EMPTY}, with preview",
            )
        )
    if "rule-edit" in wanted:
        fault, seen = edits.fault()
        add(_beside_empty("rule edit, until live", found["rule edit"], found["empty"], fault))
        add(
            Figure(
                "rule edit, until `pulumi up` ends",
                tuple(edits.up_seconds),
                "s",
                yardstick=found["empty"],
                yardstick_name=EMPTY,
            )
        )
        bench.report.notes.append(f"{seen}.")
    stack.remove(bench.client, PROD)


def resident_memory(bench: Bench) -> None:
    """The dev stack under the demo's traffic for a minute."""
    bench.say("the dev stack comes up")
    name = bring_up(bench, "memory", configuration("dev", bench.images))
    bench.say(f"looking at its memory for {TRAFFIC_SECONDS} s")
    samples = memory.resident(bench.client, name, TRAFFIC_SECONDS)
    sums = tuple(sum(sample.values()) for sample in samples)
    bench.report.figures.append(
        Figure("resident memory, dev stack with demo", sums, "MB", MEMORY_AIM)
    )
    by_service = {service: median(sample[service] for sample in samples) for service in samples[0]}
    largest_first = sorted(by_service.items(), key=lambda found: -found[1])
    shares = ", ".join(f"{service} {size:.1f}" for service, size in largest_first)
    bench.report.notes.append(f"resident memory by container, MB: {shares}.")
    stack.remove(bench.client, name)


def bring_up(bench: Bench, folder: str, config: Configuration, name: str | None = None) -> str:
    """A stack, by the engine or rehearsed, and its name; `folder` is a new one of the bench's."""
    name = name or (DEV if bench.cli else REHEARSAL)
    if bench.cli:
        copy_of_program(bench.cli, bench.folder / folder, name, config).up()
    else:
        local_deploy.up(name, config.for_mocks(), bench.say)
    return name


def _beside_empty(
    name: str, samples: tuple[float, ...], empty: tuple[float, ...], fault: str = ""
) -> Figure:
    return Figure(name, samples, "s", AGAIN_AIM, empty, EMPTY, fault)


def _up_and_away(bench: Bench, project: Project) -> float:
    project.make_new()
    seconds = project.up()
    stack.all_healthy(bench.client, project.stack)
    stack.remove(bench.client, project.stack)
    return seconds


def _compose_and_away(project: ComposeProject) -> float:
    seconds = project.up()
    project.down()
    return seconds


def _rehearse(bench: Bench, config: Configuration) -> float:
    started = monotonic()
    local_deploy.up(REHEARSAL, config.for_mocks(), lambda _: None)
    seconds = monotonic() - started
    stack.all_healthy(bench.client, REHEARSAL)
    stack.remove(bench.client, REHEARSAL)
    return seconds
