"""Rotations of a stack's secrets, and the check that each new secret is in force."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from components.settings.tls import served_names
from ops import connections
from tests.issued import issued
from tests.live.delivery import CRITICAL, MAIL, Subject, messages_of
from tests.live.stack import TIMEOUT_SECONDS, Stack, eventually

NAME = "live-rotation"
DELIVERED_SECONDS = 30
# One heartbeat a minute, plus its group_wait.
BEAT_SECONDS = 100
HOSTS = served_names("127.0.0.1", "")
NEW_PATH = "another-path"


@dataclass
class Rotating:
    """Stack as the last rotation left it."""

    subject: Subject
    stack: Stack
    silence: str
    path: str

    def moved(self, url: str) -> str:
        return url.replace(self.path, NEW_PATH)


@dataclass(frozen=True)
class Rotation:
    """Rotation of the secrets `keys`, with the new settings in `values`.

    `restarted` are the services that restart for it. `elsewhere` first changes the secret in a
    third party's service. `in_force` raises where the new secret is not in force or the old one
    still is.
    """

    keys: tuple[str, ...]
    values: Callable[[Rotating], dict[str, str]]
    in_force: Callable[[Rotating, Stack], None]
    restarted: frozenset[str] = frozenset()
    elsewhere: Callable[[Rotating, Stack], None] = field(default=lambda _was, _now: None)

    def __str__(self) -> str:
        return "+".join(self.keys)


def password(key: str, setting: str) -> Callable[[Rotating], dict[str, str]]:
    return lambda _: {key: f"live-{setting}-Password-9"}


def value(stack: Stack, key: str) -> str:
    return str(stack.config.values[f"vitalstream:{key}"])


def serves_only_the_new_password(was: Rotating, now: Stack) -> None:
    for service in sorted({"prometheus", "alertmanager"} & now.result.urls.keys()):
        url = f"{now.result.urls[service]}/metrics"
        statuses = []
        for stack in (was.stack, now):
            with connections.session(stack.settings) as session:
                statuses.append(session.get(url, timeout=TIMEOUT_SECONDS).status_code)
        assert statuses == [401, 200], service


def serves_only_the_new_certificate(was: Rotating, now: Stack) -> None:
    for service, url in now.result.urls.items():
        host, _, port = url.removeprefix("https://").partition(":")
        context = ssl.create_default_context(cadata=now.settings.tls_ca)
        with (
            socket.create_connection((host, int(port)), TIMEOUT_SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=host) as served,
        ):
            shown = served.getpeercert(binary_form=True)
        assert shown == ssl.PEM_cert_to_DER_cert(value(now, "tlsCertificate")), service
        assert value(was.stack, "tlsKey") != value(now, "tlsKey")


def grafana_lets_in_with_the_new_password(was: Rotating, now: Stack) -> None:
    url = f"{now.result.urls['grafana']}/api/org"
    statuses = []
    for stack in (was.stack, now):
        login = ("admin", value(stack, "grafanaAdminPassword"))
        with connections.trusting(stack.settings.tls_ca) as session:
            statuses.append(session.get(url, auth=login, timeout=TIMEOUT_SECONDS).status_code)
    assert statuses == [401, 200]


def delivered(alert: str, to: str) -> Callable[[Rotating, Stack], None]:
    """Check that the sink receives the alert; it accepts only the new address and password."""

    def check(was: Rotating, now: Stack) -> None:
        ends = datetime.now(UTC) + timedelta(minutes=5)
        labels = {"alertname": alert, "severity": "critical", "service": "live", "stack": NAME}
        body = [{"labels": labels, "annotations": {"summary": "x"}, "endsAt": ends.isoformat()}]
        with now.session() as session:
            url = f"{now.result.urls['alertmanager']}/api/v2/alerts"
            assert session.post(url, json=body, timeout=TIMEOUT_SECONDS).ok
        assert was.subject.sink.wait_until(
            lambda messages: to in [found.to for found in messages_of(alert, messages)],
            DELIVERED_SECONDS,
        )

    return check


def beats(was: Rotating, _now: Stack) -> None:
    since = time.time()
    was.subject.sink.wait_until(
        lambda _: any(at > since for at in was.subject.heartbeats()), BEAT_SECONDS
    )
    assert any(at > since for at in was.subject.heartbeats())


def move_webhooks(was: Rotating, _now: Stack) -> None:
    """Make Slack and the heartbeat service accept the new address and refuse the old one."""
    was.subject.sink.path = NEW_PATH


def change_mail_login(was: Rotating, now: Stack) -> None:
    was.subject.sink.login = ("live", value(now, "mailPassword"))


def connect(stack: Stack, secret: str) -> psycopg.Connection:
    return psycopg.connect(
        host=stack.address("demo-postgres"),
        user="postgres_exporter",
        password=secret,
        dbname="postgres",
        connect_timeout=TIMEOUT_SECONDS,
    )


def alter_role(was: Rotating, now: Stack) -> None:
    command = sql.SQL("ALTER ROLE postgres_exporter PASSWORD {}")
    with connect(was.stack, value(was.stack, "postgresPassword")) as session:
        session.execute(command.format(value(now, "postgresPassword")))


def postgres_is_looked_at(was: Rotating, now: Stack) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(now, value(was.stack, "postgresPassword"))
    connect(now, value(now, "postgresPassword")).close()
    is_looked_at(now, "pg_up")


def redis_is_looked_at(was: Rotating, now: Stack) -> None:
    answers = []
    for stack in (was.stack, now):
        with socket.create_connection((now.address("demo-redis"), 6379), 5) as connection:
            connection.sendall(f"AUTH {value(stack, 'redisPassword')}\r\n".encode())
            answers.append(connection.recv(100).split()[0])
    assert answers == [b"-WRONGPASS", b"+OK"]
    is_looked_at(now, "redis_up")


def is_looked_at(stack: Stack, up: str) -> None:
    since = time.time()
    assert eventually(lambda: stack.query(f"timestamp({up} == 1) > {since:.3f}"), 30)


ROTATIONS = (
    Rotation(
        keys=("webPassword",),
        values=password("webPassword", "web"),
        restarted=frozenset({"grafana"}),
        in_force=serves_only_the_new_password,
    ),
    Rotation(
        keys=("tlsKey", "tlsCertificate", "tlsCa"),
        values=lambda _: issued(HOSTS),
        restarted=frozenset({"grafana"}),
        in_force=serves_only_the_new_certificate,
    ),
    Rotation(
        keys=("grafanaAdminPassword",),
        values=password("grafanaAdminPassword", "grafana"),
        in_force=grafana_lets_in_with_the_new_password,
    ),
    Rotation(
        keys=("slackWebhookUrl",),
        values=lambda was: {"slackWebhookUrl": was.moved(was.subject.sink.slack_url)},
        in_force=delivered("AfterTheWebhook", CRITICAL),
        elsewhere=move_webhooks,
    ),
    Rotation(
        keys=("heartbeatUrl",),
        values=lambda was: {"heartbeatUrl": was.moved(was.subject.sink.heartbeat_url)},
        in_force=beats,
        elsewhere=move_webhooks,
    ),
    Rotation(
        keys=("mailPassword",),
        values=password("mailPassword", "mail"),
        in_force=delivered("AfterTheMailPassword", MAIL),
        elsewhere=change_mail_login,
    ),
    Rotation(
        keys=("postgresPassword",),
        values=password("postgresPassword", "postgres"),
        restarted=frozenset({"postgres-exporter"}),
        in_force=postgres_is_looked_at,
        elsewhere=alter_role,
    ),
    Rotation(
        keys=("redisPassword",),
        values=password("redisPassword", "redis"),
        restarted=frozenset({"redis-exporter"}),
        in_force=redis_is_looked_at,
    ),
)
