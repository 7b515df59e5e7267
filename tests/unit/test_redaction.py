"""Credentials in text that people read, whatever their shape."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from components.common.redaction import MASK, redact, redact_value
from tests.each import for_each

PASSWORD = "Sup3rS3cretPw!"
DIGEST = "sha256:" + "0" * 64

CREDENTIALS = [
    f"postgres://app:{PASSWORD}@db.example.com:5432/app",
    f"postgresql://app:{PASSWORD}@db/app?sslmode=require",
    f"redis://:{PASSWORD}@cache:6379/0",
    f"rediss://default:{PASSWORD}@cache:6380",
    f"amqp://guest:{PASSWORD}@mq:5672/%2F",
    f"https://{PASSWORD}@sentry.example.com/1",
    f"https://user:{PASSWORD}@registry.example.com/a/b:1@{DIGEST}",
    f"mongodb+srv://u:{PASSWORD}@cluster.example.com/db",
    f"ssh://ops:{PASSWORD}@10.0.0.2",
    f"app:{PASSWORD}@db:5432",
    f":{PASSWORD}@cache:6379",
    f"app:a/b@{PASSWORD}@db",
    f'https://app:a"b{PASSWORD}@db',
    f"https://app:a'b{PASSWORD}@db",
    f"postgres%3A%2F%2Fapp%3A{PASSWORD}%40db%2Fapp",
    f"jdbc:postgresql://db/app?user=app&password={PASSWORD}",
    f"postgres://db/app?sslpassword={PASSWORD}&sslmode=require",
    f"https://in.example.com/hook?token={PASSWORD}",
    f"https://prod.logic.azure.com/workflows/1/triggers/manual/paths/invoke?sig={PASSWORD}",
    f"host=db user=app password='{PASSWORD} and more'",
    f"https://hooks.slack.com/services/T0/B0/{PASSWORD}",
    f"https://discord.com/api/webhooks/1/{PASSWORD}",
    f"https://api.telegram.org/bot1:{PASSWORD}/getMe",
    f"xoxb-1-2-{PASSWORD}",
]
HARMLESS = [
    "mail ops-team@example.com, or call",
    "mailto:ops-team@example.com",
    "VitalStream <ops-team@example.com>",
    f"prom/prometheus:v3.5.0@{DIGEST}",
    f"localhost:5000/prom/prometheus:v3.5.0@{DIGEST}",
    "ssh://ops@10.0.0.2",
    "unix:///var/run/docker.sock",
    "https://mon.example.com:3000/d/x?from=1&to=2",
    "sum(job:rate5m @ end()) by (instance)",
    "job:rate5m@1700000000",
    'up{job="backend",instance="backend:8000"} == 0',
    "fix: pulumi config set --secret postgresPassword --stack prod",
    "pulumi config set mailFrom ops@example.com --stack prod",
    "see https://docs.example.com/x and mail me@example.com",
]


@for_each("text", CREDENTIALS)
@for_each("around", ["{}", "got {}, no", 'x = "{}"', "['{}', 'b']", "vitalstream:{}"])
def test_redact_text_with_credentials_masks_them(text: str, around: str) -> None:
    found = redact(around.format(text))
    assert PASSWORD not in found
    assert MASK in found


@for_each("text", CREDENTIALS)
@for_each(
    "shape",
    [
        lambda text: text,
        lambda text: [text, "b"],
        lambda text: {"a": {"b": [text]}},
        lambda text: {text: 1},
        lambda text: f'["{text}", {{"not": json',
    ],
)
def test_redact_value_of_any_shape_masks_credentials(text: str, shape: Any) -> None:
    assert PASSWORD not in json.dumps(redact_value(shape(text)))


def test_redact_value_with_a_space_in_the_password_masks_all_of_it() -> None:
    assert redact_value("postgres://app:two words@db/app") == f"postgres://{MASK}@db/app"


@pytest.mark.parametrize("name", ["password", "apiKey", "routing_key", "teamsWebhookUrl", "token"])
def test_redact_value_under_the_name_of_a_secret_masks_it(name: str) -> None:
    assert redact_value({name: PASSWORD}) == {name: MASK}


@for_each("text", HARMLESS)
def test_redact_text_without_credentials_leaves_it(text: str) -> None:
    assert (redact(text), redact_value(text)) == (text, text)


def test_redact_text_masked_before_leaves_it() -> None:
    masked = [redact(text) for text in CREDENTIALS]
    assert [redact(text) for text in masked] == masked


@for_each("piece", ["b", "b.", "a:", "a,b:", "a=", "://", "{a:", "password", "a://b:"])
def test_redaction_of_a_long_word_takes_little_time(piece: str) -> None:
    """Of 50,000 letters some took from 7 s to five minutes."""
    text = piece * (50_000 // len(piece))
    before = time.process_time()
    redact(text)
    assert time.process_time() - before < 2
