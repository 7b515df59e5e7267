"""The rules in a running Prometheus: promtool does not see what fails at evaluation only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ports import free_port

RULES = Path(__file__).resolve().parents[2] / "rules"
NEVER = "0001-01-01T00:00:00Z"
"""`lastEvaluation` of a rule before its first evaluation."""
PATIENCE_SECONDS = 60


def _rules(port: int) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/rules", timeout=5) as answer:
        groups = json.load(answer)["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _evaluated(port: int, log: Path) -> list[dict[str, Any]]:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            rules = _rules(port)
        except (urllib.error.URLError, ConnectionError):
            rules = []
        if rules and all(rule["lastEvaluation"] != NEVER for rule in rules):
            return rules
        time.sleep(0.2)
    raise AssertionError(f"not evaluated within {PATIENCE_SECONDS} s:\n{log.read_text()}")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """A Prometheus that scrapes only itself, its port, and its log."""
    found = shutil.which("prometheus")
    if found is None:
        message = "prometheus is not on PATH: install Debian's prometheus package"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder = tmp_path_factory.mktemp("prometheus")
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [f"{RULES}/*.yml"],
        "scrape_configs": [
            {
                "job_name": "prometheus",
                "static_configs": [{"targets": [f"127.0.0.1:{port}"]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    log = folder / "log"
    with (
        log.open("w") as output,
        subprocess.Popen(
            [
                found,
                f"--config.file={folder}/prometheus.yml",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=output,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        yield port, log
        process.terminate()


def test_every_rule_evaluates_without_an_error(running: tuple[int, Path]) -> None:
    rules = _evaluated(*running)
    assert [(rule["name"], rule["lastError"]) for rule in rules if rule["health"] != "ok"] == []


def test_a_template_of_an_alert_never_fails_to_expand(running: tuple[int, Path]) -> None:
    rules = _evaluated(*running)
    texts = [text for r in rules for a in r.get("alerts", []) for text in a["annotations"].values()]
    assert texts
    assert [text for text in texts if "error expanding" in text] == []
