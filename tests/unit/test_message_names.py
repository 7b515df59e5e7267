"""Names of machines and databases in messages, and languages, with Alertmanager's engine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components.alertmanager.templates import FOLDER, render_templates
from components.dashboards import render_all
from components.dashboards.settings import DashboardSettings
from components.settings import warnings as setting_warnings
from components.settings.instance_names import instance_names
from components.settings.settings import Settings
from components.user_files.rules import RUNBOOKS_URL

SettingsOf = Callable[..., Settings]
Refused = Callable[..., str]
Written = Callable[..., str]

MESSAGES = ("vitalstream.slack", "vitalstream.mail.text", "vitalstream.mail.html")
DEFINED = re.compile(r'{{ define "([^"]+)" }}')
LANGUAGES = ("en", "tr")


def _alert(instance: str, **changes: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "A", "instance": instance},
        "annotations": {
            "summary": f"Server {instance} is ill",
            "description": f"The server at {instance}.",
            "runbook_url": f"{RUNBOOKS_URL}A.md",
            "dashboard_uid": "vitalstream-postgresql",
        },
        "startsAt": "2026-01-02T03:04:05Z",
        "endsAt": "2026-01-02T04:05:06Z",
        "generatorURL": "http://127.0.0.1:9090/graph",
        **changes,
    }


@pytest.fixture
def written(amtool: Callable[..., str], tmp_path: Path) -> Written:
    """A template filled in with alerts by a stack's templates."""

    def write(settings: Settings, template: str, *alerts: dict[str, Any]) -> str:
        (tmp_path / "t.tmpl").write_text(render_templates(settings))
        common = {"alertname": "A", "severity": "critical", "stack": "prod"}
        data = {
            "status": alerts[0]["status"],
            "alerts": alerts,
            "commonLabels": common,
            "externalURL": "http://a",
        }
        (tmp_path / "data.json").write_text(json.dumps(data))
        return amtool(
            "template", "render", f"--template.glob={tmp_path}/*.tmpl",
            f'--template.text={{{{ template "{template}" . }}}}',
            f"--template.type={'html' if template.endswith('.html') else 'text'}",
            f"--template.data={tmp_path}/data.json",
        )  # fmt: skip

    return write


def test_exporter_is_called_what_it_monitors(settings: SettingsOf) -> None:
    found = settings(
        postgresAddress="db-1:5432",
        redisAddress="cache-1:6379",
        publicHost="mon.example.com",
        instanceNames={"db-1:5432": "Ward database", "api-1:8000": "Ward 3"},
    )
    assert instance_names(found) == {
        "db-1:5432": "Ward database",
        "api-1:8000": "Ward 3",
        "postgres-exporter:9187": "Ward database",
        "redis-exporter:9121": "cache-1:6379",
        "node-exporter:9100": "mon.example.com",
    }


def test_node_exporter_of_another_host_has_the_name_of_its_host(settings: SettingsOf) -> None:
    found = settings(hosts={"ward": {"docker": "ssh://a@10.0.0.2", "address": "10.0.0.2"}},
                     hostAddress="10.0.0.1")  # fmt: skip
    assert instance_names(found)["node-exporter-ward:9100"] == "ward"


@pytest.mark.parametrize("template", MESSAGES)
def test_message_names_the_database_and_links_by_its_instance(
    template: str, written: Written, settings: SettingsOf
) -> None:
    found = settings(instanceNames={"postgres:5432": 'Ward "3" $1 \\d & <b>'})
    text = written(found, template, _alert("postgres-exporter:9187"))
    escaped = {
        "vitalstream.slack": 'Ward "3" $1 \\d &amp; &lt;b&gt;',
        "vitalstream.mail.text": 'Ward "3" $1 \\d & <b>',
        "vitalstream.mail.html": "Ward &#34;3&#34; $1 \\d &amp; &lt;b&gt;",
    }[template]
    assert f"Server {escaped} is ill" in text
    assert f"The server at {escaped}." in text
    assert f"Where: {escaped}" in text
    assert "var-postgres_instance=postgres-exporter" in text


def test_message_leaves_a_longer_instance_as_it_is(written: Written, settings: SettingsOf) -> None:
    found = settings(instanceNames={"a:80": "Ward"})
    alerts = [_alert(instance) for instance in ("a:80", "a:8000", "x-a:80", "a.a:80")]
    text = written(found, "vitalstream.mail.text", *alerts)
    assert re.findall(r"Where: (.*)", text) == ["Ward", "a:8000", "x-a:80", "a.a:80"]


def test_list_of_firing_alerts_shows_names(settings: SettingsOf) -> None:
    """Apply Grafana's regular expression mapping, which has to match the whole text."""
    found = settings(instanceNames={"postgres:5432": "Ward database"})
    board = json.loads(render_all(DashboardSettings.of(found))["overview"])
    (panel,) = [one for one in board["panels"] if one["title"] == "Firing Alerts, all"]
    (about,) = [
        one for one in panel["fieldConfig"]["overrides"] if one["matcher"]["options"] == "About"
    ]
    (mappings,) = [one["value"] for one in about["properties"] if one["id"] == "mappings"]

    def shown(where: str) -> str:
        for mapping in mappings:
            options = mapping["options"]
            assert mapping["type"] == "regex"
            if re.fullmatch(options["pattern"], where):
                text = options["result"]["text"].replace("$1", r"\g<1>")
                return re.sub(options["pattern"], text, where)
        return where

    assert shown("ward postgres postgres-exporter:9187") == "ward postgres Ward database"
    assert shown("postgres-exporter:9187") == "Ward database"
    assert shown("x-postgres-exporter:9187") == "x-postgres-exporter:9187"
    # Two full disks are two rows, by their mount points.
    (query, *_) = [target["expr"] for target in panel["targets"]]
    assert re.search(r'label_join\(.*"where", " ", .*"mountpoint".*"instance"\)', query)


