"""Why a receiver was not reached, as two generations of Alertmanager log it."""

from __future__ import annotations

import pytest

from ops.drill.log import errors_in, with_fix

FIRST = r'err="Post \"https://hooks.example/services/SECRET\": dial tcp: refused"'
LAST = (
    'err="backend/slack[0]: notify retry canceled after 3 attempts: unexpected status code 500: no"'
)
OTHER = (
    'err="critical/email[0]: notify retry canceled due to unrecoverable error after 1 attempts: '
    'no such host"'
)
LATER = 'msg="Notify attempt failed, will retry later"'
FAILED = 'msg="Notify for alerts failed"'
GROUP = r'aggrGroup="{}/{service=\"backend\"}:{}"'
LOGFMT = f"""
ts=2026-01-02T03:04:05Z caller=main.go:240 level=info msg="Starting Alertmanager"
ts=2026-01-02T03:04:06Z level=warn receiver=backend integration=slack[0] {LATER} attempts=1 {FIRST}
ts=2026-01-02T03:04:07Z level=error component=dispatcher {FAILED} num_alerts=1 {LAST}
ts=2026-01-02T03:04:08Z level=error component=dispatcher {FAILED} num_alerts=1 {OTHER}
"""
SLOG = f"""
time=2026-01-02T03:04:06Z level=WARN {LATER} receiver=backend integration=slack[0] {GROUP} {FIRST}
time=2026-01-02T03:04:07Z level=ERROR {FAILED} component=dispatcher {GROUP} num_alerts=1 {LAST}
time=2026-01-02T03:04:08Z level=ERROR {FAILED} component=dispatcher num_alerts=1 {OTHER}
"""
every_format = pytest.mark.parametrize("log", [LOGFMT, SLOG], ids=["logfmt", "slog"])


@every_format
def test_the_reasons_are_those_of_the_receiver(log: str) -> None:
    assert errors_in(log, "backend", "slack") == [
        'Post "https://hooks.example/...": dial tcp: refused',
        "unexpected status code 500: no",
    ]


@every_format
def test_the_reasons_are_those_of_the_integration(log: str) -> None:
    assert errors_in(log, "critical", "email") == ["no such host"]
    assert errors_in(log, "critical", "slack") == []


@every_format
def test_log_line_leaves_out_the_webhooks_secret(log: str) -> None:
    assert "SECRET" not in str(errors_in(log, "backend", "slack"))


def test_repeated_reason_is_returned_once() -> None:
    assert len(errors_in(LOGFMT + LOGFMT, "critical", "email")) == 1


@pytest.mark.parametrize(
    ("reason", "fix"),
    [
        ('channel "#a": error response from Slack: not_in_channel', "fix: /invite @your-app"),
        ('channel "#a": error response from Slack: channel_not_found', "fix: the name in slackCh"),
        ("error response from Slack: invalid_auth", "--secret slackToken"),
        ("received an error response from Slack: no_service", "--secret slackWebhookUrl"),
        ("unexpected status code 500: no", ""),
    ],
)
def test_reason_of_slack_has_its_fix(reason: str, fix: str) -> None:
    found = with_fix(reason)
    assert found.startswith(reason)
    assert fix in found
    assert ("fix: " in found) is bool(fix)
