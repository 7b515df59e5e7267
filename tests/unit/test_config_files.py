"""`ConfigFiles`: check, copy to the volume, application, and refusal."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import docker.errors
import pytest
from pulumi.dynamic import CheckResult
from pulumi.dynamic.dynamic import serialize_provider

from components.docker import config_files_apply, connection
from components.docker.config_files_provider import ConfigFilesProvider
from components.docker.connection import ConfigFilesError
from tests.unit.fake_docker import FakeDocker, Running, Stored

SERVICE = "vitalstream-test-prometheus"
VOLUME = f"{SERVICE}-config"
IMAGE = "prom/prometheus:v3"
SECRET = "canary-of-a-secret-9f3b"
TAKEN = 'level=info msg="Completed loading of configuration file"'


def _props(**changes: Any) -> dict[str, Any]:
    return {
        "docker_host": "unix:///var/run/docker.sock",
        "volume": VOLUME,
        "target": "/etc/prometheus",
        "image": IMAGE,
        "uid": 65534.0,
        "container": SERVICE,
        "files": {"prometheus.yml": "global: {}\n", "rules/a.yml": "groups: []\n"},
        "secret_files": {"secrets/token": f"{SECRET}\n"},
        "checker": ["promtool", "check", "config", "/etc/prometheus/prometheus.yml"],
        "on_change": {"reload": True},
        "on_change_below": {},
        **changes,
    }


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    fake = FakeDocker(running={SERVICE: Running(SERVICE, answers=[TAKEN])})
    monkeypatch.setattr(connection, "connect", lambda _host: fake)
    monkeypatch.setattr(config_files_apply, "RELOAD_SECONDS", 0.3)
    monkeypatch.setattr(config_files_apply, "RESTART_SECONDS", 0.3)
    monkeypatch.setattr(config_files_apply, "APPLY_SECONDS", 0)
    return fake


@pytest.fixture
def provider() -> ConfigFilesProvider:
    return ConfigFilesProvider()


@pytest.fixture
def service(engine: FakeDocker) -> Running:
    return engine.running[SERVICE]


def _refusing(words: str) -> Callable[[dict[str, str]], tuple[int, str]]:
    return lambda _files: (1, words)


def _reasons(result: CheckResult) -> list[str]:
    return [failure.reason for failure in result.failures]


def test_provider_is_stored_in_the_state_by_name() -> None:
    stored = serialize_provider(ConfigFilesProvider())
    assert b"components.docker.config_files_provider" in base64.b64decode(stored)


def test_provider_in_the_state_is_small() -> None:
    assert len(serialize_provider(ConfigFilesProvider())) < 200


@pytest.mark.parametrize(
    ("key", "value", "replaces"),
    [
        ("files", {"prometheus.yml": "global: {}\n", "rules/a.yml": "groups: [1]\n"}, []),
        ("secret_files", {"secrets/token": "another"}, []),
        ("image", "prom/prometheus:v4", []),
        ("uid", 0, []),
        ("container", "another", []),
        ("checker", [], []),
        ("on_change", {"restart": True}, []),
        ("on_change_below", {"tls": {}}, []),
        ("volume", "another", ["volume"]),
        ("target", "/another", ["target"]),
        ("docker_host", "tcp://another:2376", ["docker_host"]),
    ],
)
def test_diff_of_volume_or_engine_is_a_replacement(
    key: str, value: Any, replaces: list[str], provider: ConfigFilesProvider
) -> None:
    diff = provider.diff("id", _props(), _props(**{key: value}))
    assert (diff.changes, diff.replaces) == (True, replaces)


def test_diff_of_equal_inputs_is_empty(provider: ConfigFilesProvider) -> None:
    assert provider.diff("id", _props(), _props()).changes is False


def test_diff_after_provider_code_edit_is_empty(provider: ConfigFilesProvider) -> None:
    assert provider.diff("id", _props(__provider="a"), _props(__provider="b")).changes is False


def test_check_valid_files_passes(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    assert _reasons(provider.check({}, _props())) == []


def test_check_mounts_files_at_the_services_paths(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    seen: dict[str, str] = {}
    engine.verdict = lambda files: (seen.update(files), (0, ""))[1]
    provider.check({}, _props())
    assert sorted(seen) == [
        "/etc/prometheus/prometheus.yml",
        "/etc/prometheus/rules/a.yml",
        "/etc/prometheus/secrets/token",
    ]


def test_check_invalid_files_quotes_the_checker(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    engine.verdict = _refusing("rules/a.yml: parse error: unexpected end of input")
    (reason,) = _reasons(provider.check({}, _props()))
    assert "rules/a.yml: parse error: unexpected end of input" in reason


def test_check_refusal_masks_secrets(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    engine.verdict = _refusing(f"cannot unmarshal {SECRET}")
    (reason,) = _reasons(provider.check({}, _props()))
    assert "cannot unmarshal [secret]" in reason


def test_check_refusal_omits_valid_files(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    good, bad = "Checking a.yml\n  SUCCESS: 3 rules found", "  FAILED:\nb.yml: parse error"
    reasons = []
    # Some engines show what is on stderr before what is on stdout.
    for words in (f"{good}\n\n{bad}", f"{bad}\n\n{good}"):
        engine.verdict = _refusing(words)
        reasons += _reasons(provider.check({}, _props()))
    assert ("a.yml" in reasons[0], "b.yml" in reasons[0]) == (False, True)
    assert reasons[0] == reasons[1]


def test_check_silent_refusal_reports_the_exit_status(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    engine.verdict = _refusing("")
    (reason,) = _reasons(provider.check({}, _props()))
    assert "promtool ended with status 1" in reason


def test_check_does_not_touch_the_volume(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    provider.check({}, _props())
    assert engine.volumes_by_name == {}


def test_check_removes_its_container(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    engine.verdict = _refusing("no")
    provider.check({}, _props())
    assert (len(engine.scratch), engine.left()) == (1, 0)


def test_check_unchanged_files_is_skipped(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    provider.check(_props(), _props())
    assert engine.scratch == []


def test_check_without_checker_passes(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    engine.verdict = _refusing("no")
    assert _reasons(provider.check({}, _props(checker=[]))) == []


def test_check_missing_image_passes(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    engine.images = set()
    assert _reasons(provider.check({}, _props())) == []


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> str:
    def refuse(*_args: Any, **_named: Any) -> None:
        raise docker.errors.DockerException("connection refused")

    monkeypatch.setattr("docker.DockerClient", refuse)
    return "tcp://docker.example.com:2376"


@pytest.mark.parametrize("words", ["tcp://docker.example.com:2376", "dockerHost"])
def test_unreachable_engine_is_reported_with_its_setting(
    words: str, nowhere: str, provider: ConfigFilesProvider
) -> None:
    (reason,) = _reasons(provider.check({}, _props(docker_host=nowhere)))
    assert words in reason


def test_create_unreachable_engine_fails(nowhere: str, provider: ConfigFilesProvider) -> None:
    with pytest.raises(ConfigFilesError, match="No Docker Engine answers"):
        provider.create(_props(docker_host=nowhere))


def test_read_returns_the_volumes_files(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    provider.create(_props())
    assert provider.read("id", _props()).outs == _props()


def test_read_edited_file_is_drift(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    provider.create(_props())
    engine.volumes_by_name[VOLUME]["rules/a.yml"] = Stored("by hand", 0o444, 0)
    found = provider.read("id", _props()).outs
    assert provider.diff("id", found, _props()).changes is True


def test_read_additional_file_is_drift(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    provider.create(_props())
    engine.volumes_by_name[VOLUME]["extra.yml"] = Stored("by hand", 0o444, 0)
    assert "extra.yml" in provider.read("id", _props()).outs["files"]


def test_read_secret_file_stays_secret(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    provider.create(_props())
    engine.volumes_by_name[VOLUME]["secrets/token"] = Stored("changed", 0o400, 0)
    assert provider.read("id", _props()).outs["secret_files"] == {"secrets/token": "changed"}


def test_read_missing_volume_means_deleted(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    assert not provider.read("id", _props()).id


def test_read_missing_image_keeps_the_files(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    provider.create(_props())
    engine.images = set()
    assert provider.read("id", _props()).id == "id"


def test_delete_keeps_the_volume(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    provider.create(_props())
    provider.delete("id", _props())
    assert set(engine.volumes_by_name[VOLUME]) == {"prometheus.yml", "rules/a.yml", "secrets/token"}
