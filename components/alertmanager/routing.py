"""Routing table, one row per destination, rendered to `alertmanager.yml`.

Every row whose labels match gets the alert. No alert is dropped: one that matches no row goes to
the receiver of critical alerts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Literal

import yaml

from components.catalog.integrations import with_defaults
from components.settings.settings import Settings

CONFIG_DIR = "/etc/alertmanager"
SLACK_URL_FILE = f"{CONFIG_DIR}/secrets/slack_webhook_url"
MAIL_PASSWORD_FILE = f"{CONFIG_DIR}/secrets/mail_password"
CA_DIR = f"{CONFIG_DIR}/ca"
# Alerts that agree on these labels are grouped into one message.
GROUP_BY = ("alertname", "service", "stack")
HEARTBEAT_RECEIVER = "heartbeat"
HEARTBEAT_ALERT = "Watchdog"
HEARTBEAT_MATCHER = f'alertname="{HEARTBEAT_ALERT}"'


@dataclass(frozen=True)
class Destination:
    """Receiver: the matcher of its alerts, its Slack channel's key, and whether it gets mail.

    `wait` is group_wait, `interval` group_interval and `repeat` repeat_interval.
    """

    receiver: str
    matcher: str
    channel: str
    mail: bool = False
    wait: str = "5s"
    interval: str = "1m"
    repeat: str = "12h"


DESTINATIONS = (
    Destination("critical", 'severity="critical"', "critical", mail=True, repeat="1h"),
    Destination("warnings", 'severity="warning"', "warnings", wait="30s", interval="5m"),
    Destination("database", 'service="database"', "database"),
    Destination("backend", 'service="backend"', "backend"),
)
DEFAULT = DESTINATIONS[0]


@dataclass(frozen=True)
class Inhibition:
    """Inhibition of the alerts of `target` while an alert of `source` with the same labels `equal`
    fires.

    Alertmanager takes a label that both alerts lack as equal: a label in `equal` that not every
    alert has needs a matcher that requires it.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    equal: tuple[str, ...]


def _down(alert: str, service: str) -> Inhibition:
    """Return the inhibition of a service's other alerts while it is down.

    They are consequences. A critical error rate too: whoever is on call has already been notified.
    """
    return Inhibition(
        (f'alertname="{alert}"',), (f'service="{service}"', f'alertname!="{alert}"'), ("stack",)
    )


def inhibitions(monitored: Collection[str]) -> tuple[Inhibition, ...]:
    """Return the inhibitions of a stack that monitors these kinds of services."""
    return (
        Inhibition(
            ('severity="critical"', 'instance=~".+"'),
            ('severity="warning"', 'instance=~".+"'),
            ("stack", "service", "instance"),
        ),
        *(
            _down(found.down_alert, found.service)
            for found in with_defaults(monitored)
            if found.down_alert
        ),
    )


def destinations(monitored: Collection[str]) -> tuple[Destination, ...]:
    """Return the destinations of a stack that monitors these kinds of services."""
    services: dict[str, list[str]] = defaultdict(list)
    for found in with_defaults(monitored):
        if found.destination:
            services[found.destination].append(found.service)
    return tuple(
        replace(row, matcher=f'service=~"{"|".join(sorted(services[row.receiver]))}"')
        if len(services[row.receiver]) > 1
        else row
        for row in DESTINATIONS
    )


def render_config(settings: Settings) -> str:
    """Return `alertmanager.yml`. Secrets are referenced as files."""
    config: dict[str, Any] = {
        "global": _globals(settings),
        "templates": [f"{CONFIG_DIR}/*.tmpl"],
        "route": {
            "receiver": DEFAULT.receiver,
            "group_by": list(GROUP_BY),
            **_timing(DEFAULT),
            "routes": [_heartbeat_route(), *map(_route, destinations(settings.watch))],
        },
        "inhibit_rules": [
            {
                "source_matchers": list(rule.source),
                "target_matchers": list(rule.target),
                "equal": list(rule.equal),
            }
            for rule in inhibitions(settings.watch)
        ],
        "receivers": [
            _heartbeat_receiver(settings),
            *(_receiver(settings, destination) for destination in DESTINATIONS),
        ],
    }
    return yaml.safe_dump(config, sort_keys=False, allow_unicode=True)


