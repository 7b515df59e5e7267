"""The proxy for outgoing messages, and plain http to hosts in the house."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from components.alertmanager import alertmanager, routing
from components.settings import warnings
from components.settings.settings import Settings
from tests.certificates import authority

SettingsOf = Callable[..., Settings]
Refused = Callable[..., str]
PROXY = "http://proxy.example.com:3128"
LOGIN = "http://monitoring:canary-0123456789abcdef@proxy.example.com:3128"
HOOK = "https://hooks.example.com/services/a"


def _clients(value: Any) -> Iterator[dict[str, Any]]:
    """Every `http_config`, and every `oauth2` in one."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in ("http_config", "oauth2"):
                yield item
            yield from _clients(item)
    elif isinstance(value, list):
        for item in value:
            yield from _clients(item)


def test_proxy_is_in_every_http_client_that_names_none(settings: SettingsOf) -> None:
    oauth = {"client_id": "a", "token_url": "https://login.example.com/t"}
    found = settings(
        slackWebhookUrl=HOOK,
        heartbeatUrl=HOOK,
        deliveryProxy=PROXY,
        noProxy=["chat.lan", "10.0.0.0/8"],
        deliveryCa={"slack": authority().pem, "heartbeat": authority().pem},
        receivers={
            "own": {
                "webhook_configs": [
                    {"url": HOOK, "http_config": {"oauth2": oauth}},
                    {"url": HOOK, "http_config": {"proxy_url": "http://other.example.com:1"}},
                    {"url": HOOK, "http_config": {"proxy_from_environment": True}},
                ]
            }
        },
        routes=[{"receiver": "own"}],
        secret_keys=["receivers"],
    )
    clients = list(_clients(yaml.safe_load(routing.render_config(found))))
    ours = [client for client in clients if client.get("proxy_url") == PROXY]
    assert {client["no_proxy"] for client in ours} == {"chat.lan,10.0.0.0/8"}
    # The global one, Slack's four, the heartbeat's, and OAuth's within its own.
    assert (len(ours), len(clients)) == (8, 10)


@pytest.mark.parametrize(("proxy", "secret"), [(PROXY, False), (LOGIN, True), ("", False)])
def test_proxy_with_a_login_makes_the_configuration_a_secret_file(
    proxy: str, secret: bool, settings: SettingsOf
) -> None:
    found = settings(slackWebhookUrl=HOOK, deliveryProxy=proxy)
    files = alertmanager.spec(found).files
    assert files is not None
    assert ("alertmanager.yml" in files.secret_files) is secret
    assert ("alertmanager.yml" in files.files) is not secret
    assert "canary" not in repr(found) + str(files.files)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"deliveryProxy": LOGIN}, "is a secret: set it with --secret"),
        ({"deliveryProxy": "proxy.example.com:3128"}, "is not a proxy's URL"),
        ({"deliveryProxy": "http://proxy.example.com/canary"}, "is not a proxy's URL"),
        ({"deliveryProxy": "http://127.0.0.1:3128"}, "is Alertmanager's own container"),
        ({"noProxy": ["chat.lan"]}, "is set without deliveryProxy"),
        ({"deliveryProxy": PROXY, "noProxy": ["http://chat.lan"]}, "is not a host, such as"),
    ],
)
def test_wrong_proxy_is_refused_and_not_shown(
    values: dict[str, Any], words: str, refused: Refused
) -> None:
    message = refused(values)
    assert words in message
    assert "; fix: " in message
    assert "canary" not in message


IN_HOUSE = [
    "http://10.1.2.3:8065/hooks/canary",
    "http://192.168.1.5/canary",
    "http://mattermost:8065/hooks/canary",
    "http://chat.clinic.lan/hooks/canary",
    "http://status.local/api/push/canary",
]
ANYWHERE = [
    ("http://chat.example.com/canary", "is http to a host that may be anywhere: https"),
    ("http://8.8.8.8/canary", "is http to a host that may be anywhere: https"),
    ("http://localhost:3001/canary", "is Alertmanager's own container"),
]


def _values(key: str, url: str) -> dict[str, Any]:
    """The settings that post to a URL, by one way."""
    if key == "receivers":
        entry = {"webhook_configs": [{"url": url}]}
        return {"receivers": {"own": entry}, "routes": [{"receiver": "own"}]}
    return {key: {"critical": url} if key == "slackWebhookUrls" else url}


WAYS = ["heartbeatUrl", "slackWebhookUrl", "slackWebhookUrls", "receivers"]
each_way = pytest.mark.parametrize("key", WAYS)


@each_way
@pytest.mark.parametrize("url", IN_HOUSE)
def test_plain_http_in_the_house_is_taken_with_a_warning(
    key: str, url: str, settings: SettingsOf
) -> None:
    found = settings(secret_keys=WAYS, **_values(key, url))
    (words,) = warnings.plain_http(found)
    assert key in words
    assert "canary" not in words


@each_way
@pytest.mark.parametrize(("url", "words"), ANYWHERE)
def test_plain_http_to_anywhere_is_refused(
    key: str, url: str, words: str, refused: Refused
) -> None:
    message = refused(_values(key, url), WAYS)
    assert words in message
    assert "; fix: pulumi config set --secret" in message
    assert "canary" not in message