def test_languages_have_the_same_words() -> None:
    words = {
        language: DEFINED.findall((FOLDER / f"words.{language}.tmpl").read_text())
        for language in LANGUAGES
    }
    assert words["tr"] == words["en"]
    used = re.findall(r'template "(word\.\w+)"', (FOLDER / "notifications.tmpl").read_text())
    assert set(used) == set(words["en"])


@pytest.mark.parametrize(
    ("template", "parts"),
    [
        ("vitalstream.slack", ["Yer: b:1\n", "|Runbook> |", "|Pano> |", "|Sorgu>", "|Sessize al>"]),
        ("vitalstream.mail.text", ["Yer: b:1\n", "Pano: http", "Sorgu: http", "Sessize al: http"]),
        ("vitalstream.mail.html", ["Yer: b:1<br>", ">Pano</a>", ">Sorgu</a>", ">Sessize al</a>"]),
        ("vitalstream.title", ["[KRİTİK] A - prod"]),
        ("vitalstream.subject", ["[KRİTİK] A - prod"]),
    ],
)
def test_message_in_turkish_has_no_english_word_of_its_own(
    template: str, parts: list[str], written: Written, settings: SettingsOf
) -> None:
    found = settings(language="tr", timezone="Europe/Istanbul")
    alert = _alert("b:1")
    alert["annotations"]["first_step"] = "x"
    text = written(found, template, alert)
    assert [part for part in parts if part not in text] == []
    if template in MESSAGES:
        assert "Başlangıç: 2026-01-02 03:04:05 UTC (06:04:05 Europe/Istanbul)" in text
        assert "İlk adım:" in text
    english = r"\b(Over|First|Where|Since|until|Dashboard|Query|Silence|CRITICAL)\b"
    assert re.search(english, text) is None


def test_end_of_an_alert_has_both_times(written: Written, settings: SettingsOf) -> None:
    over = _alert("b:1", status="resolved")
    found = settings(language="tr", timezone="Europe/Istanbul")
    assert "bitiş 04:05:06 UTC (07:05:06 Europe/Istanbul)" in written(found, MESSAGES[0], over)
    assert written(found, "vitalstream.title", over) == "[ÇÖZÜLDÜ] A - prod"


@pytest.mark.parametrize("template", MESSAGES)
def test_runbooks_in_a_folder_of_the_house_are_a_path_and_no_link(
    template: str, written: Written, settings: SettingsOf
) -> None:
    found = settings(runbookBaseUrl="/srv/runbooks/")
    text = written(found, template, _alert("b:1"))
    assert re.search(r"^Runbook: /srv/runbooks/A\.md(<br>)?$", text, re.MULTILINE)
    assert 'href="/srv' not in text
    assert "</srv" not in text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"language": "de"},
            "vitalstream:language = \"de\" is wrong: input should be 'en' or 'tr'",
        ),
        ({"instanceNames": {"db-1": "Ward"}}, "is not host:port"),
        (
            {"instanceNames": {"db-1:5432": " "}},
            "60 characters at most; fix: edit vitalstream:instanceNames in Pulumi.test.yaml",
        ),
        ({"instanceNames": {"db-1:5432": "a\nb"}}, "is not a name for messages"),
    ],
)
def test_wrong_language_or_name_is_refused(
    values: dict[str, Any], words: str, refused: Refused
) -> None:
    message = refused(values)
    assert words in message
    assert len(message.splitlines()) == 2


@pytest.mark.parametrize(
    ("instance", "values", "warned"),
    [
        ("db-9:5432", {}, True),
        ("postgres:5432", {}, False),
        ("postgres-exporter:9187", {}, False),
        ("backend:8000", {}, False),
        ("node-exporter:9100", {}, False),
        ("prometheus:9090", {}, False),
        ("api-1:8000", {"backend": {"api": {"targets": ["api-1:8000"]}}}, False),
        # The addresses behind a name of DNS are not known.
        ("10.0.0.7:8000", {"backendDns": [{"name": "b.example.com", "port": 8000}]}, False),
    ],
)
def test_name_of_an_instance_that_no_target_has_is_warned_of(
    instance: str, values: dict[str, Any], warned: bool, settings: SettingsOf
) -> None:
    found = settings(instanceNames={instance: "Ward"}, **values)
    about = [one for one in setting_warnings.warnings(found) if "instanceNames" in one]
    assert bool(about) == warned
    if warned:
        (warning,) = about
        assert f"has {instance}, which is the address of no target" in warning
        assert f"pulumi config rm --path 'instanceNames[\"{instance}\"]' --stack test" in warning
