"""A stack moves from the flat settings to `servers` on the real engine: no alert is lost."""

from __future__ import annotations

from pulumi import automation

from tests.engine.program import SECRETS, EngineStack, eventually

STACK = "engine-servers"
LIKE = "dev"
# Nobody answers: both alerts fire.
POSTGRES, REDIS = "nobody.invalid:5432", "nobody.invalid:6379"
CONFIG = {
    "demo": False,
    "watch": ["postgresql", "redis"],
    "scrapeInterval": "3s",
    "evaluationInterval": "3s",
    "postgresAddress": POSTGRES,
    "redisAddress": REDIS,
    "alerts": {"PostgreSQLDown": {"for": "3s"}, "RedisDown": {"for": "3s"}},
}
FIRING = {
    ("PostgreSQLDown", "postgres-exporter:9187"),
    ("RedisDown", "redis-exporter:9121"),
}
WAIT_SECONDS = 90


def _since(engine: EngineStack) -> dict[tuple[str, str], str]:
    """When each alert that fires became active, by its name and instance."""
    found = engine.query(
        # Before the first scrape, one of no instance.
        'ALERTS_FOR_STATE{alertname=~".*Down",instance!=""} and on (alertname, instance) '
        'ALERTS{alertstate="firing"}'
    )
    return {
        (one["metric"]["alertname"], one["metric"]["instance"]): one["value"][1] for one in found
    }


def _move(engine: EngineStack) -> None:
    """Take the flat settings out, and write the same as the servers `default`."""
    for key in ("postgresAddress", "redisAddress"):
        del engine.values[key]
    for key in ("postgresAddress", "redisAddress", "postgresPassword", "redisPassword"):
        engine.stack.remove_config(f"vitalstream:{key}")
    for path, value, secret in (
        ("postgresql.default.address", POSTGRES, False),
        ("postgresql.default.user", "postgres_exporter", False),
        ("postgresql.default.password", SECRETS["postgresPassword"], True),
        ("redis.default.address", REDIS, False),
        ("redis.default.password", SECRETS["redisPassword"], True),
    ):
        engine.stack.set_config(
            f"vitalstream:servers.{path}", automation.ConfigValue(value, secret=secret), path=True
        )


def test_move_to_servers_named_default_changes_nothing_and_keeps_every_alert(
    engine: EngineStack,
) -> None:
    engine.up()
    assert eventually(lambda: set(_since(engine)) == FIRING, WAIT_SECONDS), _since(engine)
    before = _since(engine)
    started = engine.started()
    _move(engine)
    assert engine.up() == {}
    assert engine.started() == started
    assert _since(engine) == before


def test_added_server_leaves_the_alerts_of_the_others_as_they_are(engine: EngineStack) -> None:
    before = _since(engine)
    assert set(before) == FIRING
    engine.stack.set_config(
        "vitalstream:servers.redis.sessions.address",
        automation.ConfigValue("sessions.invalid:6379"),
        path=True,
    )
    engine.up()
    assert eventually(lambda: len(_since(engine)) == len(FIRING) + 1, WAIT_SECONDS), _since(engine)
    assert {key: _since(engine)[key] for key in FIRING} == before
