"""Several PostgreSQL and Redis servers: an exporter each, and over TLS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from components.common import certificates
from components.exporters import postgres, redis
from components.prometheus.config import jobs_of_stack
from components.settings.settings import Settings
from ops.offline import placeholders, program
from ops.offline.program import StackConfig
from tests.certificates import authority
from tests.unit.conftest import View, stack_config

SettingsOf = Callable[..., Settings]
Refused = Callable[..., str]
KEY = "canary-0123456789abcdef"
SECRET = ("servers",)
AUTHORITY = authority()
CA = AUTHORITY.pem
CERTIFICATE, CLIENT_KEY = AUTHORITY.client()
CLIENT = {"certificate": CERTIFICATE, "key": CLIENT_KEY}
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


def test_postgresql_with_a_client_certificate_needs_no_password(settings: SettingsOf) -> None:
    one = {**RDS, **CLIENT, "password": ""}
    spec = postgres.spec(settings(secret_keys=SECRET, servers={"postgresql": {"a": one}}), "a")
    folder = "/etc/postgres_exporter"
    wanted = f"&sslcert={folder}/client.pem&sslkey={folder}/client-key.pem&"
    assert any(wanted in env for env in spec.container.envs)
    assert spec.files is not None
    assert spec.files.files["client.pem"] == f"{CERTIFICATE.strip()}\n"
    assert spec.files.secret_files["client-key.pem"] == f"{CLIENT_KEY.strip()}\n"


def test_render_of_an_encrypted_client_key_needs_no_key() -> None:
    encrypted = {**RDS, "certificate": CERTIFICATE, "password": "", "key": {"secure": "v1:x"}}
    filled = placeholders.filled({"postgresql": {"a": encrypted}}, "servers")
    client = filled["postgresql"]["a"]
    assert [*certificates.key_problems(client["key"], client["certificate"])] == []


def test_redis_with_a_client_certificate_shows_it(settings: SettingsOf) -> None:
    one = {**CACHE, **CLIENT, "ca": CA}
    spec = redis.spec(settings(secret_keys=SECRET, servers={"redis": {"a": one}}), "a")
    assert "--tls-client-cert-file=/etc/redis_exporter/client.pem" in spec.container.command
    assert "--tls-client-key-file=/etc/redis_exporter/client-key.pem" in spec.container.command
    assert spec.files is not None
    assert "client-key.pem" in spec.files.secret_files


def test_postgresql_user_and_database_reach_the_exporter_as_they_are(
    settings: SettingsOf,
) -> None:
    one = {**REPLICA, "user": "watcher@clinic", "database": "vital signs"}
    found = settings(secret_keys=SECRET, servers={"postgresql": {"azure": one}})
    envs = postgres.spec(found, "azure").container.envs
    assert "DATA_SOURCE_USER=watcher@clinic" in envs
    assert "PGDATABASE=vital signs" in envs
    assert any(env.startswith("DATA_SOURCE_URI=replica:5432/?sslmode=") for env in envs)


def test_databases_of_the_provider_are_not_looked_into(settings: SettingsOf) -> None:
    found = settings(secret_keys=SECRET, servers={"postgresql": {"rds": RDS}})
    command = postgres.spec(found, "rds").container.command
    (flag,) = [one for one in command if one.startswith("--exclude-databases=")]
    assert "rdsadmin" in flag.partition("=")[2].split(",")
    assert not any("exclude" in one for one in postgres.spec(settings()).container.command)


def test_sentinel_is_a_target_with_a_label_of_its_own(settings: SettingsOf) -> None:
    sentinel = {"address": "sentinel-1:26379", "sentinel": True}
    found = settings(
        secret_keys=SECRET, servers={"redis": {"cache": CACHE, "sentinel-1": sentinel}}
    )
    assert jobs_of_stack(found)["redis"]["static_configs"] == [
        {"targets": ["redis-exporter-cache:9121"]},
        {"targets": ["redis-exporter-sentinel-1:9121"], "labels": {"sentinel": "true"}},
    ]


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
    ({"redis": {"a": {**CACHE, "certificate": CERTIFICATE}}}, "redis.a.key", "is missing"),
    ({"redis": {"a": {**CACHE, "key": CLIENT_KEY}}}, "redis.a.certificate", "is missing"),
    ({"redis": {"a": {"address": "a:6379", **CLIENT}}}, "redis.a.certificate", "is not used"),
    (
        {"redis": {"a": {**CACHE, **CLIENT, "key": AUTHORITY.client()[1]}}},
        "redis.a.key",
        "does not belong to certificate",
    ),
    ({"redis": {"a": {**CACHE, "sslmode": "require"}}}, "redis.a.sslmode", "is of PostgreSQL"),
    ({"redis": {"a": {**CACHE, "database": "0"}}}, "redis.a.database", "is of no use"),
    ({"postgresql": {"a": {**REPLICA, "sentinel": True}}}, "postgresql.a.sentinel", "of Redis"),
    ({"redis": {"a": {**CACHE, "user": "a@b", "password": KEY}}}, "redis.a.user", "has @ in it"),
    (
        {"postgresql": {"a": {**REPLICA, "address": "/var/run/postgresql"}}},
        "postgresql.a.address",
        "is a Unix socket",
    ),
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
