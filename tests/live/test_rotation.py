"""Every secret of a stack exchanged for another one, as by `pulumi config set --secret` and `up`:
the new one is in force, the old one is not, nothing is replaced and nothing lost.

PostgreSQL's and Redis' own passwords are changed there first, as docs/production.md says.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import docker
import psycopg
import pytest
from psycopg import sql

from components.config_files_provider import ConfigFilesProvider
from components.settings import Settings
from components.tls_settings import served_names
from ops import access, program, rehearsal
from ops.rehearsal.plan import CONTAINER
from tests.certificates import authority
from tests.issued import issued
from tests.live import stack as stacks
from tests.live.delivery import CRITICAL, MAIL, Pace, Subject, messages_of, subject
from tests.live.ingestion import JOBS, answering, scraped_until, tell
from tests.live.stack import (
    CONFIG_FILES,
    SCRAPE_SECONDS,
    TIMEOUT_SECONDS,
    Stack,
    eventually,
    not_of_this_machine,
)

NAME = "live-rotation"
PACE = Pace(scrape=SCRAPE_SECONDS, evaluation=SCRAPE_SECONDS, group=60)
BACK_SECONDS = 60
TOLD_SECONDS = 30
# A beat a minute, and what its group waits.
BEAT_SECONDS = 100
# More than those from the first file in place to the last: what a restarted exporter takes.
FAILED_SCRAPES = 5
HOSTS = served_names("127.0.0.1", "")
SERVED = issued(HOSTS)
NEW_PATH = "another-path"
WEB_PASSWORD = "live-web-Password-6"
DOCS = program.ROOT / "docs" / "production.md"


@dataclass
class Rotating:
    """The stack as the last rotation left it."""

    subject: Subject
    stack: Stack
    silence: str
    path: str

    def moved(self, url: str) -> str:
        return url.replace(self.path, NEW_PATH)


@dataclass(frozen=True)
class Rotation:
    """`values` are the new settings, of which `keys` are exchanged, `restarted` the services that
    start anew for it; `elsewhere` is done first where the secret is somebody else's, `in_force`
    raises where the new one is not in force, or the old one still is.
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
            with access.session(stack.settings) as session:
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
        with access.trusting(stack.settings.tls_ca) as session:
            statuses.append(session.get(url, auth=login, timeout=TIMEOUT_SECONDS).status_code)
    assert statuses == [401, 200]


def told(alert: str, to: str) -> Callable[[Rotating, Stack], None]:
    """What the sink takes since: it knows the new address and the new password alone."""

    def check(was: Rotating, now: Stack) -> None:
        ends = datetime.now(UTC) + timedelta(minutes=5)
        labels = {"alertname": alert, "severity": "critical", "service": "live", "stack": NAME}
        body = [{"labels": labels, "annotations": {"summary": "x"}, "endsAt": ends.isoformat()}]
        with now.session() as session:
            url = f"{now.result.urls['alertmanager']}/api/v2/alerts"
            assert session.post(url, json=body, timeout=TIMEOUT_SECONDS).ok
        assert was.subject.sink.wait_until(
            lambda messages: to in [found.to for found in messages_of(alert, messages)],
            TOLD_SECONDS,
        )

    return check


def beats(was: Rotating, _now: Stack) -> None:
    since = time.time()
    was.subject.sink.wait_until(
        lambda _: any(at > since for at in was.subject.heartbeats()), BEAT_SECONDS
    )
    assert any(at > since for at in was.subject.heartbeats())


def move_webhooks(was: Rotating, _now: Stack) -> None:
    """Slack's and the heartbeat's service take the new address, and the old one no more."""
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
        in_force=told("AfterTheWebhook", CRITICAL),
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
        in_force=told("AfterTheMailPassword", MAIL),
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
each_rotation = pytest.mark.parametrize("rotation", ROTATIONS, ids=str)


def secrets() -> set[str]:
    """The settings that are secret, or have something secret in them."""
    schema = Settings.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})

    def is_secret(part: Any) -> bool:
        if isinstance(part, list):
            return any(map(is_secret, part))
        if not isinstance(part, dict):
            return False
        if part.get("format") == "password":
            return True
        named = str(part.get("$ref", "")).rpartition("/")[2]
        return is_secret(definitions.get(named)) or any(map(is_secret, part.values()))

    return {key for key, part in schema["properties"].items() if is_secret(part)}


