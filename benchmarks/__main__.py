"""`python -m benchmarks`: measure the stack and its instrumentation beside baselines.

Uses ports of its own and touches no other stack: the measured stacks are named `bench-...`, and are
removed by their label at the end, also after a failure or an interrupt.
"""

from __future__ import annotations

import contextlib
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

from benchmarks import (
    commits,
    environment,
    instrumentation,
    measurements,
    overview,
    program,
    stack,
)
from benchmarks.figures import OTHER, Report
from benchmarks.measurements import Bench
from ops import dev_machine
from ops.demo import demo
from ops.errors import OpsError

# A container that somebody else removed is a DockerException.
FAILURES = (OpsError, docker.errors.DockerException, OSError)

progress = Console(stderr=True, highlight=False)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Measurement(StrEnum):
    instrumentation = "instrumentation"
    program = "program"
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
    against: Annotated[
        str, typer.Option(metavar="COMMIT", help="Measure this commit too, in the same rounds.")
    ] = "",
) -> None:
    """Measure the stack and its instrumentation, and print the figures as Markdown."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    report = Report({})
    wanted = frozenset(only or Measurement)
    try:
        with commits.work_tree(against) if against else contextlib.nullcontext() as other:
            complete = measure(wanted, rounds, report, other)
    except KeyboardInterrupt:
        progress.print("interrupted; the measured stacks are removed")
        raise SystemExit(130) from None
    except OpsError as error:
        progress.print(f"error: {error}")
        raise SystemExit(1) from None
    if against:
        report.environment[OTHER] = against
    print(report.as_markdown(), end="")
    if not complete:
        raise SystemExit(1)


def measure(
    wanted: frozenset[Measurement], rounds: int, report: Report, other: Path | None
) -> bool:
    """Fill the report and return whether nothing failed; what is unavailable here is a note.

    `other` is the work tree of the commit that this one is measured against.
    """
    load = os.getloadavg()[0]
    if Measurement.instrumentation in wanted:
        progress.print("overhead of the instrumentation")
        instrumentation.measure(report)
    complete = True
    if Measurement.program in wanted:
        progress.print("CPU time of `ops render` and `ops diff`")
        try:
            program.measure(report, rounds, other)
        except OpsError as error:
            report.notes.append(f"failed: {Measurement.program}: {error}")
            complete = False
    steps = [step for step in STEPS if step in wanted]
    client = dev_machine.docker_client() if steps else None
    plan = None
    try:
        plan = demo.make_plan(client) if client else None
        reason = "no Docker Engine answers"
    except OpsError as error:
        reason = str(error)
    if client and plan:
        complete = measure_stacks(client, plan, steps, rounds, report, other) and complete
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
    other: Path | None,
) -> bool:
    """Return whether nothing failed; a failure is a note, and the other measurements go on."""
    progress.print(plan.why, soft_wrap=True)
    complete = True
    with tempfile.TemporaryDirectory(prefix="vitalstream-bench-") as folder:
        at = Path(folder)
        bench = Bench(client, plan.cli, plan.images, at, rounds, report, progress.print, other)
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


if __name__ == "__main__":
    app()
