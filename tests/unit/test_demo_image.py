"""The demo's image: its health check and its lock file."""

import re
from pathlib import Path

import pytest

from demo import healthcheck

ROOT = Path(__file__).parents[2]


def test_heartbeat_recent_is_healthy_and_missing_is_not(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    assert healthcheck.main(["--heartbeat", str(file)]) == 1
    file.touch()
    assert healthcheck.main(["--heartbeat", str(file)]) == 0


def test_backend_not_listening_is_unhealthy(capsys: pytest.CaptureFixture[str]) -> None:
    assert healthcheck.main(["--port", "1"]) == 1
    assert "/healthz on port 1" in capsys.readouterr().err


def test_requirements_are_pinned_by_hash() -> None:
    text = (ROOT / "demo/requirements.txt").read_text().replace("\\\n", " ")
    packages = [line for line in text.splitlines() if re.match(r"[a-z]", line)]
    assert packages
    assert [line for line in packages if "==" not in line or "--hash=sha256:" not in line] == []


def test_requirements_name_no_registry() -> None:
    assert "://" not in (ROOT / "demo/requirements.txt").read_text()
