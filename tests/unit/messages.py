"""Alerts, and messages of them as Alertmanager's own template engine writes them."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import pytest

from components.alertmanager.templates import render_templates
from components.settings.settings import Settings

SettingsOf = Callable[..., Settings]
Written = Callable[..., str]
MESSAGES = ("vitalstream.slack", "vitalstream.mail.text", "vitalstream.mail.html")


def alert_of(**changes: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "HighErrorRate", "instance": "backend:8000"},
        "annotations": {
            "summary": "5% of requests fail",
            "description": "6% of the last 5 minutes' requests failed.",
            "runbook_url": "https://example.com/HighErrorRate.md",
            "dashboard_uid": "vitalstream-api",
            "first_step": "Compare the error log with the last deployment.",
        },
        "startsAt": "2026-01-02T03:04:05Z",
        "endsAt": "2026-01-02T04:05:06Z",
        "generatorURL": "http://127.0.0.1:9090/graph?g0.expr=a+%3E+5&g0.tab=1",
        **changes,
    }


@pytest.fixture(scope="module")
def written(
    amtool: Callable[..., str], tmp_path_factory: pytest.TempPathFactory, settings: SettingsOf
) -> Written:
    """A template filled in with alerts, as text or, for mails, as HTML."""
    folder = tmp_path_factory.mktemp("templates")
    templates = render_templates(settings(publicHost="mon.example.com"))
    (folder / "notifications.tmpl").write_text(templates)
    data = folder / "data.json"

    @functools.cache
    def render(template: str, content: str) -> str:
        data.write_text(content)
        return amtool(
            "template",
            "render",
            f"--template.glob={folder}/*.tmpl",
            f'--template.text={{{{ template "{template}" . }}}}',
            f"--template.type={'html' if template.endswith('.html') else 'text'}",
            f"--template.data={data}",
        )

    def write(template: str, *alerts: dict[str, Any], status: str = "firing", **labels: str) -> str:
        common = {"alertname": "HighErrorRate", "severity": "critical", "stack": "prod", **labels}
        content = {
            "receiver": "critical",
            "status": status,
            "alerts": list(alerts) or [alert_of()],
            "groupLabels": common,
            "commonLabels": common,
            "commonAnnotations": {},
            "externalURL": "http://mon.example.com:9093",
        }
        return render(template, json.dumps(content))

    return write
