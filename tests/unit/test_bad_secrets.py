"""Wrong secrets: refused with a reason that never shows them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.settings import loader
from components.settings.loader import SettingsError
from tests.unit.conftest import SECRETS

Refused = Callable[..., str]

WRONG = [
    ("grafanaAdminPassword", "", "is missing"),
    ("grafanaAdminPassword", "admin123", "is a default or a well-known password"),
    ("grafanaAdminPassword", "Admin123", "is a default or a well-known password"),
    ("grafanaAdminPassword", "tr0ub4dor", "is weak: it has fewer than 12 characters"),
    ("grafanaAdminPassword", "abababababab", "is weak: it has fewer than 5 different characters"),
    ("grafanaAdminPassword", "correct-horse\nbattery", "has a line break"),
    ("grafanaAdminPassword", "correct-horse-battery ", "begins or ends with a space"),
    ("postgresPassword", "correct horse battery", "has a space in it"),
    ("postgresPassword", "", "is missing"),
    ("redisPassword", "hunter two", "has a space in it"),
    ("slackWebhookUrl", "http://hooks.example.com/canary", "is not an https URL"),
    ("slackWebhookUrl", "hooks.example.com/canary", "is not an https URL"),
    ("slackWebhookUrl", "https:///canary", "is not an https URL"),
    ("slackWebhookUrl", "https://hooks.example.com/a canary", "is not an https URL"),
    ("slackWebhookUrl", "https://[canary]/", "is not an https URL"),
    ("slackWebhookUrl", "https://hooks.example.com:abc/canary", "is not an https URL"),
    ("heartbeatUrl", "https://beats.example.com/%zzcanary", "is not an https URL"),
    ("heartbeatUrl", "https://beats.example.com/a\nb", "is not an https URL"),
    ("heartbeatUrl", "ftp://beats.example.com/canary", "is not an https URL"),
    ("mailPassword", "canary-of-mail", "is set without mailUsername"),
    ("mailPassword", "canary\nof-mail", "has a line break"),
    ("webPassword", "canary", "is weak: it has fewer than 12 characters"),
    ("webPassword", "canary-" * 11, "is longer than the 72 bytes that bcrypt takes"),
]
IDS = [f"{key}={value!r}" for key, value, _ in WRONG]
SHOWN = [(key, value) for key, value, _ in WRONG if value]


@pytest.mark.parametrize(("key", "value", "words"), WRONG, ids=IDS)
def test_a_wrong_secret_is_refused_with_a_reason(
    key: str, value: str, words: str, refused: Refused
) -> None:
    assert words in refused({key: value})


@pytest.mark.parametrize(("key", "value"), SHOWN)
def test_the_message_never_shows_the_secret(key: str, value: str, refused: Refused) -> None:
    message = refused({key: value})
    assert [part for part in (value, "canary") if part in message] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mailFrom", "a canary in secret"),
        ("ports", "a canary in secret"),
        ("ports", {"grafana": "a canary in secret"}),
        ("slakWebhookUrl", "a canary in secret"),
    ],
)
def test_what_is_set_as_a_secret_is_not_shown_whatever_it_is(
    key: str, value: Any, refused: Refused
) -> None:
    assert "canary" not in refused({key: value}, {*SECRETS, key})


@pytest.mark.parametrize("key", sorted(SECRETS))
def test_a_secret_in_clear_text_is_refused(key: str, refused: Refused) -> None:
    assert "is a secret: set it with --secret" in refused({key: SECRETS[key]}, set(SECRETS) - {key})


@pytest.mark.parametrize("key", sorted(SECRETS))
def test_a_secret_in_clear_text_is_not_repeated_in_the_message(key: str, refused: Refused) -> None:
    assert SECRETS[key] not in refused({key: SECRETS[key]}, set(SECRETS) - {key})


def test_the_way_to_mend_a_secret_asks_for_it_at_the_prompt(refused: Refused) -> None:
    """On the command line it would stay in the shell's history."""
    message = refused({"grafanaAdminPassword": "admin123"}, stack="prod")
    assert message.endswith("pulumi config set --secret grafanaAdminPassword --stack prod")


def test_a_missing_password_is_told_where_nothing_is_set() -> None:
    with pytest.raises(SettingsError, match="grafanaAdminPassword is missing"):
        loader.parse("test", {}, ())


def test_a_mail_user_without_a_password_is_told_with_the_other_faults(refused: Refused) -> None:
    message = refused({"mailUsername": "monitoring", "demo": "yes"})
    assert "vitalstream:mailPassword is missing: mailUsername is set" in message
