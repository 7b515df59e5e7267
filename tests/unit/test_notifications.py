"""What people read at night, written by Alertmanager's own template engine."""

from __future__ import annotations

import functools
import json
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.alertmanager import routing
from components.alertmanager.templates import render_templates
from components.dashboards import render_all
from components.dashboards.settings import DashboardSettings
from components.settings.settings import Settings
from components.user_files.rules import RUNBOOKS_URL

SettingsOf = Callable[..., Settings]
Written = Callable[..., str]

HOSTILE = 'a <b>&"c" *d* `e` |f\n<!channel>'
MESSAGES = ("vitalstream.slack", "vitalstream.mail.text", "vitalstream.mail.html")
NAMES = re.compile(r'{{ define "([^"]+)" }}')


def _alert(**changes: Any) -> dict[str, Any]:
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
            "alerts": list(alerts) or [_alert()],
            "groupLabels": common,
            "commonLabels": common,
            "commonAnnotations": {},
            "externalURL": "http://mon.example.com:9093",
        }
        return render(template, json.dumps(content))

    return write


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
    found = written(template, _alert(status="resolved"), status="resolved")
    assert "to=1767330306000" in found
    assert "First" not in found


@pytest.mark.parametrize("template", MESSAGES)
def test_message_of_two_full_disks_says_which(template: str, written: Written) -> None:
    disks = [
        _alert(labels={"alertname": "DiskSpaceLow", "instance": "a:9100", "mountpoint": mount})
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
    alert = _alert(annotations={"runbook_url": runbook})
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


def test_a_link_to_the_query_is_escaped_as_each_kind_of_message_asks(written: Written) -> None:
    link = "http://127.0.0.1:9090/graph?g0.expr=a+%3E+5&g0.tab=1"
    assert f"<{link.replace('&', '&amp;')}|Query>" in written("vitalstream.slack")
    assert f"Query: {link}\n" in written("vitalstream.mail.text")


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
    title = written("vitalstream.title", _alert(), _alert())
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
    text = written(template, _alert(status="resolved"), status="resolved")
    assert "until 04:05:06 UTC" in text


@pytest.mark.parametrize("where", ["summary", "description", "instance"])
def test_no_value_is_read_as_slacks_markup(where: str, written: Written) -> None:
    text = written("vitalstream.slack", _hostile(where))
    assert 'a &lt;b&gt;&amp;"c" *d* `e` |f\n&lt;!channel&gt;' in text


@pytest.mark.parametrize("where", ["summary", "description", "instance"])
def test_no_value_is_read_as_html(where: str, written: Written) -> None:
    text = written("vitalstream.mail.html", _hostile(where))
    assert "a &lt;b&gt;&amp;&#34;c&#34; *d* `e` |f\n&lt;!channel&gt;" in text


@pytest.mark.parametrize("where", ["summary", "description", "instance"])
def test_a_mail_as_text_has_every_value_as_it_is(where: str, written: Written) -> None:
    assert HOSTILE in written("vitalstream.mail.text", _hostile(where))


@pytest.mark.parametrize("template", MESSAGES)
@pytest.mark.parametrize(
    ("name", "matcher"),
    [
        ("HighErrorRate", '"HighErrorRate"'),
        ('A "b" | <c> & d', '"A \\"b\\" | <c> & d"'),
        ("A+B", '"A+B"'),
        ("A\\B", '"A\\\\B"'),
        ("Büro 3%", '"Büro 3%"'),
    ],
)
def test_the_link_to_silence_it_names_whatever_name_there_is(
    name: str, matcher: str, template: str, written: Written
) -> None:
    (query,) = re.findall(r"silences/new\?filter=([^\s\"|>]+)", written(template, alertname=name))
    assert urllib.parse.unquote(query) == f'{{alertname={matcher},stack="prod"}}'


@pytest.mark.parametrize(
    ("annotation", "link"),
    [
        ("runbook_url", '<a %3Cb%3E&amp;"c" *d* `e` %7Cf|Runbook>'),
        ("dashboard_uid", "/d/a%20%3Cb%3E%26%22c%22%20%2Ad%2A%20%60e%60%20%7Cf?from="),
    ],
)
def test_no_link_ends_before_its_end(annotation: str, link: str, written: Written) -> None:
    alert = _alert()
    alert["annotations"][annotation] = HOSTILE.partition("\n")[0]
    assert link in written("vitalstream.slack", alert)


@pytest.mark.parametrize("where", ["runbook_url", "dashboard_uid"])
def test_no_link_of_a_mail_is_more_than_a_link(where: str, written: Written) -> None:
    alert = _alert()
    alert["annotations"][where] = 'javascript:alert(1)"><script>'
    text = written("vitalstream.mail.html", alert)
    assert ("<script>" in text, 'href="javascript:' in text) == (False, False)


@pytest.mark.parametrize("template", ["vitalstream.title", "vitalstream.slack"])
@pytest.mark.parametrize("label", ["alertname", "stack"])
def test_no_name_in_a_title_is_read_as_slacks_markup(
    label: str, template: str, written: Written
) -> None:
    assert "<!channel>" not in written(template, **{label: HOSTILE})


@pytest.mark.parametrize("template", MESSAGES)
def test_an_alert_without_links_or_instance_has_no_empty_ones(
    template: str, written: Written
) -> None:
    bare = _alert(labels={}, annotations={"summary": "s", "description": "d"})
    text = written(template, bare)
    assert [word for word in ("Where", "Runbook", "Dashboard") if word in text] == []


@pytest.mark.parametrize("template", MESSAGES)
def test_alert_without_annotations_is_named(template: str, written: Written) -> None:
    """As one of `extraRules` may be."""
    text = written(template, _alert(labels={"alertname": "BedsFull"}, annotations={}))
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
    over = _alert(status="resolved")
    assert written("vitalstream.slack", over, status="resolved").rstrip("\n") == OVER.rstrip("\n")


@pytest.mark.parametrize("template", ["vitalstream.mail.text", "vitalstream.mail.html"])
@pytest.mark.parametrize("word", ["last 5 minutes", "Silence"])
def test_a_mail_that_it_is_over_has_nothing_to_do_any_more(
    word: str, template: str, written: Written
) -> None:
    assert word not in written(template, _alert(status="resolved"), status="resolved")


def test_what_fires_comes_before_what_is_over(written: Written) -> None:
    text = written("vitalstream.slack", _alert(status="resolved"), _alert())
    assert text == TOLD + OVER + SILENCE


@pytest.mark.parametrize("template", ["vitalstream.title", "vitalstream.subject"])
def test_the_title_does_not_count_what_is_over(template: str, written: Written) -> None:
    one_of_two = written(template, _alert(), _alert(status="resolved"))
    assert one_of_two == "[CRITICAL] HighErrorRate - prod"


@pytest.mark.parametrize("template", ["vitalstream.title", "vitalstream.subject"])
def test_the_title_says_how_many_are_over(template: str, written: Written) -> None:
    over = _alert(status="resolved")
    title = written(template, over, over, status="resolved")
    assert title == "[RESOLVED] HighErrorRate (2) - prod"


@pytest.mark.parametrize(
    "template", ["vitalstream.slack", "vitalstream.mail.text", "vitalstream.mail.html"]
)
@pytest.mark.parametrize("status", ["firing", "resolved"])
def test_a_message_of_many_is_cut_and_says_so(status: str, template: str, written: Written) -> None:
    text = written(template, *[_alert(status=status)] * 11, status=status)
    assert (text.count("Since:"), "The first 10 of 11;" in text) == (10, True)


@pytest.mark.parametrize(
    "template", ["vitalstream.slack", "vitalstream.mail.text", "vitalstream.mail.html"]
)
def test_a_message_of_ten_is_whole(template: str, written: Written) -> None:
    text = written(template, *[_alert()] * 10)
    assert (text.count("Since:"), "The first" in text) == (10, False)


def _hostile(where: str) -> dict[str, Any]:
    alert = _alert()
    alert["labels" if where == "instance" else "annotations"][where] = HOSTILE
    return alert
