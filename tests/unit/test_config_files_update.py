"""`ConfigFiles` updates: files written, and how the running service applies them."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from pulumi.dynamic import ConfigureRequest

from components.docker import config_files_apply, connection
from components.docker.config_files_provider import ConfigFilesProvider
from components.docker.connection import ConfigFilesError
from tests.unit.fake_docker import FakeDocker, Running

SERVICE = "vitalstream-test-prometheus"
VOLUME = f"{SERVICE}-config"
RELOAD = {"reload": True}
RUN = {"run": ["sh", "-c", "reset < /etc/secret"]}
RESTART = {"restart": True}
LOADING = 'level=info msg="Loading configuration file" filename=/etc/prometheus/prometheus.yml'
TAKEN = 'level=info msg="Completed loading of configuration file"'
# As Prometheus 2 and 3 and Alertmanager put it.
NOT_TAKEN = (
    'level=error msg="Error reloading config" err="couldn\'t load configuration"',
    'level=ERROR source=main.go:1393 msg="Error reloading config" err="no"',
    'level=error component=configuration msg="Loading configuration file failed" err="no"',
    'level=error msg="one or more config change subscribers failed to apply new config" err="no"',
)


def _props(**changes: Any) -> dict[str, Any]:
    return {
        "docker_host": "unix:///var/run/docker.sock",
        "volume": VOLUME,
        "target": "/etc/prometheus",
        "image": "prom/prometheus:v3",
        "uid": 65534.0,
        "container": SERVICE,
        "files": {"prometheus.yml": "global: {}\n", "rules/a.yml": "groups: []\n"},
        "secret_files": {"secrets/token": "canary"},
        "checker": ["promtool", "check", "config", "/etc/prometheus/prometheus.yml"],
        "on_change": RELOAD,
        "on_change_below": {},
        **changes,
    }


EDITED = _props(files={"prometheus.yml": "global: {a: 1}\n"})


@pytest.fixture
def service() -> Running:
    return Running(SERVICE, answers=[LOADING, TAKEN], log=f"{NOT_TAKEN[0]}\n{TAKEN}\n3\n4\nlast")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, service: Running) -> FakeDocker:
    fake = FakeDocker(running={SERVICE: service})
    monkeypatch.setattr(connection, "connect", lambda _host: fake)
    monkeypatch.setattr(config_files_apply, "RELOAD_SECONDS", 0.3)
    monkeypatch.setattr(config_files_apply, "RESTART_SECONDS", 0.3)
    monkeypatch.setattr(config_files_apply, "APPLY_SECONDS", 0)
    return fake


@pytest.fixture
def provider(engine: FakeDocker) -> ConfigFilesProvider:
    return ConfigFilesProvider()


@pytest.mark.parametrize(
    ("path", "mode"), [("prometheus.yml", 0o444), ("rules/a.yml", 0o444), ("secrets/token", 0o400)]
)
def test_update_secret_file_is_readable_only_by_the_service(
    path: str, mode: int, provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    provider.create(_props())
    stored = engine.volumes_by_name[VOLUME][path]
    assert (stored.mode, stored.uid) == (mode, 65534)


def test_update_removed_file_is_deleted(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    engine.running.clear()
    provider.create(_props())
    provider.update("id", _props(), _props(files={"prometheus.yml": "global: {}\n"}))
    assert set(engine.volumes_by_name[VOLUME]) == {"prometheus.yml", "secrets/token"}


def test_update_removes_its_container(provider: ConfigFilesProvider, engine: FakeDocker) -> None:
    provider.update("id", _props(), EDITED)
    assert engine.left() == 0


def test_update_refused_files_are_not_written(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    provider.create(_props())
    engine.verdict = lambda _files: (1, "no")
    with pytest.raises(ConfigFilesError):
        provider.update("id", _props(), EDITED)
    assert engine.volumes_by_name[VOLUME]["prometheus.yml"].text == "global: {}\n"


def test_update_refused_files_cause_no_reload(
    provider: ConfigFilesProvider, engine: FakeDocker, service: Running
) -> None:
    engine.verdict = lambda _files: (1, "no")
    with pytest.raises(ConfigFilesError, match="what runs stays as it was"):
        provider.create(_props())
    assert service.calls == []


def test_update_changed_files_send_the_signal(
    provider: ConfigFilesProvider, service: Running
) -> None:
    provider.update("id", _props(), EDITED)
    assert service.calls == [("kill", "SIGHUP")]


@pytest.mark.parametrize("key", ["image", "container"])
def test_update_unchanged_files_cause_no_reload(
    key: str, provider: ConfigFilesProvider, service: Running
) -> None:
    provider.update("id", _props(**{key: "before"}), _props())
    assert service.calls == []


def test_update_changed_secret_causes_reload(
    provider: ConfigFilesProvider, service: Running
) -> None:
    provider.update("id", _props(), _props(secret_files={"secrets/token": "another"}))
    assert ("kill", "SIGHUP") in service.calls


def test_create_without_container_causes_no_reload(
    provider: ConfigFilesProvider, engine: FakeDocker
) -> None:
    engine.running.clear()
    assert provider.create(_props()).id == f"{VOLUME}:/etc/prometheus"


def test_update_stopped_container_is_not_started(
    provider: ConfigFilesProvider, service: Running
) -> None:
    service.status = "exited"
    provider.update("id", _props(), EDITED)
    assert service.calls == []


@pytest.mark.parametrize("words", NOT_TAKEN)
def test_failed_reload_is_reported_with_the_services_log(
    words: str, provider: ConfigFilesProvider, service: Running
) -> None:
    service.answers = [LOADING, words]
    with pytest.raises(ConfigFilesError, match="did not take the new configuration") as error:
        provider.update("id", _props(), EDITED)
    assert str(error.value).endswith(f"3\n4\nlast\n{LOADING}\n{words}")


def test_reload_loaded_but_not_applied_fails(
    provider: ConfigFilesProvider, service: Running
) -> None:
    service.answers = [TAKEN, NOT_TAKEN[-1]]
    with pytest.raises(ConfigFilesError, match="did not take the new configuration"):
        provider.update("id", _props(), EDITED)


def test_unanswered_reload_is_reported(provider: ConfigFilesProvider, service: Running) -> None:
    service.answers = []
    with pytest.raises(ConfigFilesError, match="runs on with the old one"):
        provider.update("id", _props(), EDITED)


def test_reload_delayed_answer_succeeds(provider: ConfigFilesProvider, service: Running) -> None:
    service.answers = ["level=info msg=another", LOADING, TAKEN]
    assert provider.update("id", _props(), EDITED).outs == EDITED


def test_reload_ignores_earlier_log_lines(provider: ConfigFilesProvider, service: Running) -> None:
    service.log = NOT_TAKEN[0]
    assert provider.update("id", _props(), EDITED).outs == EDITED


def test_update_file_with_own_action_runs_only_that_action(
    provider: ConfigFilesProvider, service: Running
) -> None:
    below = {"secrets": RUN}
    olds = _props(on_change_below=below)
    news = _props(on_change_below=below, secret_files={"secrets/token": "another"})
    provider.update("id", olds, news)
    assert service.calls == [("exec", RUN["run"])]


def test_update_watched_file_causes_no_action(
    provider: ConfigFilesProvider, service: Running
) -> None:
    below: dict[str, Any] = {"secrets": {}}
    news = _props(on_change_below=below, secret_files={"secrets/token": "another"})
    provider.update("id", _props(on_change_below=below), news)
    assert service.calls == []


def test_action_of_a_folder_ignores_sibling_paths(
    provider: ConfigFilesProvider, service: Running
) -> None:
    below: dict[str, Any] = {"secret": {}}
    news = _props(on_change_below=below, secret_files={"secrets/token": "another"})
    provider.update("id", _props(on_change_below=below), news)
    assert service.calls == [("kill", "SIGHUP")]


def test_update_command_runs_before_restart(
    provider: ConfigFilesProvider, service: Running
) -> None:
    ways = {"on_change": RESTART, "on_change_below": {"secrets": RUN}}
    news = {**EDITED, **ways, "secret_files": {"secrets/token": "another"}}
    provider.update("id", _props(**ways), news)
    assert service.calls == [("exec", RUN["run"]), ("restart", 10)]


def test_update_removed_file_runs_its_action(
    provider: ConfigFilesProvider, service: Running
) -> None:
    provider.update("id", _props(), _props(secret_files={}))
    assert service.calls == [("kill", "SIGHUP")]


def test_update_file_with_command_runs_it(provider: ConfigFilesProvider, service: Running) -> None:
    provider.update("id", _props(on_change=RUN), {**EDITED, "on_change": RUN})
    assert service.calls == [("exec", RUN["run"])]


def test_failed_command_is_reported_with_its_output(
    provider: ConfigFilesProvider, service: Running
) -> None:
    service.answer = (3, b"database is locked")
    with pytest.raises(ConfigFilesError, match="failed with status 3:\ndatabase is locked"):
        provider.update("id", _props(), {**EDITED, "on_change": RUN})


def test_update_service_without_reload_is_restarted(
    provider: ConfigFilesProvider, service: Running
) -> None:
    provider.update("id", _props(), {**EDITED, "on_change": RESTART})
    assert service.calls == [("restart", 10)]


def test_unhealthy_service_after_restart_is_reported_with_its_log(
    provider: ConfigFilesProvider, service: Running
) -> None:
    service.health = "unhealthy"
    with pytest.raises(ConfigFilesError, match=r"is not healthy .* after its restart") as error:
        provider.update("id", _props(), {**EDITED, "on_change": RESTART})
    assert str(error.value).endswith("last")


def test_local_deploy_error_keeps_its_traceback(
    provider: ConfigFilesProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pulumi reads its own stack: a limit of 0 hangs a program that runs in the same process."""
    monkeypatch.delattr(sys, "tracebacklimit", raising=False)
    provider.create(_props())
    assert not hasattr(sys, "tracebacklimit")


def test_engine_error_has_no_traceback(
    provider: ConfigFilesProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)
    provider.configure(ConfigureRequest({}))
    assert sys.tracebacklimit == 0
