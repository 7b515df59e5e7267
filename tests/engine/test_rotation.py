"""Secrets exchanged by `pulumi config set --secret` and `up` on the real engine: what changes, what
restarts, and what the service then reads. Grafana's, the certificate and `webPassword` are in
test_dev_stack.py and test_prod_stack.py; that the new ones are in force is tested by
tests/live/test_rotation.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.engine.program import SECRETS, EngineStack

STACK = "engine-rotation"
LIKE = "dev"
CONFIG: dict[str, object] = {
    "demo": False,
    "scrapeInterval": "3s",
    "evaluationInterval": "3s",
    "mailSmarthost": "mail.invalid:587",
    "mailUsername": "canary",
}
MORE_SECRETS = {
    "mailPassword": "canary-mail-6b1f90c2",
    "heartbeatUrl": "https://beats.invalid/canary-3d5e7f90",
}


@dataclass(frozen=True)
class Rotation:
    """A secret's new value, and the service that reads it: from `file`, and whether it restarts."""

    key: str
    value: str
    service: str
    file: str
    restarts: bool = False


ROTATIONS = (
    Rotation(
        "postgresPassword",
        "canary-rotated-postgres-51d2",
        "postgres-exporter",
        "/etc/postgres_exporter/password",
        restarts=True,
    ),
    Rotation(
        "redisPassword",
        "canary-rotated-redis-62e3",
        "redis-exporter",
        "/etc/redis_exporter/passwords.json",
        restarts=True,
    ),
    Rotation(
        "slackWebhookUrl",
        "https://slack.invalid/canary-rotated-73f4",
        "alertmanager",
        "/etc/alertmanager/secrets/slack_webhook_url",
    ),
    Rotation(
        "mailPassword",
        "canary-rotated-mail-8405",
        "alertmanager",
        "/etc/alertmanager/secrets/mail_password",
    ),
    Rotation(
        "heartbeatUrl",
        "https://beats.invalid/canary-rotated-9516",
        "alertmanager",
        "/etc/alertmanager/secrets/heartbeat_url",
    ),
)


@pytest.fixture(scope="module")
def up(engine: EngineStack) -> EngineStack:
    engine.up()
    return engine


@pytest.mark.parametrize("rotation", ROTATIONS, ids=lambda rotation: rotation.key)
def test_up_secret_rotated_updates_one_resource_without_replacement(
    rotation: Rotation, up: EngineStack
) -> None:
    old = {**SECRETS, **MORE_SECRETS}[rotation.key]
    before = up.started()
    up.set_secret(rotation.key, rotation.value)
    assert up.up() == {"update": 1}
    name = f"vitalstream-{STACK}-{rotation.service}"
    restarted = {found for found, at in up.started().items() if at != before[found]}
    assert restarted == ({name} if rotation.restarts else set())
    content = up.container(rotation.service).exec_run(["cat", rotation.file]).output
    assert rotation.value.encode() in content
    assert old.encode() not in content


def test_up_after_rotations_changes_nothing(up: EngineStack) -> None:
    assert up.up() == {}
