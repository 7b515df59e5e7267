"""`make preview`: the report posted on the pull request, generated on this machine.

The engine previews where it can; elsewhere, as on the pull request of a fork, the program is
compared under Pulumi's mocks.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ops.demo import pulumi_cli
from ops.errors import OpsError
from ops.review import policy
from ops.review.diff import command as diff
from ops.review.diff.options import Format
from ops.root import ROOT
from policy.rules import LEVEL, Violation

PACK = "policy"
Report = Callable[[str], None]


@dataclass(frozen=True)
class Engine:
    """Preview by the engine: its JSON and the violations of its policy pack."""

    json: str
    violations: tuple[Violation, ...]


def preview(stack: str, base: str, out: Path | None, report: Report, *, engine: bool = True) -> int:
    """Write the report on a stack to `out` or to the terminal and return 0, or 2 for changes.

    Raises OpsError also where a policy is violated, after writing the report.
    """
    found = policy.check(stack)
    cli = _cli(stack, report) if engine else None
    previewed = by_engine(cli, stack) if cli else None
    if previewed:
        found = _merged(found, previewed.violations)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "policy.json"
        results.write_text(policy.as_json(found))
        source: dict[str, Any] = {"base": base}
        if previewed:
            file = Path(folder) / "preview.json"
            file.write_text(previewed.json)
            source = {"previews": (file,)}
        code = _diff(stack, source, results, out)
    if broken := [violation for violation in found if violation.level == LEVEL]:
        raise OpsError(policy.as_text(stack, broken))
    if code not in (diff.Exit.NOTHING, diff.Exit.CHANGES):
        raise OpsError("`ops diff` ended with an error; its report has the details.")
    return code


def _merged(found: list[Violation], of_engine: tuple[Violation, ...]) -> list[Violation]:
    """Return the union; the engine's message of a violation differs."""
    known = {(violation.policy, violation.resource) for violation in found}
    return [*found, *(new for new in of_engine if (new.policy, new.resource) not in known)]


def _diff(stack: str, source: dict[str, Any], results: Path, out: Path | None) -> int:
    """Write or print the report and return the exit code of `ops diff`. Raises OpsError."""
    options = diff.Options(stacks=(stack,), policy=results, **source)
    if out:
        # In CI: the report is about a commit.
        details = out / f"{stack}.details.md"
        options = replace(options, format=Format.MARKDOWN, out=out, details=details, clean=True)
    outcome = diff.run(options)
    print(outcome.printed, end="")
    return outcome.status


def _cli(stack: str, report: Report) -> str | None:
    """Return the Pulumi CLI if it knows the stack; else report why it does not preview."""
    cli = pulumi_cli.find()
    if cli is None:
        report("No Pulumi CLI is on PATH: the program is compared without an engine.")
        return None
    done = pulumi_cli.run(cli, "stack", "--stack", stack, "--show-name")
    if done.returncode != 0:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1].removeprefix("error: ")
        report(f"The engine does not preview ({why}): the program is compared without it.")
        return None
    return cli


def by_engine(cli: str, stack: str, root: Path = ROOT) -> Engine:
    """Preview with the policy pack. Raises OpsError with the engine's message."""
    with tempfile.TemporaryDirectory() as folder:
        events = Path(folder) / "events"
        done = pulumi_cli.run(
            *(cli, "preview", "--stack", stack, "--json"),
            *("--policy-pack", PACK, "--event-log", str(events)),
            root=root,
            # Enables `--event-log`: the JSON does not contain policy violations.
            environment={"PULUMI_DEBUG_COMMANDS": "true"},
        )
        lines = events.read_text().splitlines() if events.exists() else []
    violations = tuple(_violations(lines))
    refused = any(violation.level == LEVEL for violation in violations)
    if done.returncode != 0 and not refused:
        raise OpsError(f"The engine's preview of {stack} failed:\n{_errors(done)}")
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


def _errors(done: subprocess.CompletedProcess[str]) -> str:
    """Return the engine's errors, which `--json` puts on stdout."""
    try:
        found: list[Mapping[str, Any]] = json.loads(done.stdout).get("diagnostics", [])
    except ValueError:
        return done.stderr.strip() or done.stdout.strip()
    errors = [str(one["message"]).strip() for one in found if one.get("severity") == "error"]
    return "\n".join(errors) or done.stderr.strip()
