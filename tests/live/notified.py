"""One Alertmanager with every way to notify, through a proxy with a login, and its alerts.

The alerts are posted to it: tests/live/test_delivery.py has the way from a fault to the alert.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import docker

from components.alertmanager.receivers import SLACK_API
from components.docker.config_files_provider import ConfigFilesProvider
from components.rules.rule_set import RuleSet
from ops.offline import local_deploy
from tests.certificates import authority
from tests.live import services
from tests.live import stack as stacks
from tests.live.delivery import BACKEND, CRITICAL, DATABASE, WARNINGS, address
from tests.live.services import Proxy, Services
from tests.live.sinks import Message, Sink, sink
from tests.live.stack import SECRETS, TIMEOUT_SECONDS, Stack, eventually
from tests.rules.rule_files import ISSUED_ALERTS

STACK = "live-notifications"
CHANNELS = frozenset({CRITICAL, WARNINGS, DATABASE, BACKEND})
# Invented for this test.
TOKEN = "xoxb-live-Token-11"
NEW_TOKEN = "xoxb-live-Token-12"
PAGERDUTY_KEY = "live-pagerduty-Key-13"
TELEGRAM_TOKEN = "123456:live-telegram-Token-14"
WEBHOOK_PATH = "live-path-15"
PROXY_LOGIN = "live:proxy-Password-16"
ESCALATE_SECONDS = 20
DELIVERED_SECONDS = 25
EVERYBODY = ("teams", "pagerduty", "telegram", "webhook")
# In the morning, by the clock of Berlin; summer time begins on 28 March 2027 at 02:00.
MORNING = {
    "times": [{"start_time": "07:00", "end_time": "08:00"}],
    "months": ["march"],
    "years": ["2027"],
    "location": "Europe/Berlin",
}
ALL_WEEK = {"weekdays": ["sunday:saturday"], "years": [f"{datetime.now(UTC).year}:2099"]}


@dataclass(frozen=True)
class World:
    """The stack, where its messages go, and when its first alerts were posted (Unix time)."""

    stack: Stack
    services: Services
    sink: Sink
    proxy: Proxy
    began: float

    def received(self, alert: str) -> list[Message]:
        """Return the messages on an alert, by whatever way."""
        found = [*self.services.messages.messages, *self.sink.messages]
        return [one for one in found if re.search(rf"\b{alert}\b", one.title)]

    def muted(self, alert: str) -> set[str]:
        """Return the time intervals that mute an alert on any route, once it is due."""
        filters = {"filter": f'alertname="{alert}"'}
        return {
            name
            for group in self.stack.get("alertmanager", "/api/v2/alerts/groups", **filters)
            for found in group["alerts"]
            for name in found["status"].get("mutedBy") or ()
        }

    def reached(self, alert: str, *to: str, seconds: float = DELIVERED_SECONDS) -> set[str]:
        """Return who got an alert, once these did, or after so many seconds."""

        def all_of_them() -> set[str]:
            found = {message.to for message in self.received(alert)}
            return found if found >= set(to) else set()

        eventually(all_of_them, seconds)
        return {message.to for message in self.received(alert)}


def own_receivers(found: Services, pem: str) -> dict[str, Any]:
    """Return receivers of Alertmanager's own schema, with the addresses of the replacements."""
    trusts = {"http_config": {"tls_config": {"ca": pem}}}
    own = {
        "msteamsv2_configs": [{"webhook_url": f"{found.url}/teams/{found.path}", **trusts}],
        "pagerduty_configs": [
            {"routing_key": PAGERDUTY_KEY, "url": f"{found.url}/v2/enqueue", **trusts}
        ],
        "telegram_configs": [
            {"bot_token": TELEGRAM_TOKEN, "api_url": found.url, "chat_id": 1, **trusts}
        ],
        "webhook_configs": [{"url": f"{found.url}/webhook/{found.path}", **trusts}],
    }
    return {
        "own": own,
        # In the house: Alertmanager may have another time than the certificates are for.
        "house": {"webhook_configs": [{"url": f"{found.plain_url}/house/{found.path}"}]},
        "head": {"webhook_configs": [{"url": f"{found.url}/head/{found.path}", **trusts}]},
    }


