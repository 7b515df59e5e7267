"""Stack with TLS and passwords: which requests are accepted and which refused."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import docker
import pytest
import requests
import yaml

from components.catalog.services import DEFAULT_PORTS
from components.docker.config_files_provider import ConfigFilesProvider
from components.settings.tls import served_names
from ops import connections
from ops.offline import local_deploy, program
from tests import through_grafana
from tests.issued import issued
from tests.live import stack as stacks
from tests.live.stack import SECRETS, TIMEOUT_SECONDS, Stack, edited, eventually

WEB_PASSWORD = "live-web-Password-6"
NEW_WEB_PASSWORD = "live-web-Password-7"
WITH_PASSWORD = ("prometheus", "alertmanager", "grafana")
HOSTS = served_names("127.0.0.1", "")
ANOTHER = issued(HOSTS)["tlsCa"]

every_service = pytest.mark.parametrize("service", sorted(DEFAULT_PORTS))


@pytest.fixture(scope="module")
def tls(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Stack]:
    served = {"tls": True, "webPassword": WEB_PASSWORD, **issued(HOSTS)}
    config = stacks.config(images, publishExporters=True, **served)
    with stacks.alone("live-tls", docker_client):
        result = local_deploy.up("live-tls", config, stacks.say)
        yield Stack("live-tls", docker_client, config, result)


@pytest.fixture
def url(tls: Stack) -> Callable[[str], str]:
    """Return a function for a service's metrics URL; skips the test if the service is left out."""

    def of(service: str) -> str:
        if service not in tls.result.urls:
            pytest.skip(f"{service} is left out: no image of it is available")
        return f"{tls.result.urls[service]}/metrics"

    return of


def status(url: str, authority: str, login: tuple[str, str] | None = None) -> int:
    with connections.trusting(authority) as session:
        return session.get(url, auth=login, timeout=TIMEOUT_SECONDS).status_code


def test_every_target_of_the_stack_is_up(tls: Stack) -> None:
    def down() -> dict[str, str]:
        return {
            target["scrapePool"]: target["lastError"]
            for target in tls.ask("targets", state="active")["activeTargets"]
            # There is no backend in this stack.
            if target["health"] != "up" and target["scrapePool"] != "backend"
        }

    eventually(lambda: not down(), 60)
    left_out = set() if "grafana" in tls.result.urls else {"grafana"}
    assert down().keys() <= left_out, down()


def test_a_rule_goes_live_and_its_alert_is_delivered(tls: Stack) -> None:
    def arrived() -> list[str]:
        return [a["labels"]["alertname"] for a in tls.get("alertmanager", "/api/v2/alerts")]

    # After a reload Prometheus has to find Alertmanager again, some 5 s; what fires before that it
    # sends a minute later.
    alert = {"alert": "LiveOverTls", "expr": "vector(1) == 1", "for": "10s"}
    rules = yaml.safe_dump({"groups": [{"name": "live", "rules": [alert]}]})
    olds = tls.config_files("prometheus")
    with edited(olds, {**olds["files"], "rules/live.yml": rules}):
        assert eventually(lambda: "LiveOverTls" in arrived(), 30)


def test_the_data_source_answers_with_what_prometheus_has(
    tls: Stack, url: Callable[[str], str]
) -> None:
    grafana = url("grafana").removesuffix("/metrics")
    login = ("admin", SECRETS["grafanaAdminPassword"])
    with connections.trusting(tls.settings.tls_ca) as session:
        assert through_grafana.values(session, grafana, login, "vector(46)") == [46]


@every_service
def test_plain_http_is_refused(service: str, url: Callable[[str], str]) -> None:
    answer = requests.get(url(service).replace("https://", "http://"), timeout=TIMEOUT_SECONDS)
    assert answer.status_code == 400


@every_service
def test_another_authority_is_not_the_one_that_signed(
    service: str, url: Callable[[str], str]
) -> None:
    with pytest.raises(requests.exceptions.SSLError):
        status(url(service), ANOTHER)


@every_service
def test_tls_of_the_past_is_refused(service: str, tls: Stack, url: Callable[[str], str]) -> None:
    host, _, port = url(service).removeprefix("https://").removesuffix("/metrics").partition(":")
    context = ssl.create_default_context(cadata=tls.settings.tls_ca)
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with (
        socket.create_connection((host, int(port)), TIMEOUT_SECONDS) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname=host)


@pytest.mark.parametrize("service", WITH_PASSWORD)
def test_without_a_password_nobody_gets_in(
    service: str, tls: Stack, url: Callable[[str], str]
) -> None:
    assert status(url(service), tls.settings.tls_ca) == 401


