"""What is rendered for each stack, judged by the services' own tools."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from components.docker import tls_files
from components.user_files.paths import PROJECT_DIR
from ops.offline import render
from ops.offline.program import SECRETS, StackConfig
from tests.certificates import authority

STACKS = ("dev", "prod")
PACKAGES = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}
EVERY_RECEIVER = {
    "mailSmarthost": "smtp.example.com:587",
    "mailUsername": "monitoring",
    "mailPassword": "placeholder-of-mail",
    "slackWebhookUrl": "https://slack.example/placeholder",
    "heartbeatUrl": "https://beats.example/placeholder",
}
PRIVATE_CA = authority().pem
RECEIVERS = {
    "as committed": {},
    "all": EVERY_RECEIVER,
    "all, by certificates of one's own": {
        **EVERY_RECEIVER,
        "deliveryCa": json.dumps(dict.fromkeys(("slack", "mail", "heartbeat"), PRIVATE_CA)),
    },
    "none": dict.fromkeys(EVERY_RECEIVER, ""),
    "a bot token": {**EVERY_RECEIVER, "slackWebhookUrl": "", "slackToken": "xoxb-placeholder"},
    "a webhook for each channel": {
        **EVERY_RECEIVER,
        "slackWebhookUrl": "",
        "slackWebhookUrls": json.dumps(
            {
                channel: f"https://hooks.slack.com/services/{channel}"
                for channel in ("critical", "warnings", "database", "backend")
            }
        ),
    },
    "mail alone": {**EVERY_RECEIVER, "slackWebhookUrl": "", "heartbeatUrl": ""},
    "Slack alone": {**dict.fromkeys(EVERY_RECEIVER, ""), "slackWebhookUrl": "https://a.example/b"},
}


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        message = f"{name} is not on PATH: install Debian's {PACKAGES[name]} package"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found


@pytest.fixture(scope="module")
def promtool() -> str:
    return _tool("promtool")


@pytest.fixture(scope="module")
def amtool() -> str:
    return _tool("amtool")


def _rendered(stack: str, folder: Path, **changes: Any) -> Path:
    """A stack's files in a folder, with the paths in them made those of the folder."""
    committed = StackConfig.of_stack(stack)
    changed = {f"vitalstream:{key}": value for key, value in changes.items()}
    secrets = {
        *committed.secret_keys,
        *(f"vitalstream:{key}" for key in (*SECRETS, "slackWebhookUrls", "receivers")),
    }
    config = StackConfig({**committed.values, **changed}, tuple(secrets))
    render.write(render.render(stack, config), folder)
    for name in ("prometheus.yml", "alertmanager.yml"):
        path = folder / name
        path.write_text(re.sub(r"/etc/(prometheus|alertmanager)/", f"{folder}/", path.read_text()))
    # Secrets are no part of a rendering; promtool asks for the files.
    (folder / tls_files.FOLDER).mkdir()
    for name in (tls_files.AUTHORITY, tls_files.PASSWORD):
        (folder / name).touch()
    return folder


def _run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


@pytest.mark.parametrize("stack", STACKS)
def test_prometheus_takes_its_configuration_with_every_rule_file(
    stack: str, promtool: str, tmp_path: Path
) -> None:
    folder = _rendered(stack, tmp_path / "out")
    output = _run(promtool, "check", "config", folder / "prometheus.yml")
    assert f"{len(list((folder / 'rules').iterdir()))} rule files found" in output


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("receivers", RECEIVERS)
def test_alertmanager_takes_its_configuration_with_its_templates(
    receivers: str, stack: str, amtool: str, tmp_path: Path
) -> None:
    folder = _rendered(stack, tmp_path / "out", **RECEIVERS[receivers])
    assert "1 templates" in _run(amtool, "check-config", folder / "alertmanager.yml")


@pytest.mark.parametrize("interval", ["1s", "29s500ms", "30s"])
def test_prometheus_takes_every_interval_that_the_settings_allow(
    interval: str, promtool: str, tmp_path: Path
) -> None:
    folder = _rendered(
        "dev", tmp_path / "out", scrapeInterval=interval, evaluationInterval=interval
    )
    assert "SUCCESS" in _run(promtool, "check", "config", folder / "prometheus.yml")


DISCOVERIES = {
    "A": [{"name": "backend.internal", "port": 8000}],
    "SRV": [{"name": "_metrics._tcp.backend.internal.", "type": "SRV", "refreshInterval": "5s"}],
}


@pytest.mark.parametrize("sources", DISCOVERIES)
def test_prometheus_takes_every_way_to_find_backends(
    sources: str, promtool: str, tmp_path: Path
) -> None:
    targets = tmp_path / "backends.json"
    targets.write_text(json.dumps([{"targets": ["backend-1:8000"], "labels": {"rack": "a"}}]))
    folder = _rendered(
        "dev",
        tmp_path / "out",
        backendTargets="[]",
        backendDns=json.dumps(DISCOVERIES[sources]),
        backendTargetFiles=json.dumps([os.path.relpath(targets, PROJECT_DIR)]),
    )
    assert "SUCCESS" in _run(promtool, "check", "config", folder / "prometheus.yml")
