"""The report on a container that did not become healthy."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from components.docker import health_report


def _container(log: str = "", **state: Any) -> Any:
    return SimpleNamespace(
        name="vitalstream-dev-grafana",
        attrs={"State": {"Running": True, "Status": "running", "ExitCode": 0, **state}},
        logs=lambda tail: "\n".join(log.splitlines()[-tail:]).encode(),
    )


def _health(status: str, *printed: str) -> dict[str, Any]:
    return {"Status": status, "Log": [{"Output": one, "ExitCode": 1} for one in printed]}


def test_description_of_an_unhealthy_container_has_the_last_check_and_the_end_of_the_log() -> None:
    checks = _health("unhealthy", "first", "wget: SSL error\n")
    log = "\n".join(f"line {number}" for number in range(9))
    text = health_report.describe(_container(log, Health=checks))
    assert text == (
        "vitalstream-dev-grafana is running, unhealthy.\n"
        "Its health check printed: wget: SSL error\n"
        "The end of its log:\nline 4\nline 5\nline 6\nline 7\nline 8"
    )


def test_description_of_a_crashing_container_has_its_exit_code() -> None:
    text = health_report.describe(_container("", Running=False, Status="restarting", ExitCode=2))
    assert text
    assert "is restarting with exit code 2" in text


def test_description_of_a_crashing_container_that_runs_at_this_moment_has_its_restarts() -> None:
    container = _container("", Health=_health("starting"))
    container.attrs["RestartCount"] = 3
    text = health_report.describe(container)
    assert text
    assert "is running, starting, restarted 3 times." in text


def test_description_masks_a_password_in_the_log() -> None:
    text = health_report.describe(
        _container("dial postgres://user:hunter2@db:5432", Health=_health("starting"))
    )
    assert text
    assert "hunter2" not in text


def test_healthy_container_has_no_description() -> None:
    assert health_report.describe(_container(Health=_health("healthy"))) is None
