"""`python -m ops preview`: which source it takes, and what it makes of the engine's answer."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.demo import pulumi_cli
from ops.errors import OpsError
from ops.review import preview
from ops.review.preview import by_engine
from policy.rules import Violation
from tests.unit.conftest import stack_config

URN = "urn:pulumi:prod::vitalstream::vitalstream:grafana:Grafana$docker:index/volume:Volume::data"
BROKEN = {
    "policyEvent": {
        "resourceUrn": URN,
        "message": "In prod data volumes are protected.\nIt is a data volume.\n",
        "policyName": "protected-data",
        "enforcementLevel": "mandatory",
    }
}
NOT_RUN = {"policyEvent": {**BROKEN["policyEvent"], "enforcementLevel": "advisory"}}


class Diff:
    """Replacement for `ops diff` that records its arguments."""

    def __init__(self) -> None:
        self.code = 0
        self.source: dict[str, Any] = {}
        self.results: list[dict[str, str]] = []

    def __call__(
        self, _stack: str, source: dict[str, Any], results: Path, _out: Path | None
    ) -> int:
        self.source = source
        self.results = json.loads(results.read_text())
        return self.code


@pytest.fixture
def diff(monkeypatch: pytest.MonkeyPatch) -> Diff:
    fake = Diff()
    monkeypatch.setattr(preview, "_diff", fake)
    return fake


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Fake Pulumi CLI on PATH that knows the stack or not, and prints a given preview."""

    def install(
        *,
        knows: bool = True,
        code: int = 0,
        events: tuple[Any, ...] = (),
        diagnostics: tuple[Any, ...] = (),
    ) -> str:
        answer = json.dumps({"steps": [], "diagnostics": list(diagnostics)})
        lines = "\n".join(json.dumps(event) for event in events)
        (tmp_path / "answer").write_text(answer)
        (tmp_path / "events").write_text(lines)
        cli = tmp_path / "pulumi"
        cli.write_text(
            "#!/bin/sh\n"
            f'[ "$1" != stack ] || {{ echo "error: no stack named prod found" >&2; exit '
            f"{0 if knows else 6}; }}\n"
            f'[ "$PULUMI_DEBUG_COMMANDS" = true ] || exit 9\n'
            f'while [ "$1" != --event-log ]; do shift; done\n'
            f'cat "{tmp_path}/events" > "$2"; cat "{tmp_path}/answer"; exit {code}\n'
        )
        cli.chmod(cli.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        return str(cli)

    return install


@pytest.fixture
def no_pulumi(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi_cli, "find", lambda: None)


def run(say: Callable[[str], Any] = print, **options: Any) -> int:
    return preview.preview("prod", "origin/main", None, say, **options)


@pytest.mark.usefixtures("no_pulumi")
def test_preview_without_engine_compares_with_the_base(diff: Diff) -> None:
    said: list[str] = []
    assert run(said.append) == 0
    assert diff.source == {"base": "origin/main"}
    assert said == ["No Pulumi CLI is on PATH: the program is compared without an engine."]


def test_preview_stack_unknown_to_the_engine_compares_with_the_base(
    diff: Diff, pulumi: Callable[..., str]
) -> None:
    pulumi(knows=False)
    said: list[str] = []
    run(said.append)
    assert diff.source == {"base": "origin/main"}
    assert said == [
        "The engine does not preview (no stack named prod found): the program is compared "
        "without it."
    ]


def test_preview_stack_known_to_the_engine_uses_it(diff: Diff, pulumi: Callable[..., str]) -> None:
    pulumi()
    run()
    assert list(diff.source) == ["previews"]


def test_preview_with_no_engine_option_skips_it(diff: Diff, pulumi: Callable[..., str]) -> None:
    pulumi()
    run(engine=False)
    assert diff.source == {"base": "origin/main"}


@pytest.mark.usefixtures("no_pulumi")
def test_preview_exit_status_reports_changes(diff: Diff) -> None:
    diff.code = 2
    assert run() == 2


@pytest.mark.usefixtures("no_pulumi")
def test_preview_without_report_fails(diff: Diff) -> None:
    diff.code = 1
    with pytest.raises(OpsError, match="ended with an error"):
        run()


@pytest.mark.usefixtures("no_pulumi")
def test_preview_with_policy_violation_fails_after_the_report(
    diff: Diff, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = stack_config("prod", {"protectData": False})
    monkeypatch.setattr("ops.offline.program.StackConfig.of_stack", lambda *_: config)
    with pytest.raises(OpsError, match="pulumi config set protectData true"):
        run()
    assert {found["policy"] for found in diff.results} == {"protected-data"}


def test_preview_refused_by_the_policy_pack_fails_after_the_report(
    diff: Diff, pulumi: Callable[..., str]
) -> None:
    pulumi(code=1, events=(BROKEN,))
    with pytest.raises(OpsError, match="It is a data volume"):
        run()
    assert [found["resource"] for found in diff.results] == ["docker:index/volume:Volume::data"]


def test_preview_with_policy_not_run_reports_it(diff: Diff, pulumi: Callable[..., str]) -> None:
    pulumi(events=(NOT_RUN,))
    assert run() == 0
    assert [found["level"] for found in diff.results] == ["advisory"]


def test_merged_same_violation_in_both_is_listed_once() -> None:
    found = Violation("limits", "mandatory", "docker:index/container:Container::x", "fix it")
    same = Violation(found.policy, found.level, found.resource, "Every container.\nfix it")
    assert preview._merged([found], (same,)) == [found]


def test_preview_failed_quotes_the_engine(pulumi: Callable[..., str]) -> None:
    failed = {"severity": "error", "message": "error: the passphrase is wrong\n"}
    cli = pulumi(code=255, diagnostics=({"severity": "info", "message": "hello"}, failed))
    with pytest.raises(OpsError) as error:
        by_engine(cli, "prod")
    assert str(error.value) == (
        "The engine's preview of prod failed:\nerror: the passphrase is wrong"
    )
