"""`python -m benchmarks`: what the stack and its instrumentation cost, beside yardsticks.

Nothing here runs on the default ports or touches a stack of yours: the measured stacks are named
`bench-...`, and are removed by their label at the end, after a failure or an interrupt too.
"""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import docker
import docker.errors
import typer
from rich.console import Console

from benchmarks import instrumentation, load_report, measurements, stack, storage, thirty_days
from benchmarks.environment import circumstances, load
from benchmarks.figures import Aim, Figure, Report
from benchmarks.measurements import Bench
from benchmarks.projects import BenchmarkError
from ops import dev_machine
from ops.demo import demo
from ops.offline.images import LocalImagesError
from ops.offline.program import ProgramError

INSTRUMENTATION_ROUNDS = 60
INSTRUMENTATION_REQUESTS = 300
FILE_WIDTH = 160
# Above it, somebody else's work is in the figures.
QUIET_LOAD = 0.5
# What a measurement can come to grief on; a container that somebody else removed among them.
FAILURES = (BenchmarkError, ProgramError, docker.errors.DockerException, OSError)

progress = Console(stderr=True, highlight=False)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Measurement(StrEnum):
    instrumentation = "instrumentation"
    up = "up"
    second_up = "second-up"
    rule_edit = "rule-edit"
    memory = "memory"
    overview = "overview"
    storage = "storage"
    load = "load"


# The load takes half an hour and gigabytes of memory: it is measured where it is asked for.
BY_DEFAULT = frozenset(Measurement) - {Measurement.load}


@app.command()
def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often what takes long is measured.")] = 3,
    only: Annotated[
        list[Measurement] | None,
        typer.Option(help="Measure this alone; may be repeated. `load` is measured only by name."),
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write everything to this file too.")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, as the pages of docs/ have it.")
    ] = False,
) -> None:
    """Measure the stack and its instrumentation, and print the figures."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    wanted = frozenset(only or BY_DEFAULT)
    try:
        report, complete = measure(wanted, rounds)
    except KeyboardInterrupt:
        progress.print("interrupted; the measured stacks are removed")
        raise SystemExit(130) from None
    if json_file:
        json_file.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    show(report, markdown=markdown)
    if not complete:
        raise SystemExit(1)


def measure(wanted: frozenset[Measurement], rounds: int) -> tuple[Report, bool]:
    """The report, and whether nothing failed; what cannot be had here is no failure."""
    load_before = load()
    report = Report({})
    complete = True
    if Measurement.instrumentation in wanted:
        progress.print("the instrumentation's cost")
        measure_instrumentation(report)
    of_stacks = wanted - {Measurement.instrumentation}
    client = dev_machine.docker_client() if of_stacks else None
    plan = None
    if client:
        try:
            plan = demo.make_plan(client)
        except LocalImagesError as error:
            report.notes.append(f"not measured: {', '.join(sorted(of_stacks))}: {error}")
    elif of_stacks:
        report.notes.append(
            f"not measured: {', '.join(sorted(of_stacks))}: no Docker Engine answers."
        )
    if client and plan:
        complete = measure_stacks(client, plan, of_stacks, rounds, report)
    report.circumstances |= circumstances(
        client, plan.cli if plan else None, plan.images if plan else {}
    )
    report.circumstances["load before"] = _words_of_load(load_before)
    return report, complete


def measure_stacks(
    client: docker.DockerClient,
    plan: demo.Plan,
    wanted: frozenset[Measurement],
    rounds: int,
    report: Report,
) -> bool:
    """Whether nothing failed; a failure is a note, and the other measurements go on."""
    progress.print(plan.why, soft_wrap=True)
    complete = True
    with tempfile.TemporaryDirectory(prefix="vitalstream-bench-") as folder:
        bench = Bench(client, plan.cli, plan.images, Path(folder), rounds, report, progress.print)
        for names, take in _steps(bench, wanted):
            stack.remove(client, *stack.STACKS)
            try:
                take()
            except FAILURES as error:
                report.notes.append(f"failed: {names}: {error}")
                complete = False
            finally:
                stack.remove(client, *stack.STACKS)
    return complete


def _steps(bench: Bench, wanted: frozenset[Measurement]) -> list[tuple[str, Callable[[], None]]]:
    steps: list[tuple[str, Callable[[], None]]] = []
    if Measurement.up in wanted:
        steps.append(("up", lambda: measurements.up_from_nothing(bench)))
    short = wanted & {Measurement.second_up, Measurement.rule_edit}
    if short and bench.cli:
        names = frozenset(map(str, short))
        steps.append(
            (", ".join(sorted(names)), lambda: measurements.second_up_and_rule_edit(bench, names))
        )
    elif short:
        bench.report.notes.append(f"not measured: {', '.join(sorted(short))}: no Pulumi engine.")
    if Measurement.memory in wanted:
        steps.append(("memory", lambda: measurements.resident_memory(bench)))
    if Measurement.overview in wanted:
        steps.append(("overview", lambda: thirty_days.overview_of_thirty_days(bench)))
    if Measurement.storage in wanted:
        steps.append(("storage", lambda: storage.storage_a_day(bench)))
    if Measurement.load in wanted:
        steps.append(("load", lambda: load_report.series_and_more_series(bench)))
    return steps


def measure_instrumentation(report: Report) -> None:
    found = asyncio.run(instrumentation.measure(INSTRUMENTATION_ROUNDS, INSTRUMENTATION_REQUESTS))
    for figure in found:
        if figure.variant != instrumentation.PLAIN:
            ours = figure.variant.startswith("app.metrics")
            aim = Aim(instrumentation.AIM_MICROSECONDS) if ours else None
            name = f"a request more with {figure.variant}"
            report.figures.append(Figure(name, (figure.overhead_us,), "µs", aim))


def show(report: Report, *, markdown: bool) -> None:
    if markdown:
        print(report.as_markdown(), end="")
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    for name, value in report.circumstances.items():
        console.print(f"{name}: {value}", soft_wrap=True)
    console.print()
    if report.figures:
        console.print(report.as_table())
    for grid in report.grids:
        console.print()
        console.print(grid.as_table())
    for note in report.notes:
        console.print(f"\n{note}", soft_wrap=True, markup=False)


def _words_of_load(found: float) -> str:
    noisy = ": the machine was not quiet" if found > QUIET_LOAD else ""
    return f"{found:.1f}{noisy}"


if __name__ == "__main__":
    app()
