"""Delivery of alerts from the fault to the receiver: recipients, times, counts and texts.

Messages go over TLS to local replacements of Slack, the mail server and the heartbeat service.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter

import docker
import pytest

from tests.figures import ReportFigure
from tests.live import delivery_runs
from tests.live.delivery import (
    BACKEND,
    BOUND_SECONDS,
    CRITICAL,
    DATABASE,
    MAIL,
    WARNINGS,
    Outcome,
    is_resolved,
    messages_of,
    rows,
)
from tests.live.delivery_cases import EXPECTED
from tests.live.delivery_runs import BEAT_SECONDS, VALID_SECONDS, Run, Runs
from tests.live.sinks import HEARTBEAT
from tests.live.stack import not_of_this_machine

each_fault = pytest.mark.parametrize("outcome", EXPECTED, indirect=True)
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"


@pytest.fixture(scope="module")
def runs(docker_client: docker.DockerClient, images: dict[str, str]) -> Runs:
    if elsewhere := not_of_this_machine(docker_client):
        pytest.skip(elsewhere)
    return delivery_runs.play_all(docker_client, images)


@pytest.fixture(scope="module")
def fast(runs: Runs) -> Run:
    return runs.fast.result()


@pytest.fixture(scope="module")
def real(runs: Runs) -> Run:
    return runs.real.result()


@pytest.fixture(scope="module")
def beat(runs: Runs) -> Run:
    return runs.beat.result()


@pytest.fixture
def outcome(runs: Runs, request: pytest.FixtureRequest) -> Outcome:
    if request.param == "full disk" and runs.no_disk:
        pytest.skip(runs.no_disk)
    run = runs.real if "real times" in request.param else runs.fast
    return run.result().by_fault()[request.param]


@each_fault
def test_alert_reaches_exactly_its_receivers(outcome: Outcome) -> None:
    assert {message.to for message in outcome.messages} == set(outcome.expected.to)


@each_fault
def test_alert_is_sent_once_to_each_receiver(outcome: Outcome) -> None:
    sent = Counter(message.to for message in outcome.messages if not is_resolved(message))
    assert sent == dict.fromkeys(outcome.expected.to, 1)


@each_fault
def test_resolution_is_sent_once_to_each_receiver(outcome: Outcome) -> None:
    sent = Counter(message.to for message in outcome.messages if is_resolved(message))
    assert sent == dict.fromkeys(outcome.expected.to, 1)


@each_fault
def test_alert_is_sent_in_time(
    outcome: Outcome, report_delay: ReportFigure, request: pytest.FixtureRequest
) -> None:
    for row in rows(request.node.callspec.id, outcome):
        report_delay(row)
    above = {to: outcome.delay(to) - outcome.floor(to) for to in outcome.expected.to}
    assert max(above.values()) < BOUND_SECONDS, above


@each_fault
def test_resolution_is_sent_in_time(outcome: Outcome) -> None:
    above = {to: outcome.resolved_delay(to) - outcome.resolved_floor for to in outcome.expected.to}
    assert max(above.values()) < BOUND_SECONDS, above


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("Redis killed", "answers but cannot query Redis"),
        ("PostgreSQL killed", "answers but cannot query PostgreSQL"),
    ],
)
def test_message_names_the_failed_part(fault: str, words: str, fast: Run) -> None:
    (message,) = fast.by_fault()[fault].sent(CRITICAL)
    assert words in message.text


@pytest.mark.parametrize("channel", [CRITICAL, DATABASE])
def test_message_names_the_database_and_not_its_exporter(channel: str, fast: Run) -> None:
    (message,) = fast.by_fault()["PostgreSQL killed"].sent(channel)
    assert message.text.startswith("*PostgreSQL Ward database is unreachable*\n")
    assert "\nWhere: Ward database\n" in message.text
    assert "var-postgres_instance=postgres-exporter%3A9187" in message.text


def test_two_full_disks_are_two_lines_with_their_mount_points(runs: Runs, fast: Run) -> None:
    if runs.no_disk:
        pytest.skip(runs.no_disk)
    (message,) = fast.by_fault()["full disk"].sent(WARNINGS)
    assert message.title == "[WARNING] DiskSpaceLow (2) - live-delivery"
    places = re.findall(r"^Where: Ward host, (/\S+/mounted)$", message.text, re.MULTILINE)
    assert len(set(places)) == 2
    assert len(fast.full) == 2
    for place, row in zip(sorted(places), fast.full, strict=True):
        assert row.startswith(place)
        assert row.endswith("node-exporter:9100")


def test_message_in_turkish_counts_the_backends_and_names_the_one(beat: Run) -> None:
    sent = [one for one in messages_of("BackendInstanceDown", beat.messages) if one.to == BACKEND]
    assert sent[0].title == "[UYARI] BackendInstanceDown - live-delivery-beat"
    lines = _as_written(sent[0].text).splitlines()
    assert [re.sub(r"\(\d\d:\d\d:\d\d", "(TIME", line) for line in lines[:5]] == [
        "*Backend'e ulaşılamıyor: 3. servis sunucusu; diğerleri yanıt veriyor "
        "(2 backend'den 1 tanesi)*",
        "Prometheus, backend'den (3. servis sunucusu) ölçüm alamıyor (up = 0). backend job'unun en "
        "az bir başka instance'ı yanıt veriyor ve trafiğini üstleniyor.",
        "İlk adım: API panosundan diğer instance'ların yükü hatasız taşıdığını kontrol edin.",
        "Yer: 3. servis sunucusu",
        "Başlangıç: STAMP (TIME Europe/Istanbul)",
    ]
    assert lines[5].count("|Runbook>") == lines[5].count("|Pano>") == lines[5].count("|Sorgu>") == 1
    assert lines[6].endswith("|Sessize al>")
    assert "var-backend_instance=backend%3A8000" in lines[5]


@pytest.mark.parametrize("alert", ["HighErrorRate", "HighResponseTime"])
def test_backend_down_inhibits_its_error_alerts(alert: str, fast: Run) -> None:
    down = fast.by_fault()["backend killed"]
    sent = messages_of(alert, fast.messages)
    assert fast.others[alert] == "suppressed"
    assert [message.title for message in sent if down.began < message.at < down.ended] == []


def test_single_fault_sends_no_other_alert(real: Run) -> None:
    sent = [message for message in real.messages if message.to != HEARTBEAT]
    assert messages_of("BackendDown", sent) == sent


@pytest.mark.parametrize("name", ["fast", "real", "beat"])
def test_alertmanager_counts_no_failed_delivery(name: str, runs: Runs) -> None:
    run: Run = getattr(runs, name).result()
    assert run.failed == {}


def test_alertmanager_counts_deliveries_of_each_integration(fast: Run) -> None:
    assert {"slack", "email", "webhook"} == set(fast.delivered)


def test_heartbeat_is_sent_every_minute(real: Run) -> None:
    gaps = [later - earlier for earlier, later in itertools.pairwise(real.heartbeats)]
    assert gaps
    assert gaps == pytest.approx([BEAT_SECONDS] * len(gaps), abs=5)


def test_heartbeat_stops_when_prometheus_is_down(beat: Run) -> None:
    before = [at for at in beat.heartbeats if at < beat.killed + VALID_SECONDS]
    after = [at for at in beat.heartbeats if beat.killed + VALID_SECONDS <= at < beat.started]
    assert before
    assert beat.started > max(before) + BEAT_SECONDS + 5
    assert after == []


def test_heartbeat_resumes_when_prometheus_returns(beat: Run) -> None:
    again = [at for at in beat.heartbeats if at >= beat.started]
    assert again
    assert again[0] - beat.started < BEAT_SECONDS / 2


def test_dead_prometheus_is_detected_within_5_minutes(real: Run) -> None:
    assert 0 < real.watchdog_valid_seconds + BEAT_SECONDS <= 300


def _as_written(text: str) -> str:
    """Replace the parts that differ between runs with placeholders."""
    text = re.sub(STAMP, "STAMP", text.replace("\r\n", "\n"))
    text = re.sub(r"until \d\d:\d\d:\d\d UTC", "until TIME", text)
    text = re.sub(r"from=\d+&(amp;)?to=(?:\d+|now)", r"from=THEN&\1to=NOW", text)
    return re.sub(r"127\.0\.0\.1:\d+", "HOST", text).rstrip()


LINKS = (
    "<https://github.com/vitalstream/monitoring/blob/main/docs/runbooks/BackendDown.md|Runbook> | "
    "<http://HOST/d/vitalstream-overview?from=THEN&amp;to=NOW&amp;var-instance=backend%3A8000"
    "|Dashboard> | "
    "<http://HOST/graph?g0.expr=instance%3Abackend_up%3Amin+%3D%3D+0&amp;g0.tab=1|Query>"
)
FIRST = "First: Look at the backend's container: `docker ps -a --filter name=backend`."
SILENCE = (
    "http://HOST/#/silences/new?filter=%7Balertname%3D%22BackendDown%22%2C"
    "stack%3D%22live-delivery-real%22%7D"
)


@pytest.fixture
def down(real: Run) -> Outcome:
    return real.by_fault()["backend killed, real times"]


@pytest.mark.parametrize("channel", [CRITICAL, BACKEND])
def test_slack_message_text(channel: str, down: Outcome) -> None:
    (message,) = down.sent(channel)
    assert message.title == "[CRITICAL] BackendDown - live-delivery-real"
    assert message.content["color"] == "danger"
    assert _as_written(message.text) == "\n".join(
        [
            "*Backend backend:8000 is unreachable*",
            "Prometheus cannot scrape the backend at backend:8000 (up = 0). Patients are probably "
            "not being monitored.",
            FIRST,
            "Where: backend:8000",
            "Since: STAMP",
            LINKS,
            f"<{SILENCE}|Silence>",
        ]
    )


@pytest.mark.parametrize("channel", [CRITICAL, BACKEND])
def test_slack_resolution_text(channel: str, down: Outcome) -> None:
    (message,) = down.resolved(channel)
    assert message.title == "[RESOLVED] BackendDown - live-delivery-real"
    assert message.content["color"] == "good"
    assert _as_written(message.text) == "\n".join(
        [
            "*Over: Backend backend:8000 is unreachable*",
            "Where: backend:8000",
            "Since: STAMP, until TIME",
            LINKS,
        ]
    )


def test_mail_text(down: Outcome) -> None:
    (message,) = down.sent(MAIL)
    assert message.title == "[CRITICAL] BackendDown - live-delivery-real"
    assert _as_written(message.text) == "\n".join(
        [
            "Backend backend:8000 is unreachable",
            "Prometheus cannot scrape the backend at backend:8000 (up = 0). Patients are probably "
            "not being monitored.",
            FIRST,
            "Where: backend:8000",
            "Since: STAMP",
            "Runbook: https://github.com/vitalstream/monitoring/blob/main/docs/runbooks/BackendDown.md",
            "Dashboard: http://HOST/d/vitalstream-overview?from=THEN&to=NOW"
            "&var-instance=backend%3A8000",
            "Query: http://HOST/graph?g0.expr=instance%3Abackend_up%3Amin+%3D%3D+0&g0.tab=1",
            "",
            f"Silence: {SILENCE}",
        ]
    )


def test_mail_html_contains_summary(down: Outcome) -> None:
    (message,) = down.sent(MAIL)
    assert "<strong>Backend backend:8000 is unreachable</strong>" in message.content["text/html"]
