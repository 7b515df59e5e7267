"""`python -m benchmarks`: measure the stack and its instrumentation beside baselines.

Uses ports of its own and touches no other stack: the measured stacks are named `bench-...`, and are
removed by their label at the end, also after a failure or an interrupt.
"""

from __future__ import annotations

import json
import os
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

from benchmarks import environment, instrumentation, measurements, overview, stack
from benchmarks.figures import Report
from benchmarks.measurements import Bench
from ops import dev_machine
from ops.demo import demo
from ops.errors import OpsError

FILE_WIDTH = 160
# A container that somebody else removed is a DockerException.
FAILURES = (OpsError, docker.errors.DockerException, OSError)

progress = Console(stderr=True, highlight=False)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Measurement(StrEnum):
    instrumentation = "instrumentation"
    up = "up"
    second_up = "second-up"
    memory = "memory"
    overview = "overview"


STEPS: dict[Measurement, Callable[[Bench], None]] = {
    Measurement.up: measurements.up_from_nothing,
    Measurement.second_up: measurements.second_up_and_rule_edit,
    Measurement.memory: measurements.resident_memory,
    Measurement.overview: overview.overview_of_thirty_days,
}
NEEDS_ENGINE = Measurement.second_up


@app.command()
def main(
    rounds: Annotated[int, typer.Option(min=1, help="Rounds of the slow measurements.")] = 3,
    only: Annotated[
        list[Measurement] | None, typer.Option(help="Measure only this; may be repeated.")
    ] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the report to this file too.")
    ] = None,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown for docs/reference/performance.md.")
    ] = False,
) -> None:
    """Measure the stack and its instrumentation, and print the figures."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report = Report({})
    try:
        complete = measure(frozenset(only or Measurement), rounds, report)
    except KeyboardInterrupt:
        progress.print("interrupted; the measured stacks are removed")
        raise SystemExit(130) from None
    if json_file:
        json_file.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    show(report, markdown=markdown)
    if not complete:
        raise SystemExit(1)


def measure(wanted: frozenset[Measurement], rounds: int, report: Report) -> bool:
    """Fill the report and return whether nothing failed; what is unavailable here is a note."""
    load = os.getloadavg()[0]
    if Measurement.instrumentation in wanted:
        progress.print("overhead of the instrumentation")
        instrumentation.measure(report)
    steps = [step for step in STEPS if step in wanted]
    client = dev_machine.docker_client() if steps else None
    plan, complete = None, True
    try:
        plan = demo.make_plan(client) if client else None
        reason = "no Docker Engine answers"
    except OpsError as error:
        reason = str(error)
    if client and plan:
        complete = measure_stacks(client, plan, steps, rounds, report)
    elif steps:
        report.notes.append(f"not measured: {', '.join(steps)}: {reason}")
    report.environment |= environment.describe(
        client, plan.cli if plan else None, plan.images if plan else {}, load
    )
    return complete


def measure_stacks(
    client: docker.DockerClient,
    plan: demo.Plan,
    steps: list[Measurement],
    rounds: int,
    report: Report,
) -> bool:
    """Return whether nothing failed; a failure is a note, and the other measurements go on."""
    progress.print(plan.why, soft_wrap=True)
    complete = True
    with tempfile.TemporaryDirectory(prefix="vitalstream-bench-") as folder:
        bench = Bench(client, plan.cli, plan.images, Path(folder), rounds, report, progress.print)
        for step in steps:
            if step is NEEDS_ENGINE and not plan.cli:
                report.notes.append(f"not measured: {step}: no Pulumi engine.")
                continue
            stack.remove(client, *stack.STACKS)
            try:
                STEPS[step](bench)
            except FAILURES as error:
                report.notes.append(f"failed: {step}: {error}")
                complete = False
            finally:
                stack.remove(client, *stack.STACKS)
    return complete


def show(report: Report, *, markdown: bool) -> None:
    if markdown:
        print(report.as_markdown(), end="")
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = FILE_WIDTH
    for name, value in report.environment.items():
        console.print(f"{name}: {value}", soft_wrap=True)
    console.print()
    if report.figures:
        console.print(report.as_table())
    for note in report.notes:
        console.print(f"\n{note}", soft_wrap=True, markup=False)


if __name__ == "__main__":
    app()
