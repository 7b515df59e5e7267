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
    (
        "slackWebhookUrl",
        "http://hooks.example.com/canary",
        "is http to a host that may be anywhere",
    ),
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
    ("webPassword", "correct horse battery", "has a space in it"),
    ("webPassword", "canary", "is weak: it has fewer than 12 characters"),
    ("webPassword", "canary-" * 11, "is longer than the 72 bytes that bcrypt takes"),
]
IDS = [f"{key}={value!r}" for key, value, _ in WRONG]
SHOWN = [(key, value) for key, value, _ in WRONG if value]


def test_passphrase_with_spaces_is_accepted_for_grafana(settings: Callable[..., Any]) -> None:
    phrase = "correct horse battery staple"
    found = settings(grafanaAdminPassword=phrase).grafana_admin_password
    assert found.get_secret_value() == phrase


@pytest.mark.parametrize(("key", "value", "words"), WRONG, ids=IDS)
def test_invalid_secret_is_refused_with_a_reason(
    key: str, value: str, words: str, refused: Refused
) -> None:
    assert words in refused({key: value})


@pytest.mark.parametrize(("key", "value"), SHOWN)
def test_invalid_secret_message_masks_it(key: str, value: str, refused: Refused) -> None:
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
def test_value_set_as_secret_is_masked(key: str, value: Any, refused: Refused) -> None:
    assert "canary" not in refused({key: value}, {*SECRETS, key})


@pytest.mark.parametrize("key", sorted(SECRETS))
def test_clear_text_secret_is_refused(key: str, refused: Refused) -> None:
    assert "is a secret: set it with --secret" in refused({key: SECRETS[key]}, set(SECRETS) - {key})


@pytest.mark.parametrize("key", sorted(SECRETS))
def test_clear_text_secret_message_masks_it(key: str, refused: Refused) -> None:
    assert SECRETS[key] not in refused({key: SECRETS[key]}, set(SECRETS) - {key})


def test_secret_fix_prompts_for_the_value(refused: Refused) -> None:
    """Require the prompt: a value on the command line stays in the shell's history."""
    message = refused({"grafanaAdminPassword": "admin123"}, stack="prod")
    assert message.endswith("pulumi config set --secret grafanaAdminPassword --stack prod")


def test_missing_password_without_settings_is_reported() -> None:
    with pytest.raises(SettingsError, match="grafanaAdminPassword is missing"):
        loader.parse("test", {}, ())


def test_mail_user_without_password_is_reported_with_other_problems(refused: Refused) -> None:
    message = refused({"mailUsername": "monitoring", "demo": "yes"})
    assert "vitalstream:mailPassword is missing: mailUsername is set" in message
