"""`ConfigFiles`: check, copy to the volume, application, and refusal."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import docker.errors
import pytest
from pulumi.dynamic import CheckResult
from pulumi.dynamic.dynamic import serialize_provider

from components.docker import config_files_provider
from components.docker.config_files_provider import ConfigFilesError, ConfigFilesProvider
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
    monkeypatch.setattr(config_files_provider, "connect", lambda _host: fake)
    monkeypatch.setattr(config_files_provider, "RELOAD_SECONDS", 0.3)
    monkeypatch.setattr(config_files_provider, "RESTART_SECONDS", 0.3)
    monkeypatch.setattr(config_files_provider, "APPLY_SECONDS", 0)
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


def test_the_provider_is_in_the_state_by_its_name_alone() -> None:
    stored = serialize_provider(ConfigFilesProvider())
    assert b"components.docker.config_files_provider" in base64.b64decode(stored)


def test_the_provider_is_small_in_the_state() -> None:
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
def test_only_another_place_is_a_replacement(
    key: str, value: Any, replaces: list[str], provider: ConfigFilesProvider
) -> None:
    diff = provider.diff("id", _props(), _props(**{key: value}))
    assert (diff.changes, diff.replaces) == (True, replaces)


def test_the_same_inputs_are_no_change(provider: ConfigFilesProvider) -> None:
    assert provider.diff("id", _props(), _props()).changes is False


def test_an_edit_of_the_providers_code_is_no_change(provider: ConfigFilesProvider) -> None:
    assert provider.diff("id", _props(__provider="a"), _props(__provider="b")).changes is False


def test_good_files_pass(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    assert _reasons(provider.check({}, _props())) == []


def test_the_checker_sees_the_files_where_the_service_has_them(
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


def test_refusal_quotes_the_checker(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    engine.verdict = _refusing("rules/a.yml: parse error: unexpected end of input")
    (reason,) = _reasons(provider.check({}, _props()))
    assert "rules/a.yml: parse error: unexpected end of input" in reason


def test_a_refusal_shows_no_secret(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    engine.verdict = _refusing(f"cannot unmarshal {SECRET}")
    (reason,) = _reasons(provider.check({}, _props()))
    assert "cannot unmarshal [secret]" in reason


def test_a_refusal_says_nothing_of_the_files_that_are_good(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    good, bad = "Checking a.yml\n  SUCCESS: 3 rules found", "  FAILED:\nb.yml: parse error"
    reasons = []
    # Some engines show what is on stderr before what is on stdout.
    for words in (f"{good}\n\n{bad}", f"{bad}\n\n{good}"):
        engine.verdict = _refusing(words)
        reasons += _reasons(provider.check({}, _props()))
    assert ("a.yml" in reasons[0], "b.yml" in reasons[0]) == (False, True)
    assert reasons[0] == reasons[1]


def test_refusal_by_silent_checker_names_its_status(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    engine.verdict = _refusing("")
    (reason,) = _reasons(provider.check({}, _props()))
    assert "promtool ended with status 1" in reason


def test_a_check_touches_no_volume(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    provider.check({}, _props())
    assert engine.volumes_by_name == {}


def test_a_check_leaves_no_container(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    engine.verdict = _refusing("no")
    provider.check({}, _props())
    assert (len(engine.scratch), engine.left()) == (1, 0)


def test_unchanged_files_are_not_checked_again(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    provider.check(_props(), _props())
    assert engine.scratch == []


def test_without_a_checker_nothing_is_refused(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    engine.verdict = _refusing("no")
    assert _reasons(provider.check({}, _props(checker=[]))) == []


def test_an_image_that_is_not_there_yet_refuses_nothing(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
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


def test_an_engine_that_does_not_answer_stops_a_creation(
    nowhere: str, provider: ConfigFilesProvider
) -> None:
    with pytest.raises(ConfigFilesError, match="No Docker Engine answers"):
        provider.create(_props(docker_host=nowhere))


def test_what_is_in_the_volume_is_read(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    provider.create(_props())
    assert provider.read("id", _props()).outs == _props()


def test_an_edit_in_the_volume_is_drift(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    provider.create(_props())
    engine.volumes_by_name[VOLUME]["rules/a.yml"] = Stored("by hand", 0o444, 0)
    found = provider.read("id", _props()).outs
    assert provider.diff("id", found, _props()).changes is True


def test_a_file_too_many_in_the_volume_is_drift(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    provider.create(_props())
    engine.volumes_by_name[VOLUME]["extra.yml"] = Stored("by hand", 0o444, 0)
    assert "extra.yml" in provider.read("id", _props()).outs["files"]


def test_a_secret_that_is_read_stays_among_the_secrets(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    provider.create(_props())
    engine.volumes_by_name[VOLUME]["secrets/token"] = Stored("changed", 0o400, 0)
    assert provider.read("id", _props()).outs["secret_files"] == {"secrets/token": "changed"}


def test_files_whose_volume_is_gone_are_gone(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    assert not provider.read("id", _props()).id


def test_files_are_not_gone_because_an_image_is(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    provider.create(_props())
    engine.images = set()
    assert provider.read("id", _props()).id == "id"


def test_deleting_them_leaves_the_volume_to_its_own_resource(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    provider.create(_props())
    provider.delete("id", _props())
    assert set(engine.volumes_by_name[VOLUME]) == {"prometheus.yml", "rules/a.yml", "secrets/token"}
