"""Cost of the program and of the review without an engine: CPU seconds and counts."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.figures import OTHER, Figure, Report
from benchmarks.projects import BenchmarkError
from ops.root import ROOT

CPU_TARGET = 0.6
COUNT = """
import sys, yaml
parses = []
for name in ("compose", "load"):
    def counted(*args, _real=getattr(yaml, name), **more):
        parses.append(name)
        return _real(*args, **more)
    setattr(yaml, name, counted)
from ops.offline import program
program.run("prod", program.StackConfig.of_stack("prod"))
print(len(parses), len([name for name in sys.modules if name not in sys.stdlib_module_names]))
"""


def measure(report: Report, rounds: int, other: Path | None) -> None:
    """Add what rendering and comparing both stacks takes. Raises BenchmarkError.

    `other` is the work tree of the commit that this one is measured against.
    """
    with tempfile.TemporaryDirectory() as out:
        commands = {
            "ops render, dev and prod": [
                ["-m", "ops", "render", "--stack", stack, "--out", out] for stack in ("dev", "prod")
            ],
            "ops diff, dev and prod": [["-m", "ops", "diff", "--base", "HEAD"]],
        }
        roots = (ROOT, other) if other else (ROOT,)
        for name, each in commands.items():
            samples = [
                tuple(sum(cpu_seconds(one, root) for one in each) for root in roots)
                for _ in range(rounds)
            ]
            mine, *theirs = zip(*samples, strict=True)
            against: dict[str, Any] = {}
            if theirs:
                against = {"baseline": theirs[0], "baseline_name": OTHER, "target": CPU_TARGET}
            report.figures.append(Figure(f"{name}, CPU", mine, "s", **against))
    parses, modules = counts()
    report.notes.append(f"prod: {parses} YAML texts parsed, {modules} modules imported.")


def counts() -> tuple[int, int]:
    """Return the YAML texts that prod's program parses and the modules it imports."""
    parses, modules = _run(["-c", COUNT]).split()[-2:]
    return int(parses), int(modules)


def cpu_seconds(arguments: list[str], root: Path = ROOT) -> float:
    """Return the CPU seconds of this Python with `arguments`. Raises BenchmarkError."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(arguments, root)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _run(arguments: list[str], root: Path = ROOT) -> str:
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    # `ops diff` ends with 2 where something differs.
    if done.returncode not in (0, 2):
        raise BenchmarkError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout
