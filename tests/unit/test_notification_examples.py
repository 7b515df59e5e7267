"""Each example of docs/operations/notifications.md: rendered, and judged by amtool."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from components.alertmanager import alertmanager
from ops.offline.program import StackConfig
from ops.root import ROOT

PAGE = ROOT / "docs" / "operations" / "notifications.md"
# By the last heading above it.
EXAMPLES = dict(
    re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?```yaml\n(.*?)```", PAGE.read_text(), re.M | re.S)
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_example_of_the_page_is_taken_by_alertmanager(
    name: str, amtool: Callable[..., str], tmp_path: Path
) -> None:
    shutil.copy(ROOT / "Pulumi.yaml", tmp_path)
    (tmp_path / "Pulumi.example.yaml").write_text(EXAMPLES[name])
    settings = StackConfig.of_stack("example", tmp_path).settings("example")
    spec = alertmanager.spec(settings)
    assert spec.files is not None
    for path, text in {**spec.files.files, **spec.files.secret_files}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text.replace("/etc/alertmanager", str(tmp_path)))
    assert "SUCCESS" in amtool("check-config", str(tmp_path / "alertmanager.yml"))


def test_examples_cover_slack_mail_pagerduty_and_teams() -> None:
    assert set(EXAMPLES) == {
        "Slack, with a bot token",
        "Mail alone",
        "PagerDuty",
        "Microsoft Teams",
        "What a message says",
    }
