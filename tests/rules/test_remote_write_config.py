"""What promtool says of receivers of remote write: it takes their logins, and judges the rest."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.prometheus import remote_write
from components.settings import loader
from tests.certificates import authority

REQUIRED = {"grafanaAdminPassword": "a-long-password", "postgresPassword": "a-long-password"}
RECEIVER = {"name": "mimir", "url": "https://mimir.example.com/api/v1/push"}
TOKEN_URL = "https://login.example.com/token"


def _checked(promtool: str, folder: Path, receiver: dict[str, Any]) -> str:
    """Return what promtool says against a receiver; nothing if it is right."""
    values = {**REQUIRED, "remoteWrite": json.dumps([RECEIVER | receiver])}
    settings = loader.parse("test", values, {*REQUIRED, "remoteWrite"})
    files = remote_write.files(settings) | remote_write.secret_files(settings)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(remote_write.rendered(settings, str(folder))))
    done = subprocess.run(
        [promtool, "check", "config", path],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize(
    "receiver",
    [
        {"basic_auth": {"username": 12345, "password": "p"}},
        {"authorization": {"credentials": "t"}, "headers": {"X-Scope-OrgID": 42}},
        {"oauth2": {"client_id": "i", "client_secret": "s", "token_url": TOKEN_URL}},
        {"sigv4": {"region": "eu-central-1", "role_arn": "arn:aws:iam::1:role/a"}},
        {"queue_config": {"max_shards": 3}, "send_exemplars": True},
        {"username": "u", "password": "p", "tenant": "clinic", "keep": ["up"]},
    ],
    ids=lambda receiver: next(iter(receiver)),
)
def test_promtool_takes_a_receiver(receiver: dict[str, Any], promtool: str, tmp_path: Path) -> None:
    own = {"ca": authority().pem} if "username" in receiver else {}
    assert _checked(promtool, tmp_path, receiver | own) == ""


@pytest.mark.parametrize(
    ("receiver", "words"),
    [
        ({"write_relabel_configs": [{"action": "dropp"}]}, "unknown relabel action"),
        (
            {"writeRelabel": [{"action": "hashmod", "targetLabel": "a"}]},
            "requires non-zero modulus",
        ),
        ({"queue_config": {"shards": 3}}, "field shards not found"),
        ({"headers": {"Content-Type": "a"}}, "Content-Type is a reserved header"),
        ({"remote_timeout": "10"}, "not a valid duration string"),
    ],
)
def test_promtool_refuses_what_the_settings_pass_through(
    receiver: dict[str, Any], words: str, promtool: str, tmp_path: Path
) -> None:
    assert words.lower() in _checked(promtool, tmp_path, receiver).lower()
