"""What a maintenance window may cover."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.settings.settings import Settings
from ops.silence.window import SilenceError, Window, as_text, labels_of, window

SettingsOf = Callable[..., Settings]


@pytest.fixture(scope="module")
def asked(settings: SettingsOf) -> Callable[..., Window]:
    alerts = labels_of(settings("prod"))

    def ask(*matchers: str, **values: Any) -> Window:
        usual = {"duration": "2h", "author": "ops", "comment": "move", "why_all": ""}
        return window(alerts, matchers, **{**usual, **values})

    return ask


@pytest.mark.parametrize(
    ("matcher", "covered"),
    [
        ('alertname="RedisDown"', {"RedisDown"}),
        ("alertname=RedisDown", {"RedisDown"}),
        ('alertname="RedisDwn"', set()),
        ('{alertname=~"RedisDown|PostgreSQLDown", severity="critical"}',
         {"RedisDown", "PostgreSQLDown"}),
    ],
)  # fmt: skip
def test_window_covers_the_alerts_that_its_matchers_name(
    matcher: str, covered: set[str], asked: Callable[..., Window]
) -> None:
    assert set(asked(matcher).covered) == covered


@pytest.mark.parametrize("matcher", ['service="host"', 'instance="10.0.0.5:9100"', 'team=~"lab.*"'])
def test_window_that_is_narrowed_down_is_taken(matcher: str, asked: Callable[..., Window]) -> None:
    assert asked(matcher).comment == "move"


@pytest.mark.parametrize(
    ("matchers", "what"),
    [
        ((), "every alert"),
        (('stack="prod"',), "every alert"),
        (('alertname=~".+"',), "every alert"),
        (('severity=~"critical|warning"',), "every alert"),
        (('instance=~".*"',), "every alert"),
        (('team!="laboratory"',), "every alert"),
        (('severity="critical"',), "every critical alert"),
        (('severity!="warning"', 'stack="prod"'), "every critical alert"),
    ],
)
def test_window_over_everything_is_refused_without_a_reason(
    matchers: tuple[str, ...], what: str, asked: Callable[..., Window]
) -> None:
    with pytest.raises(SilenceError, match=rf"cover {what} of the stack\. fix: .*--all REASON"):
        asked(*matchers)


def test_window_over_everything_with_a_reason_keeps_the_heartbeat(
    asked: Callable[..., Window],
) -> None:
    found = asked('stack="prod"', comment="", why_all="the ward is closed")
    assert [as_text(matcher) for matcher in found.matchers] == [
        'stack="prod"',
        'alertname!="Watchdog"',
    ]
    assert (found.comment, found.keeps_heartbeat) == ("the ward is closed", True)


@pytest.mark.parametrize(
    ("matcher", "values", "words"),
    [
        ('alertname="RedisDown"', {"duration": "2d"}, r"not from 1s to 1d.*fix: --for 1d"),
        ('alertname="RedisDown"', {"duration": "2 hours"}, "is not a Prometheus duration"),
        ('alertname="RedisDown"', {"duration": ""}, "is not a Prometheus duration"),
        ('alertname="RedisDown"', {"comment": " "}, "needs a comment.*fix: --comment"),
        ("RedisDown", {}, "RedisDown is not a matcher. fix: "),
        ('alertname="Watchdog"', {}, "is the heartbeat"),
    ],
)
def test_wrong_window_is_refused_with_a_fix(
    matcher: str, values: dict[str, str], words: str, asked: Callable[..., Window]
) -> None:
    with pytest.raises(SilenceError, match=words):
        asked(matcher, **values)
