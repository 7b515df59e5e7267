"""`make preview`: what a pull request is told of a stack, on this machine.

The engine previews where it can; elsewhere, as on the pull request of a fork, the program is
compared under Pulumi's mocks.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.demo import pulumi_cli
from ops.dev_machine import ROOT
from ops.errors import OpsError
from ops.review import policy
from policy.rules import LEVEL, Violation

CHANGES = 2
"""The exit code of `ops diff` where something changes."""
PACK = "policy"
Report = Callable[[str], None]


@dataclass(frozen=True)
class Engine:
    """A preview by the engine: its JSON, and what its policy pack found."""

    json: str
    violations: tuple[Violation, ...]


def preview(stack: str, base: str, out: Path | None, say: Report, *, engine: bool = True) -> int:
    """Writes the report on a stack to `out`, or to the terminal, and returns an exit code: 0 for no
    change, 2 for changes.

    Raises OpsError where a policy is broken too: the report is written all the same.
    """
    found = policy.check(stack)
    cli = _cli(stack, say) if engine else None
    previewed = by_engine(cli, stack) if cli else None
    if previewed:
        found = _merged(found, previewed.violations)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "policy.json"
        results.write_text(policy.as_json(found))
        source = ["--base", base]
        if previewed:
            file = Path(folder) / "preview.json"
            file.write_text(previewed.json)
            source = ["--preview", str(file)]
        code = _diff(stack, source, results, out)
    if broken := [violation for violation in found if violation.level == LEVEL]:
        raise OpsError(policy.as_text(stack, broken))
    if code not in (0, CHANGES):
        raise OpsError("`ops diff` has ended with an error, in its words above or its report.")
    return code


def _merged(found: list[Violation], of_engine: tuple[Violation, ...]) -> list[Violation]:
    """The engine says the same in other words."""
    told = {(violation.policy, violation.resource) for violation in found}
    return [*found, *(new for new in of_engine if (new.policy, new.resource) not in told)]


def _diff(stack: str, source: list[str], results: Path, out: Path | None) -> int:
    command = [sys.executable, "-m", "ops", "diff", "--stack", stack, *source]
    command += ["--policy", str(results)]
    if out:
        out.mkdir(parents=True, exist_ok=True)
        details = out / f"{stack}.details.md"
        command += ["--format", "markdown", "--out", str(out), "--details", str(details)]
    else:
        # Edits are looked at here before they are committed.
        command += ["--format", "text", "--allow-dirty"]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


def _cli(stack: str, say: Report) -> str | None:
    """The Pulumi CLI, if it knows the stack; otherwise it is said why it does not preview."""
    cli = pulumi_cli.find()
    if cli is None:
        say("No Pulumi CLI is on PATH: the program is compared without an engine.")
        return None
    done = _run([cli, "stack", "--stack", stack, "--show-name", "--non-interactive"])
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["no word of why"])[-1].removeprefix("error: ")
        say(f"The engine does not preview ({why}): the program is compared without it.")
        return None
    return cli


def by_engine(cli: str, stack: str, root: Path = ROOT) -> Engine:
    """A preview with the policy pack. Raises OpsError, in the engine's words."""
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events"
        done = _run(
            [
                *(cli, "preview", "--stack", stack, "--non-interactive", "--json"),
                *("--policy-pack", PACK, "--event-log", str(events)),
            ],
            root,
            # Without it `--event-log` is no flag. The JSON has no word of policies.
            {"PULUMI_DEBUG_COMMANDS": "true"},
        )
        lines = events.read_text().splitlines() if events.exists() else []
    violations = tuple(_violations(lines))
    refused = any(violation.level == LEVEL for violation in violations)
    if done.returncode != 0 and not refused:
        raise OpsError(f"The engine's preview of {stack} failed:\n{_words(done)}")
    return Engine(done.stdout, violations)


def _violations(lines: list[str]) -> list[Violation]:
    found = (json.loads(line).get("policyEvent") for line in lines)
    return [
        Violation(
            event["policyName"],
            event["enforcementLevel"],
            "::".join(_type_and_name(event.get("resourceUrn", ""))),
            event["message"].strip(),
        )
        for event in found
        if event
    ]


def _type_and_name(urn: str) -> tuple[str, str]:
    """Source: Pulumi, "URNs": `urn:pulumi:STACK::PROJECT::TYPE$...$TYPE::NAME`."""
    parts = urn.split("::", maxsplit=3)
    return (parts[2].rpartition("$")[2], parts[3]) if len(parts) == 4 else ("", urn)


def _words(done: subprocess.CompletedProcess[str]) -> str:
    """The engine's errors: with `--json` they are in the answer."""
    try:
        told: list[Mapping[str, Any]] = json.loads(done.stdout).get("diagnostics", [])
    except ValueError:
        return done.stderr.strip() or done.stdout.strip()
    errors = [str(said["message"]).strip() for said in told if said.get("severity") == "error"]
    return "\n".join(errors) or done.stderr.strip()


def _run(
    command: list[str], root: Path = ROOT, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=root,
        env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true", **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