def settings_of(found: Services, mails: Sink, via: Proxy, pem: str) -> dict[str, Any]:
    soon = {"wait": "1s", "interval": "1m"}
    return {
        "slackWebhookUrl": "",
        "slackToken": TOKEN,
        "mailSmarthost": mails.smarthost,
        "mailUsername": mails.login[0],
        "heartbeatUrl": mails.heartbeat_url,
        "deliveryCa": dict.fromkeys(("slack", "mail", "heartbeat"), pem),
        "deliveryProxy": via.url,
        "noProxy": [url.split("/")[2] for url in (mails.heartbeat_url, found.plain_url)],
        "receivers": own_receivers(found, pem),
        "destinations": {"warnings": {"timings": {"wait": "5s"}}},
        "muteTimes": {
            "always": {"intervals": [ALL_WEEK]},
            "morning": {"intervals": [MORNING]},
        },
        "routes": [
            {"receiver": to, "matchers": [f'team="{team}"'], "continue": False, "timings": soon}
            | ({"mute": [mute]} if mute else {})
            for to, team, mute in (
                ("own", "all", ""),
                ("own", "muted", "always"),
                ("house", "morning", "morning"),
            )
        ],
        "escalateAfter": f"{ESCALATE_SECONDS}s",
        "escalateTo": "head",
    }


@contextlib.contextmanager
def running(client: docker.DockerClient, images: dict[str, str]) -> Iterator[World]:
    """Start Alertmanager alone with every way to notify, and post the alerts."""
    ca, here = authority(), address(client)
    chats = Services(TOKEN, CHANNELS, PAGERDUTY_KEY, TELEGRAM_TOKEN, WEBHOOK_PATH)
    with ExitStack() as up:
        mails = up.enter_context(sink(ca, here, ("live", SECRETS["mailPassword"])))
        via = up.enter_context(services.proxy(here, PROXY_LOGIN))
        up.enter_context(services.serving(chats, ca, here))
        up.enter_context(stacks.alone(STACK, client))
        values = settings_of(chats, mails, via, ca.pem.strip())
        config = stacks.config(images, **values)
        config = type(config)(config.values, (*config.secret_keys, "vitalstream:receivers"))
        gone = frozenset({"grafana", "prometheus", "postgres-exporter", "redis-exporter"})
        gone |= {"node-exporter"}
        result = local_deploy.up(STACK, config, stacks.say, leave_out=gone)
        found = World(Stack(STACK, client, config, result), chats, mails, via, time.time())
        # Slack's own address is in the configuration; its replacement is here.
        edit(found, {SLACK_API: f"{chats.url}/api/chat.postMessage"})
        post_all(found)
        yield found


def edit(found: World, replaced: dict[str, str]) -> None:
    """Replace texts in Alertmanager's secret files, as an `up` would deliver them."""
    olds = found.stack.config_files("alertmanager")
    files = {**olds["secret_files"]}
    for path, text in files.items():
        for old, new in replaced.items():
            text = text.replace(old, new)  # noqa: PLW2901
        files[path] = text
    ConfigFilesProvider().update("", olds, {**olds, "secret_files": files})


def post(found: World, *alerts: dict[str, str], now: datetime | None = None) -> None:
    now = now or datetime.now(UTC)
    body = [
        {
            "labels": {"stack": STACK, "severity": "warning", "service": "live", **labels},
            "annotations": {"summary": labels["alertname"], "description": "Nothing is wrong."},
            "startsAt": now.isoformat(),
            "endsAt": (now + timedelta(hours=1)).isoformat(),
        }
        for labels in alerts
    ]
    url = f"{found.stack.result.urls['alertmanager']}/api/v2/alerts"
    with found.stack.session() as session:
        assert session.post(url, json=body, timeout=TIMEOUT_SECONDS).ok


def post_all(found: World) -> None:
    """Post the eleven alerts, and those of the other tests, each of an instance of its own."""
    rules = RuleSet.shipped().alerts
    eleven = [
        {**rules[name].labels, "alertname": name, "severity": rules[name].severity}
        for name in ISSUED_ALERTS
    ]
    others = [
        {"alertname": "Watchdog", "severity": "none", "service": "monitoring"},
        {"alertname": "ForAll", "team": "all"},
        {"alertname": "MutedWarning", "team": "muted"},
        {"alertname": "MutedCritical", "team": "muted", "severity": "critical"},
        {"alertname": "GoesOn", "severity": "critical"},
        {"alertname": "TakenOver", "severity": "critical"},
    ]
    post(found, *({**alert, "instance": f"{alert['alertname']}:1"} for alert in eleven + others))
    stacks.silence(found.stack, "TakenOver", "somebody is on it")
