"""Edits of files that go live, or that do not, while the stack runs."""

from __future__ import annotations

import itertools
import time
from typing import Any

import pytest
import yaml

from components.docker.config_files_provider import ConfigFilesProvider
from components.docker.connection import ConfigFilesError
from components.docker.volume_files import PUBLIC_MODE, File, Volume
from tests.live.stack import DEMO_SCRAPE_SECONDS, Stack, edited, eventually

MARKER = "live:edit:marker"
OBSERVED_SECONDS = 40


def rule_file(expr: str) -> str:
    rules = [{"record": MARKER, "expr": expr}]
    return yaml.safe_dump({"groups": [{"name": "live", "rules": rules}]})


def with_rule(olds: dict[str, Any], expr: str) -> dict[str, str]:
    return {**olds["files"], "rules/live.yml": rule_file(expr)}


def volume(live: Stack, props: dict[str, Any]) -> Volume:
    return Volume(live.client, props["volume"], props["target"], props["image"], props["uid"])


def test_a_rule_edit_goes_live_without_a_restart(live: Stack) -> None:
    olds = live.config_files("prometheus")
    before = live.started_at("prometheus")
    with edited(olds, with_rule(olds, "vector(42)")):
        value = eventually(lambda: live.value(MARKER), 60)
        after = live.started_at("prometheus")
    assert (value, after) == (42, before)


def test_no_scrape_is_missed_over_a_rule_edit(live: Stack) -> None:
    olds = live.config_files("prometheus")
    eventually(lambda: len(samples(live)) >= 3, 60)
    with edited(olds, with_rule(olds, "vector(43)")):
        time.sleep(2 * DEMO_SCRAPE_SECONDS)
    time.sleep(2 * DEMO_SCRAPE_SECONDS)
    times = samples(live)
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(gaps) >= 4
    assert max(gaps) < 1.5 * DEMO_SCRAPE_SECONDS


def samples(live: Stack) -> list[float]:
    """When Prometheus scraped itself of late, in seconds."""
    found = live.query(f'up{{job="prometheus"}}[{OBSERVED_SECONDS}s]')
    return [float(when) for when, _ in found[0]["values"]] if found else []


def test_a_broken_rule_is_refused_in_the_words_of_promtool(live: Stack) -> None:
    olds = live.config_files("prometheus")
    news = {**olds, "files": with_rule(olds, "rate(up[5m]")}
    with pytest.raises(ConfigFilesError, match=r"(?s)promtool.*live\.yml.*unclosed left paren"):
        ConfigFilesProvider().update("prometheus", olds, news)


def test_a_broken_rule_leaves_the_old_ones_running(live: Stack) -> None:
    olds = live.config_files("prometheus")
    eventually(lambda: MARKER not in live.rules(), 60)
    before = set(live.rules())
    news = {**olds, "files": with_rule(olds, "rate(up[5m]")}
    with pytest.raises(ConfigFilesError):
        ConfigFilesProvider().update("prometheus", olds, news)
    live.container("prometheus").kill(signal="SIGHUP")
    time.sleep(DEMO_SCRAPE_SECONDS)
    assert set(live.rules()) == before


def test_a_configuration_edit_reloads_alertmanager(live: Stack) -> None:
    olds = live.config_files("alertmanager")
    before = live.started_at("alertmanager")
    name = "alertmanager.yml"
    text = olds["files"][name].replace("resolve_timeout: 5m", "resolve_timeout: 7m")
    with edited(olds, {**olds["files"], name: text}):
        running = live.get("alertmanager", "/api/v2/status")["config"]["original"]
        after = live.started_at("alertmanager")
    assert "resolve_timeout: 7m" in running
    assert after == before


def test_a_broken_configuration_is_refused_in_the_words_of_amtool(live: Stack) -> None:
    olds = live.config_files("alertmanager")
    text = olds["files"]["alertmanager.yml"].replace("receiver: critical", "receiver: nobody", 1)
    news = {**olds, "files": {**olds["files"], "alertmanager.yml": text}}
    with pytest.raises(ConfigFilesError, match=r'(?s)amtool.*undefined receiver "nobody"'):
        ConfigFilesProvider().update("alertmanager", olds, news)


def test_a_file_that_is_gone_from_the_inputs_is_gone_from_the_volume(live: Stack) -> None:
    olds = live.config_files("prometheus")
    with edited(olds, with_rule(olds, "vector(44)")) as news:
        assert "rules/live.yml" in volume(live, news).read()
    assert set(volume(live, olds).read()) == set(olds["files"])


def test_a_file_that_someone_changed_shows_as_drift(live: Stack) -> None:
    props = live.config_files("prometheus")
    changed = {**props["files"], "rules/host.yml": rule_file("vector(45)")}
    there = volume(live, props)
    there.put({path: File(text, PUBLIC_MODE) for path, text in changed.items()})
    try:
        found = ConfigFilesProvider().read("prometheus", props)
    finally:
        there.put({path: File(text, PUBLIC_MODE) for path, text in props["files"].items()})
    assert (found.outs or {})["files"] == changed


def test_without_drift_what_is_read_is_what_was_written(live: Stack) -> None:
    props = live.config_files("alertmanager")
    found = ConfigFilesProvider().read("alertmanager", props)
    assert found.outs == props


def test_a_secret_is_readable_by_its_service_alone(live: Stack) -> None:
    stat = "stat -c '%a %u' /etc/alertmanager/secrets/slack_webhook_url"
    _, output = live.container("alertmanager").exec_run(["sh", "-c", stat])
    assert isinstance(output, bytes)
    assert output.decode().strip() == f"400 {live.config_files('alertmanager')['uid']}"
