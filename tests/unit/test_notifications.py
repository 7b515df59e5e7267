"""Titles and texts of messages, written by Alertmanager's own template engine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from components.alertmanager import routing
from components.alertmanager.templates import render_templates
from components.dashboards import render_all
from components.dashboards.settings import DashboardSettings
from components.user_files.rules import RUNBOOKS_URL
from tests.unit import messages
from tests.unit.messages import MESSAGES, SettingsOf, Written, alert_of

written = messages.written

NAMES = re.compile(r'{{ define "([^"]+)" }}')


def test_every_template_that_the_configuration_names_is_defined(settings: SettingsOf) -> None:
    reachable = settings(slackWebhookUrl="https://a.example/b", mailSmarthost="s:25")
    named = set(re.findall(r'template "([^"]+)"', routing.render_config(reachable)))
    assert named - set(NAMES.findall(render_templates(reachable))) == set()


def test_links_to_grafana_are_filled_in(settings: SettingsOf) -> None:
    assert "GRAFANA_URL" not in render_templates(settings())


@pytest.mark.parametrize("template", ["vitalstream.slack", "vitalstream.mail.text"])
@pytest.mark.parametrize(
    "part",
    [
        "5% of requests fail",
        "6% of the last 5 minutes' requests failed.",
        "Where: backend:8000",
        "Since: 2026-01-02 03:04:05 UTC",
        "https://example.com/HighErrorRate.md",
        "http://mon.example.com:3000/d/vitalstream-api?from=1767319445000",
        "to=now",
        "var-backend_instance=backend%3A8000",
        "First: Compare the error log with the last deployment.",
        "http://mon.example.com:9093/#/silences/new?filter=%7Balertname%3D%22HighErrorRate%22%2C"
        "stack%3D%22prod%22%7D",
    ],
)
def test_a_message_says(part: str, template: str, written: Written) -> None:
    assert part in written(template)


@pytest.mark.parametrize("template", MESSAGES)
def test_message_of_an_alert_that_is_over_links_to_its_time_and_has_no_first_step(
    template: str, written: Written
) -> None:
    found = written(template, alert_of(status="resolved"), status="resolved")
    assert "to=1767330306000" in found
    assert "First" not in found


@pytest.mark.parametrize("template", MESSAGES)
def test_message_of_two_full_disks_says_which(template: str, written: Written) -> None:
    disks = [
        alert_of(labels={"alertname": "DiskSpaceLow", "instance": "a:9100", "mountpoint": mount})
        for mount in ("/", "/data")
    ]
    found = written(template, *disks)
    assert "Where: a:9100, /" in found
    assert "Where: a:9100, /data" in found


@pytest.mark.parametrize("template", MESSAGES)
def test_message_in_a_time_zone_has_both_times_and_the_runbooks_of_the_house(
    template: str, amtool: Callable[..., str], tmp_path: Path, settings: SettingsOf
) -> None:
    found = settings(timezone="Europe/Istanbul", runbookBaseUrl="https://wiki.example.com/r/")
    (tmp_path / "t.tmpl").write_text(render_templates(found))
    runbook = f"{RUNBOOKS_URL}HighErrorRate.md"
    alert = alert_of(annotations={"runbook_url": runbook})
    data = {"status": "firing", "alerts": [alert], "commonLabels": {}, "externalURL": "http://a"}
    (tmp_path / "data.json").write_text(json.dumps(data))
    message = amtool(
        "template", "render", f"--template.glob={tmp_path}/*.tmpl",
        f'--template.text={{{{ template "{template}" . }}}}',
        f"--template.type={'html' if template.endswith('.html') else 'text'}",
        f"--template.data={tmp_path}/data.json",
    )  # fmt: skip
    assert "Since: 2026-01-02 03:04:05 UTC (06:04:05 Europe/Istanbul)" in message
    assert "https://wiki.example.com/r/HighErrorRate.md" in message


def test_instance_variables_of_the_template_are_those_of_the_dashboards(
    settings: SettingsOf,
) -> None:
    text = render_templates(settings())
    (chosen,) = re.findall(r'define "vitalstream.variable" }}(.*?){{ end }}{{ end }}', text)
    for file, content in render_all(DashboardSettings.of(settings())).items():
        board = json.loads(content)
        names = [v["name"] for v in board["templating"]["list"] if v["name"].endswith("_instance")]
        for name in names:
            assert re.search(rf'"{board["uid"]}"[^}}]*}}}}{name}', chosen), file


@pytest.mark.parametrize(
    "link",
    [
        'href="https://example.com/HighErrorRate.md"',
        'href="http://mon.example.com:3000/d/vitalstream-api?from=1767319445000&amp;to=now'
        '&amp;var-backend_instance=backend%3a8000"',
        "filter=%7Balertname%3D%22HighErrorRate%22%2Cstack%3D%22prod%22%7D",
    ],
)
def test_a_mail_links(link: str, written: Written) -> None:
    assert link in written("vitalstream.mail.html")


@pytest.mark.parametrize("template", ["vitalstream.title", "vitalstream.subject"])
@pytest.mark.parametrize(
    ("status", "severity", "title"),
    [
        ("firing", "critical", "[CRITICAL] HighErrorRate - prod"),
        ("firing", "warning", "[WARNING] HighErrorRate - prod"),
        ("firing", "", "[FIRING] HighErrorRate - prod"),
        ("resolved", "critical", "[RESOLVED] HighErrorRate - prod"),
    ],
)
def test_the_title_says_how_bad_what_and_where(
    status: str, severity: str, title: str, template: str, written: Written
) -> None:
    assert written(template, status=status, severity=severity) == title


@pytest.mark.parametrize("template", ["vitalstream.title", "vitalstream.subject"])
@pytest.mark.parametrize(
    ("status", "title"),
    [("firing", "[TEST] Drill - prod"), ("resolved", "[TEST IS OVER] Drill - prod")],
)
def test_the_title_of_a_drill_frightens_nobody(
    status: str, title: str, template: str, written: Written
) -> None:
    labels = {"alertname": "Drill", "severity": "critical", "drill": "true"}
    assert written(template, status=status, **labels) == title


@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_a_drill_has_the_colour_of_no_severity(status: str, written: Written) -> None:
    color = written("vitalstream.color", status=status, severity="critical", drill="true")
    assert color == "#439fe0"


def test_the_title_says_how_many(written: Written) -> None:
    title = written("vitalstream.title", alert_of(), alert_of())
    assert title == "[CRITICAL] HighErrorRate (2) - prod"


@pytest.mark.parametrize(
    ("status", "severity", "color"),
    [
        ("firing", "critical", "danger"),
        ("firing", "warning", "warning"),
        ("resolved", "critical", "good"),
    ],
)
def test_color_follows_the_severity(
    status: str, severity: str, color: str, written: Written
) -> None:
    assert written("vitalstream.color", status=status, severity=severity) == color


@pytest.mark.parametrize("template", MESSAGES)
def test_an_alert_that_is_over_says_until_when(template: str, written: Written) -> None:
    text = written(template, alert_of(status="resolved"), status="resolved")
    assert "until 04:05:06 UTC" in text


@pytest.mark.parametrize("template", MESSAGES)
def test_an_alert_without_links_or_instance_has_no_empty_ones(
    template: str, written: Written
) -> None:
    bare = alert_of(labels={}, annotations={"summary": "s", "description": "d"})
    text = written(template, bare)
    assert [word for word in ("Where", "Runbook", "Dashboard") if word in text] == []


@pytest.mark.parametrize("template", MESSAGES)
def test_alert_without_annotations_is_named(template: str, written: Written) -> None:
    """As one of `extraRules` may be."""
    text = written(template, alert_of(labels={"alertname": "BedsFull"}, annotations={}))
    assert re.search(r"(^\*?|<strong>)BedsFull(\*?|</strong><br>)\n(Where|Since): ", text, re.M)


TOLD = """\
*5% of requests fail*
6% of the last 5 minutes' requests failed.
First: Compare the error log with the last deployment.
Where: backend:8000
Since: 2026-01-02 03:04:05 UTC
<https://example.com/HighErrorRate.md|Runbook> | <http://mon.example.com:3000/d/vitalstream-api?from=1767319445000&amp;to=now&amp;var-backend_instance=backend%3A8000|Dashboard> | <http://127.0.0.1:9090/graph?g0.expr=a+%3E+5&amp;g0.tab=1|Query>
"""  # noqa: E501
OVER = """\
*Over: 5% of requests fail*
Where: backend:8000
Since: 2026-01-02 03:04:05 UTC, until 04:05:06 UTC
<https://example.com/HighErrorRate.md|Runbook> | <http://mon.example.com:3000/d/vitalstream-api?from=1767319445000&amp;to=1767330306000&amp;var-backend_instance=backend%3A8000|Dashboard> | <http://127.0.0.1:9090/graph?g0.expr=a+%3E+5&amp;g0.tab=1|Query>
"""  # noqa: E501
SILENCE = (
    "<http://mon.example.com:9093/#/silences/new?filter=%7Balertname%3D%22HighErrorRate%22%2C"
    "stack%3D%22prod%22%7D|Silence>"
)


def test_a_message_to_slack_is_this(written: Written) -> None:
    assert written("vitalstream.slack") == TOLD + SILENCE


def test_a_message_that_it_is_over_says_nothing_as_if_it_were_not(written: Written) -> None:
    over = alert_of(status="resolved")
    assert written("vitalstream.slack", over, status="resolved").rstrip("\n") == OVER.rstrip("\n")


@pytest.mark.parametrize("template", ["vitalstream.mail.text", "vitalstream.mail.html"])
@pytest.mark.parametrize("word", ["last 5 minutes", "Silence"])
def test_a_mail_that_it_is_over_has_nothing_to_do_any_more(
    word: str, template: str, written: Written
) -> None:
    assert word not in written(template, alert_of(status="resolved"), status="resolved")


def test_what_fires_comes_before_what_is_over(written: Written) -> None:
    text = written("vitalstream.slack", alert_of(status="resolved"), alert_of())
    assert text == TOLD + OVER + SILENCE


@pytest.mark.parametrize("template", ["vitalstream.title", "vitalstream.subject"])
def test_the_title_does_not_count_what_is_over(template: str, written: Written) -> None:
    one_of_two = written(template, alert_of(), alert_of(status="resolved"))
    assert one_of_two == "[CRITICAL] HighErrorRate - prod"


@pytest.mark.parametrize("template", ["vitalstream.title", "vitalstream.subject"])
def test_the_title_says_how_many_are_over(template: str, written: Written) -> None:
    over = alert_of(status="resolved")
    title = written(template, over, over, status="resolved")
    assert title == "[RESOLVED] HighErrorRate (2) - prod"


@pytest.mark.parametrize(
    "template", ["vitalstream.slack", "vitalstream.mail.text", "vitalstream.mail.html"]
)
@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_a_message_of_many_is_cut_and_says_so(status: str, template: str, written: Written) -> None:
    text = written(template, *[alert_of(status=status)] * 11, status=status)
    assert (text.count("Since:"), "The first 10 of 11;" in text) == (10, True)


@pytest.mark.parametrize(
    "template", ["vitalstream.slack", "vitalstream.mail.text", "vitalstream.mail.html"]
)
def test_a_message_of_ten_is_whole(template: str, written: Written) -> None:
    text = written(template, *[alert_of()] * 10)
    assert (text.count("Since:"), "The first" in text) == (10, False)
