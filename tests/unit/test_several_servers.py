"""Several PostgreSQL and Redis servers: an exporter each, and over TLS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.exporters import postgres, redis
from components.prometheus.config import jobs_of_stack
from components.settings.settings import Settings
from ops.offline import program
from ops.offline.program import StackConfig
from tests.certificates import authority
from tests.unit.conftest import View, stack_config

SettingsOf = Callable[..., Settings]
Refused = Callable[..., str]
KEY = "canary-0123456789abcdef"
SECRET = ("servers",)
CA = authority().pem
REPLICA = {"address": "replica:5432", "user": "exporter", "password": KEY}
RDS = {**REPLICA, "address": "db.example.com:5432", "sslmode": "verify-full", "ca": CA}
CACHE = {"address": "cache.example.com:6380", "tls": True}


def _targets(settings: Settings, job: str) -> list[str]:
    (found,) = jobs_of_stack(settings)[job]["static_configs"]
    targets: list[str] = found["targets"]
    return targets


def _view(**values: Any) -> View:
    config = stack_config("dev", values)
    secret = StackConfig(config.values, (*config.secret_keys, "vitalstream:servers"))
    return View("dev", tuple(program.run("dev", secret)))


def test_flat_settings_are_the_server_named_default(settings: SettingsOf) -> None:
    found = settings(secret_keys=SECRET, servers={"postgresql": {"replica-1": REPLICA}})
    assert _targets(found, "postgres") == [
        "postgres-exporter:9187",
        "postgres-exporter-replica-1:9187",
    ]
    assert _targets(found, "redis") == ["redis-exporter:9121"]


def test_servers_alone_need_no_flat_settings(settings: SettingsOf) -> None:
    found = settings(
        secret_keys=SECRET,
        postgresPassword="",
        servers={"postgresql": {"primary": REPLICA}, "redis": {"cache": CACHE}},
    )
    assert _targets(found, "postgres") == ["postgres-exporter-primary:9187"]
    assert _targets(found, "redis") == ["redis-exporter-cache:9121"]
    assert "postgres-exporter" not in found.services


def test_each_server_has_an_exporter_in_the_kind_s_network(
    run_program: Callable[..., Any],
) -> None:
    before = run_program("dev", demo=False)
    view = _view(demo=False, servers={"postgresql": {"replica-1": REPLICA}})
    added = view.containers().keys() - before.containers().keys()
    assert added == {"postgres-exporter-replica-1"}
    assert view.networks_of("postgres-exporter-replica-1") == view.networks_of("postgres-exporter")
    for name in ("postgres-exporter", "redis-exporter"):
        assert view.containers()[name] == before.containers()[name]
    files = view.config("postgres-exporter-replica-1")["secret_files"]
    assert files["password"] == KEY


@pytest.mark.parametrize(("server", "internal"), [(REPLICA, True), (RDS, False)])
def test_exporters_of_a_managed_server_have_a_way_out(
    server: dict[str, Any], internal: bool
) -> None:
    view = _view(
        demo=False,
        publishExporters=False,
        applicationNetworks=["clinic"],
        servers={"postgresql": {"one": server}},
    )
    networks = view.inputs("Network")
    assert networks["postgres-exporter"]["internal"] is internal
    assert networks["redis-exporter"]["internal"] is True


def test_postgresql_over_tls_verifies_by_its_own_authority(settings: SettingsOf) -> None:
    found = settings(secret_keys=SECRET, servers={"postgresql": {"rds": RDS}})
    spec = postgres.spec(found, "rds")
    uri = "DATA_SOURCE_URI=db.example.com:5432/postgres?sslmode=verify-full"
    assert any(
        env.startswith(f"{uri}&sslrootcert=/etc/postgres_exporter/server-ca.pem&")
        for env in spec.container.envs
    )
    assert spec.files is not None
    assert spec.files.files["server-ca.pem"].strip() == CA.strip()


def test_redis_over_tls_with_an_acl_user(settings: SettingsOf) -> None:
    one = {**CACHE, "ca": CA, "user": "exporter", "password": KEY}
    spec = redis.spec(settings(secret_keys=SECRET, servers={"redis": {"cache": one}}), "cache")
    assert "--redis.addr=rediss://cache.example.com:6380" in spec.container.command
    assert "--tls-ca-cert-file=/etc/redis_exporter/server-ca.pem" in spec.container.command
    assert spec.files is not None
    passwords = yaml.safe_load(spec.files.secret_files["passwords.json"])
    assert passwords == {
        "rediss://cache.example.com:6380": KEY,
        "rediss://exporter@cache.example.com:6380": KEY,
    }
    assert KEY not in str(spec.container)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"postgresql": {"a": {"address": "a:5432"}}}, "postgresql.a.user", "is missing"),
    ({"postgresql": {"a": {"address": "a:5432"}}}, "postgresql.a.password", "is missing"),
    ({"postgresql": {"a": {**REPLICA, "tls": True}}}, "postgresql.a.tls", "is of Redis"),
    ({"postgresql": {"a": {**REPLICA, "ca": CA}}}, "postgresql.a.ca", "is not used"),
    ({"redis": {"a": {"address": "a:6379", "user": "u"}}}, "redis.a.password", "is missing"),
    ({"redis": {"a": {**CACHE, "sslmode": "require"}}}, "redis.a.sslmode", "is of PostgreSQL"),
    ({"redis": {"a": {**CACHE, "database": "0"}}}, "redis.a.database", "is of no use"),
    ({"redis": {"a": {"address": "localhost:6379"}}}, "redis.a.address", "host.docker.internal"),
    ({"redis": {"A": CACHE}}, "redis.A", "is not a name of a server"),
    ({"mongodb": {"a": CACHE}}, "mongodb", "is not a kind of service"),
]


@pytest.mark.parametrize(("servers", "path", "words"), WRONG, ids=[row[1] for row in WRONG])
def test_wrong_server_is_refused_by_its_path_with_a_fix(
    servers: dict[str, Any], path: str, words: str, refused: Refused
) -> None:
    message = refused({"servers": servers}, SECRET)
    line = next(x for x in message.splitlines() if x.startswith(f"  vitalstream:servers.{path}"))
    assert words in line
    assert "; fix: " in line
    assert KEY not in message


def test_password_of_a_server_in_clear_text_is_refused_and_not_shown(refused: Refused) -> None:
    message = refused({"servers": {"postgresql": {"a": REPLICA}}}, ())
    assert "--secret --path 'servers.postgresql.a.password'" in message
    assert KEY not in message