def has_slack(settings: Settings) -> bool:
    return bool(settings.slack_webhook_url.get_secret_value())


def has_heartbeat(settings: Settings) -> bool:
    return bool(settings.heartbeat_url.get_secret_value())


def ca_files(settings: Settings) -> dict[str, str]:
    """Return the authorities that the settings name, by path."""
    return {_ca_file(kind): pem for kind, pem in settings.delivery_ca.model_dump().items() if pem}


def _ca_file(kind: str) -> str:
    return f"{CA_DIR}/{kind}.pem"


def _trust(settings: Settings, kind: Literal["slack", "mail", "heartbeat"]) -> dict[str, Any]:
    """Return a receiver's TLS configuration with the authority that it trusts."""
    if not getattr(settings.delivery_ca, kind):
        return {}
    trust = {"tls_config": {"ca_file": _ca_file(kind)}}
    return trust if kind == "mail" else {"http_config": trust}


def _globals(settings: Settings) -> dict[str, Any]:
    values: dict[str, Any] = {"resolve_timeout": "5m"}
    if has_slack(settings):
        values["slack_api_url_file"] = SLACK_URL_FILE
    if settings.mail_smarthost:
        values["smtp_smarthost"] = settings.mail_smarthost
        values["smtp_from"] = settings.mail_from
        values["smtp_require_tls"] = settings.mail_require_tls
    if settings.mail_username:
        values["smtp_auth_username"] = settings.mail_username
        values["smtp_auth_password_file"] = MAIL_PASSWORD_FILE
    return values


def _timing(destination: Destination) -> dict[str, str]:
    return {
        "group_wait": destination.wait,
        "group_interval": destination.interval,
        "repeat_interval": destination.repeat,
    }


def _route(destination: Destination) -> dict[str, Any]:
    return {
        "receiver": destination.receiver,
        "matchers": [destination.matcher],
        "continue": True,
        **_timing(destination),
    }


def _heartbeat_route() -> dict[str, Any]:
    """Return the route of the heartbeat alert, which goes to no other receiver.

    A heartbeat is due every minute. Repeats are decided once per group_interval: with a
    group_interval of a minute too, each repeat would be slightly early, and heartbeats came every
    two minutes (observed).
    """
    return {
        "receiver": HEARTBEAT_RECEIVER,
        "matchers": [HEARTBEAT_MATCHER],
        "group_wait": "0s",
        "group_interval": "30s",
        "repeat_interval": "55s",
    }


def _heartbeat_receiver(settings: Settings) -> dict[str, Any]:
    """Return the heartbeat's receiver, which is empty without a heartbeat URL."""
    receiver: dict[str, Any] = {"name": HEARTBEAT_RECEIVER}
    if has_heartbeat(settings):
        # Alertmanager before 0.26 has no `url_file`, so this whole file is then kept as a secret.
        url = settings.heartbeat_url.get_secret_value()
        receiver["webhook_configs"] = [
            {"url": url, "send_resolved": False, **_trust(settings, "heartbeat")}
        ]
    return receiver


def _receiver(settings: Settings, destination: Destination) -> dict[str, Any]:
    receiver: dict[str, Any] = {"name": destination.receiver}
    if has_slack(settings):
        channel: str = getattr(settings.slack_channels, destination.channel)
        receiver["slack_configs"] = [
            {
                "channel": channel,
                "send_resolved": True,
                "color": '{{ template "vitalstream.color" . }}',
                "title": '{{ template "vitalstream.title" . }}',
                "title_link": "{{ .ExternalURL }}",
                "text": '{{ template "vitalstream.slack" . }}',
                "fallback": '{{ template "vitalstream.title" . }}',
                **_trust(settings, "slack"),
            }
        ]
    if destination.mail and settings.mail_smarthost:
        receiver["email_configs"] = [
            {
                "to": ", ".join(settings.mail_to),
                "send_resolved": True,
                "headers": {"Subject": '{{ template "vitalstream.subject" . }}'},
                "html": '{{ template "vitalstream.mail.html" . }}',
                "text": '{{ template "vitalstream.mail.text" . }}',
                **_trust(settings, "mail"),
            }
        ]
    return receiver