@pytest.mark.parametrize("service", WITH_PASSWORD)
def test_with_a_wrong_password_nobody_gets_in(
    service: str, tls: Stack, url: Callable[[str], str]
) -> None:
    login = ("vitalstream", "live-web-Password-0")
    assert status(url(service), tls.settings.tls_ca, login) == 401


@pytest.mark.parametrize("service", WITH_PASSWORD)
def test_with_the_password_they_do(service: str, tls: Stack, url: Callable[[str], str]) -> None:
    assert status(url(service), tls.settings.tls_ca, ("vitalstream", WEB_PASSWORD)) == 200


def test_grafana_lets_nobody_sign_up(tls: Stack, url: Callable[[str], str]) -> None:
    form = {"email": "a@example.com", "username": "a", "password": "a-long-password", "orgName": ""}
    with connections.trusting(tls.settings.tls_ca) as session:
        answer = session.post(
            url("grafana").removesuffix("/metrics") + "/api/user/signup/step2",
            json=form,
            timeout=TIMEOUT_SECONDS,
        )
    assert not answer.ok


def test_grafanas_session_is_a_secure_and_strict_cookie(
    tls: Stack, url: Callable[[str], str]
) -> None:
    login = {"user": "admin", "password": SECRETS["grafanaAdminPassword"]}
    with connections.trusting(tls.settings.tls_ca) as session:
        answer = session.post(
            url("grafana").removesuffix("/metrics") + "/login", json=login, timeout=TIMEOUT_SECONDS
        )
    attributes = {part.strip().lower() for part in answer.headers["Set-Cookie"].split(";")}
    assert {"secure", "httponly", "samesite=strict"} <= attributes


def test_every_container_is_healthy(tls: Stack) -> None:
    health = {container.name: container.health for container in tls.containers()}
    assert set(health.values()) == {"healthy"}, health


def test_no_container_shows_a_secret(tls: Stack) -> None:
    canaries = [*SECRETS.values(), WEB_PASSWORD, *tls.settings.tls_key.get_secret_value().split()]
    shown = {container.name: json.dumps(container.attrs) for container in tls.containers()}
    assert [name for name, text in shown.items() if any(c in text for c in canaries[:-1])] == []


def test_no_process_shows_a_secret_while_it_is_asked_for_its_health(tls: Stack) -> None:
    """Check Docker's process list repeatedly during several health checks."""
    seen: set[str] = set()
    for _ in range(40):
        for service in ("prometheus", "alertmanager"):
            container = tls.container(service)
            processes = container.top(ps_args="-eo pid,args")["Processes"]
            seen |= {" ".join(process) for process in processes}
    assert [line for line in seen if WEB_PASSWORD in line] == []


def test_a_key_is_readable_by_its_service_alone(tls: Stack) -> None:
    for service in sorted(DEFAULT_PORTS):
        if service in tls.result.urls:
            props = tls.config_files(service)
            stat = f"stat -c '%a %u' {props['target']}/tls/key.pem"
            _, output = tls.container(service).exec_run(["sh", "-c", stat])
            assert isinstance(output, bytes)
            assert output.decode().strip() == f"400 {props['uid']}"


def renewed(tls: Stack, **changes: Any) -> program.StackConfig:
    prefixed = {f"vitalstream:{key}": value for key, value in changes.items()}
    return program.StackConfig({**tls.config.values, **prefixed}, tls.config.secret_keys)


def applied(tls: Stack, config: program.StackConfig) -> Stack:
    """Deliver the files of another configuration, as by an `up` without replacement."""
    now = tuple(program.run(tls.name, config))
    after = Stack(tls.name, tls.client, config, local_deploy.Result(tls.result.urls, (), now))
    provider = ConfigFilesProvider()
    for service in tls.result.urls:
        olds, news = tls.config_files(service), after.config_files(service)
        provider.update(f"{olds['volume']}:{olds['target']}", olds, news)
    return after


def test_a_new_certificate_and_a_new_password_are_in_force_without_a_new_container(
    tls: Stack,
) -> None:
    before = {service: tls.started_at(service) for service in tls.result.urls}
    after = applied(tls, renewed(tls, **issued(HOSTS), webPassword=NEW_WEB_PASSWORD))
    try:
        for service in tls.result.urls:
            address = f"{tls.result.urls[service]}/metrics"
            login = ("vitalstream", NEW_WEB_PASSWORD)
            assert status(address, after.settings.tls_ca, login) == 200, service
        unchanged = [name for name in before if after.started_at(name) == before[name]]
        assert set(before) - set(unchanged) <= {"grafana"}
        test_every_target_of_the_stack_is_up(after)
    finally:
        applied(after, tls.config)
