"""Targets behind a login, and one on the Docker host: scraped, and missed when they go."""

from __future__ import annotations

import ipaddress
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container

from components.catalog.images import IMAGES
from components.docker.config_files_provider import ConfigFilesProvider
from components.prometheus import prometheus
from components.user_files.paths import PROJECT_DIR
from ops.offline import local_deploy, program
from tests.certificates import authority
from tests.live import stack as stacks
from tests.live.stack import Stack, eventually

STACK = "live-asked"
APPLICATION = "live-asked-app"
SERVER = Path(__file__).parent / "asked_servers.py"
TOKEN = "live-token-0123456789"
PASSWORD = "live-password-0123456789"
# In the certificate of the server, which has no name.
SERVER_NAME = "10.99.0.1"
LEFT_OUT = frozenset(("grafana",))
RULES = """
groups:
  - name: own
    rules:
      - alert: NginxDown
        expr: nginx_up{job="nginx"} == 0
        labels: {severity: warning, service: web}
"""
UP_SECONDS = 60


class OnTheHost(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(b"http_requests_total 1\n")


@pytest.fixture(scope="module")
def port_of_host(docker_client: docker.DockerClient) -> Iterator[int]:
    """A server on the machine that Docker runs on, on its bridge's address."""
    if why := stacks.not_of_this_machine(docker_client):
        pytest.skip(why)
    (pool,) = docker_client.networks.get("bridge").attrs["IPAM"]["Config"]
    gateway = ipaddress.ip_network(pool["Subnet"])[1]
    server = ThreadingHTTPServer((str(gateway), 0), OnTheHost)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture(scope="module")
def server(
    docker_client: docker.DockerClient, images: dict[str, str]
) -> Iterator[tuple[Container, str]]:
    """The container of the targets, in a network of its own, and its authority."""
    ca = authority()
    environment = {"PAIR": ca.server(SERVER_NAME), "TOKEN": TOKEN, "PASSWORD": PASSWORD}
    with stacks.alone(APPLICATION, docker_client):
        labels = {"vitalstream.stack": APPLICATION}
        network = docker_client.networks.create(APPLICATION, internal=True, labels=labels)
        image = images.get("demo-python", IMAGES["demo-python"].reference)
        container = docker_client.containers.create(
            image, ["-c", SERVER.read_text()], entrypoint=["python3"], labels=labels,
            environment=environment,
        )  # fmt: skip
        docker_client.networks.get("bridge").disconnect(container)
        network.connect(container, aliases=["api", "worker", "nginx-exporter"])
        container.start()
        yield container, ca.pem


@pytest.fixture(scope="module")
def stack(
    docker_client: docker.DockerClient,
    images: dict[str, str],
    server: tuple[Container, str],
    port_of_host: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    rules = tmp_path_factory.mktemp("rules") / "own.yml"
    rules.write_text(RULES)
    api = {
        "targets": ["api:8443"], "scheme": "https", "path": "/internal/metrics",
        "ca": server[1], "serverName": SERVER_NAME, "bearerToken": TOKEN,
    }  # fmt: skip
    with stacks.alone(STACK, docker_client):
        found = stacks.config(
            images,
            applicationNetworks=[APPLICATION],
            watch=["backend"],
            backend={
                "api": api,
                # Without the token it is refused.
                "worker": {**api, "targets": ["worker:8443"], "bearerToken": "live-wrong-token"},
                "local": {"targets": [f"host.docker.internal:{port_of_host}"]},
            },
            scrapeJobs=[
                {
                    "job_name": "nginx",
                    "static_configs": [{"targets": ["nginx-exporter:9113"]}],
                    "basic_auth": {"username": "prometheus", "password": PASSWORD},
                }
            ],
            extraRules=[os.path.relpath(rules, PROJECT_DIR)],
        )
        secret = ("vitalstream:backend", "vitalstream:scrapeJobs")
        config = program.StackConfig(found.values, (*found.secret_keys, *secret))
        result = local_deploy.up(STACK, config, stacks.say, leave_out=LEFT_OUT)
        yield Stack(STACK, docker_client, config, result)


def _up(stack: Stack) -> dict[str, float]:
    """`up` by component, and by job where there is none."""
    return {
        found["metric"].get("component", found["metric"]["job"]): float(found["value"][1])
        for found in stack.query('up{job=~"backend|nginx"}')
    }


def test_targets_are_scraped_by_their_login_alone(stack: Stack) -> None:
    wanted: dict[str, Any] = {"api": 1, "worker": 0, "local": 1, "nginx": 1}
    assert eventually(lambda: _up(stack) == wanted, UP_SECONDS), _up(stack)
    (worker,) = stack.ask("targets", state="active", scrapePool="backend-worker")["activeTargets"]
    assert "401" in worker["lastError"]


def test_rules_take_the_groups_for_the_backend(stack: Stack) -> None:
    assert eventually(lambda: len(stack.query("instance:backend_up:min")) == 3, UP_SECONDS)
    pending = 'ALERTS{alertname="BackendComponentDown"}'
    assert eventually(lambda: stack.query(pending), UP_SECONDS)
    assert [found["metric"]["component"] for found in stack.query(pending)] == ["worker"]


def test_own_job_is_counted_and_its_metrics_are_known(stack: Stack) -> None:
    assert eventually(lambda: stack.value('job:scrape_targets:count{job="nginx"}') == 1, UP_SECONDS)
    present = "instance_metric:scrape_job_metrics_present:bool"
    assert eventually(
        lambda: [found["metric"]["metric"] for found in stack.query(present)] == ["nginx_up"],
        UP_SECONDS,
    )


def test_secrets_are_in_no_environment_command_or_configuration(stack: Stack) -> None:
    shown = str(stack.get("prometheus", "/api/v1/status/config")) + "".join(
        str(container.attrs["Config"]) for container in stack.containers()
    )
    assert TOKEN not in shown
    assert PASSWORD not in shown
    (path,) = (name for name in stack.config_files("prometheus")["secret_files"] if "nginx" in name)
    command = ["stat", "-c", "%a %u", f"/etc/prometheus/{path}"]
    assert stack.container("prometheus").exec_run(command).output.decode().strip() == "400 65534"


def test_new_secret_is_taken_up_without_a_restart(stack: Stack) -> None:
    """A wrong one, which the target refuses, and then the right one again."""
    started = stack.started_at("prometheus")
    olds = stack.config_files("prometheus")
    texts = {
        key: text.replace(TOKEN, "live-wrong-secret").replace(PASSWORD, "live-wrong-secret")
        for key, text in stack.config.values.items()
    }
    wrong = program.StackConfig(texts, stack.config.secret_keys).settings(STACK)
    files = prometheus.spec(wrong, {}).files
    assert files is not None
    news = {
        **olds,
        "files": {**olds["files"], "prometheus.yml": files.files["prometheus.yml"]},
        "secret_files": dict(files.secret_files),
    }
    assert eventually(lambda: _up(stack).get("nginx") == 1, UP_SECONDS)
    provider, id_ = ConfigFilesProvider(), f"{olds['volume']}:{olds['target']}"
    provider.update(id_, olds, news)
    try:
        assert eventually(lambda: _up(stack)["nginx"] == 0, UP_SECONDS)
        assert eventually(lambda: _up(stack)["api"] == 0, UP_SECONDS)
    finally:
        provider.update(id_, news, olds)
    assert eventually(lambda: _up(stack)["nginx"] == _up(stack)["api"] == 1, UP_SECONDS)
    assert stack.started_at("prometheus") == started


def test_targets_that_stop_are_down(stack: Stack, server: tuple[Container, str]) -> None:
    assert eventually(lambda: _up(stack).get("nginx") == 1, UP_SECONDS)
    server[0].stop(timeout=1)
    down = 'ALERTS{alertname="TargetDown",job="nginx"}'
    assert eventually(lambda: stack.query(down), UP_SECONDS)