@pytest.fixture(scope="module")
def rotating(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Rotating]:
    if elsewhere := not_of_this_machine(docker_client):
        pytest.skip(elsewhere)
    with subject(
        NAME,
        docker_client,
        images,
        PACE,
        frozenset({"demo-backend", "demo-traffic"}),
        authority(),
        demo=True,
        tls=True,
        webPassword=WEB_PASSWORD,
        **SERVED,
    ) as found:
        silence = stacks.silence(found.stack, "Nothing", "survives every rotation")
        yield Rotating(found, found.stack, silence, found.sink.path)


def changed(stack: Stack, values: dict[str, str]) -> Stack:
    """The stack as it is to be, of which nothing is there yet."""
    prefixed = {f"vitalstream:{key}": new for key, new in values.items()}
    config = program.StackConfig({**stack.config.values, **prefixed}, stack.config.secret_keys)
    made = tuple(program.run(stack.name, config))
    return Stack(stack.name, stack.client, config, rehearsal.Result(stack.result.urls, (), made))


def of_type(stack: Stack, kind: str) -> dict[str, dict[str, Any]]:
    return {
        made.name: program.unwrap(made.inputs)
        for made in stack.result.registrations
        if made.type == kind
    }


def apply(was: Stack, now: Stack) -> None:
    """What `up` does with the files that differ; those of services that are not there stay."""
    provider, olds = ConfigFilesProvider(), of_type(was, CONFIG_FILES)
    running = {str(found.name) for found in was.containers()}
    for name, news in of_type(now, CONFIG_FILES).items():
        old = olds[name]
        if news["container"] in running and provider.diff("", old, news).changes:
            provider.update(f"{old['volume']}:{old['target']}", old, news)


def started(stack: Stack) -> dict[str, str]:
    prefix = f"vitalstream-{stack.name}-"
    return {
        str(found.name).removeprefix(prefix): found.attrs["State"]["StartedAt"]
        for found in stack.containers()
    }


def failed_scrapes(stack: Stack, since: float) -> dict[str, int]:
    """How many there were since a moment, by job, of what is there in this stack."""
    window = f"[{time.time() - since:.0f}s]"
    failed = f"count_over_time(up{window}) - sum_over_time(up{window}) > 0"
    there = {JOBS[service] for service in JOBS.keys() & started(stack).keys()}
    found = {series["metric"]["job"]: int(series["value"][1]) for series in stack.query(failed)}
    return {job: count for job, count in sorted(found.items()) if job in there}


@each_rotation
def test_a_rotated_secret_is_in_force_and_costs_no_more_than_is_said(
    rotation: Rotation, rotating: Rotating, capsys: pytest.CaptureFixture[str]
) -> None:
    was = rotating.stack
    if "grafana" not in was.result.urls and rotation.keys == ("grafanaAdminPassword",):
        pytest.skip("Grafana is left out: there is no image of it here")
    assert eventually(answering(was, "prometheus"), BACK_SECONDS)
    now = changed(was, rotation.values(rotating))
    assert of_type(changed(was, {}), CONTAINER) == of_type(now, CONTAINER), "something is replaced"
    before, began = started(was), time.time()
    counted = scraped_until(was, began)

    rotation.elsewhere(rotating, now)
    apply(was, now)
    took = time.time() - began
    rotation.in_force(rotating, now)
    rotating.stack = now

    restarted = {name for name, at in started(now).items() if at != before[name]}
    services = {name for name in restarted if not name.startswith("demo-")}
    assert services == rotation.restarted & before.keys()
    jobs = [name for name in ("prometheus", "alertmanager", *services) if name in before]
    for service in jobs:
        assert eventually(answering(now, service, began + took), BACK_SECONDS), service
    assert scraped_until(now, began) == counted
    silence = now.get("alertmanager", f"/api/v2/silence/{rotating.silence}")
    assert silence["status"]["state"] == "active"
    failed = failed_scrapes(now, began)
    tell(
        capsys,
        f"{rotation}: in place after {took:.1f} s, restarted {', '.join(sorted(services)) or '-'}"
        f", failed scrapes {failed or '-'}",
    )
    assert max(failed.values(), default=0) <= took / SCRAPE_SECONDS + FAILED_SCRAPES


def test_every_secret_is_rotated_here() -> None:
    rotated = {key for rotation in ROTATIONS for key in rotation.keys}
    assert secrets() == set(program.SECRETS)
    assert secrets() <= rotated


@each_rotation
def test_the_docs_say_what_a_rotation_restarts(rotation: Rotation) -> None:
    lines = DOCS.read_text().splitlines()
    names = ", ".join(f"`{key}`" for key in rotation.keys)
    (row,) = [line for line in lines if line.startswith(f"| {names} ")]
    said = row.split("|")[2]
    for service in rotation.restarted:
        assert f"`{service}` restarts" in said
    if not rotation.restarted:
        assert "nothing restarts" in said
