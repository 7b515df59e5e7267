"""Settings of every container, and the named exceptions."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from components.catalog.images import IMAGES
from components.common.quantities import duration_seconds
from components.docker import api_version
from components.docker.container import STEADY_PAUSE_SECONDS, _healthcheck
from components.docker.engines import Engine

MONITORING = (
    "prometheus",
    "grafana",
    "alertmanager",
    "node-exporter",
    "postgres-exporter",
    "redis-exporter",
)
DEMO = ("demo-backend", "demo-traffic", "demo-postgres", "demo-redis")
EVERY = [
    *(("dev", service) for service in (*MONITORING, *DEMO)),
    *(("prod", service) for service in MONITORING),
]
PORTS = {
    "prometheus": 9090,
    "grafana": 3000,
    "alertmanager": 9093,
    "node-exporter": 9100,
    "postgres-exporter": 9187,
    "redis-exporter": 9121,
}
LOOKS_AT_THE_APPLICATION = {"prometheus", "postgres-exporter", "redis-exporter"}
# Docker's own defaults, which a value would only loosen.
NEVER_SET = (
    "privileged",
    "networkMode",
    "ipcMode",
    "usernsMode",
    "utsMode",
    "devices",
    "hosts",
    "cgroupParent",
    "volumes",
    "uploads",
    "mustRun",
)


@pytest.fixture(params=EVERY, ids="-".join)
def container(request: pytest.FixtureRequest, views: dict[str, Any]) -> dict[str, Any]:
    stack, service = request.param
    found: dict[str, Any] = views[stack].containers()[service]
    return found


@pytest.fixture
def service(container: dict[str, Any]) -> str:
    found: str = re.sub(r"^vitalstream-(dev|prod)-", "", container["name"])
    return found


def test_container_has_no_swap(container: dict[str, Any]) -> None:
    assert container["memorySwap"] == container["memory"]


def test_container_memory_limit_is_in_mebibytes(container: dict[str, Any]) -> None:
    assert 16 <= container["memory"] <= 4096


def test_container_cpu_limit_is_in_dockers_form(container: dict[str, Any]) -> None:
    assert container["cpus"] == str(float(container["cpus"]))


def test_container_root_is_read_only(container: dict[str, Any]) -> None:
    assert container["readOnly"] is True


def test_container_has_no_capabilities(container: dict[str, Any]) -> None:
    assert container["capabilities"] == {"drops": ["ALL"]}


def test_container_has_no_new_privileges(container: dict[str, Any]) -> None:
    assert "no-new-privileges:true" in container["securityOpts"]


def test_container_user_is_the_images_and_not_root(container: dict[str, Any], service: str) -> None:
    image = "demo-python" if service in ("demo-backend", "demo-traffic") else service
    uid = IMAGES[image].uid
    assert (uid > 0, container["user"]) == (True, f"{uid}:{uid}")


def test_container_restarts_unless_stopped(container: dict[str, Any]) -> None:
    assert container["restart"] == "unless-stopped"


def test_container_has_a_destroy_grace_period(container: dict[str, Any], service: str) -> None:
    slow = {"prometheus", "grafana", "demo-postgres"}
    assert container["destroyGraceSeconds"] == (30 if service in slow else 10)


def test_container_stop_timeout_equals_the_grace_period(container: dict[str, Any]) -> None:
    assert container["stopTimeout"] == container["destroyGraceSeconds"]


def test_container_is_waited_for_until_healthy(container: dict[str, Any]) -> None:
    assert container["wait"] is True


def test_container_wait_timeout_is_at_most_two_minutes(container: dict[str, Any]) -> None:
    assert 30 <= container["waitTimeout"] <= 120


def test_container_has_a_health_check(container: dict[str, Any]) -> None:
    assert container["healthcheck"]["tests"][0] == "CMD-SHELL"


def test_container_runs_an_init_process(container: dict[str, Any]) -> None:
    assert container["init"] is True


def test_container_log_size_is_limited(container: dict[str, Any]) -> None:
    assert container["logOpts"] == {"max-size": "10m", "max-file": "3"}


def test_container_open_files_are_limited(container: dict[str, Any]) -> None:
    assert [limit["name"] for limit in container["ulimits"]] == ["nofile", "nproc"]


def test_container_tmp_is_noexec_tmpfs(container: dict[str, Any]) -> None:
    for options in container["tmpfs"].values():
        assert {"noexec", "nosuid", "nodev"} <= set(options.split(","))


def test_container_tmp_size_is_limited(container: dict[str, Any]) -> None:
    assert all("size=" in options for options in container["tmpfs"].values())


def test_container_labels_have_stack_and_service(container: dict[str, Any], service: str) -> None:
    labels = {label["label"]: label["value"] for label in container["labels"]}
    assert labels == {
        "vitalstream.stack": container["name"].split("-")[1],
        "vitalstream.service": service,
    }


def test_container_sets_no_option_that_weakens_isolation(container: dict[str, Any]) -> None:
    assert [key for key in NEVER_SET if container.get(key)] == []


def test_container_has_no_docker_socket(container: dict[str, Any]) -> None:
    assert "docker.sock" not in str(container["mounts"])


def test_container_configuration_is_read_only(container: dict[str, Any]) -> None:
    mounts = [m for m in container["mounts"] if m["source"].endswith("-config")]
    assert [mount["readOnly"] for mount in mounts] == [True] * len(mounts)


def test_container_only_data_volume_is_writable(container: dict[str, Any]) -> None:
    writable = [mount["source"] for mount in container["mounts"] if not mount["readOnly"]]
    assert writable in ([], [f"{container['name']}-data"])


def test_container_alias_is_the_service_name(container: dict[str, Any], service: str) -> None:
    assert all(service in network["aliases"] for network in container["networksAdvanced"])


def test_container_publishes_only_its_own_port(container: dict[str, Any], service: str) -> None:
    published = [(port["internal"], port["external"]) for port in container.get("ports") or []]
    assert published in ([], [(PORTS.get(service), PORTS.get(service))])


def test_container_publishes_on_loopback(container: dict[str, Any]) -> None:
    assert {port["ip"] for port in container.get("ports") or []} <= {"127.0.0.1"}


@pytest.mark.parametrize("key", ["healthcheck", "tmpfs", "init", "mounts"])
def test_container_edit_of_ignored_input_is_a_replacement(key: str, view: Any) -> None:
    assert [n for n, c in view.all("Container").items() if key not in c.replace_on_changes] == []


@pytest.mark.parametrize("key", ["interval", "timeout", "startPeriod"])
def test_container_durations_are_in_gos_form(key: str, view: Any) -> None:
    durations = {container["healthcheck"][key] for container in view.containers().values()}
    assert [d for d in durations if not re.fullmatch(r"([1-9]\d?m)?[1-5]?\ds", d)] == []


def test_health_check_old_engine_sleeps_less_than_its_timeout() -> None:
    timeout = duration_seconds(_healthcheck("true", native=False).timeout)  # type: ignore[arg-type]
    assert timeout > STEADY_PAUSE_SECONDS


def test_health_check_new_engine_has_one_second_start_interval() -> None:
    check = _healthcheck("true", native=True)
    assert (check.start_interval, check.interval, check.tests) == (
        "1s",
        "16s",
        ["CMD-SHELL", "true"],
    )


@pytest.fixture
def engine_socket(tmp_path: Path) -> Iterator[Callable[[str], Engine]]:
    """A server at a socket that answers a ping with an API version, as Docker does."""
    servers = []

    class Handler(BaseHTTPRequestHandler):
        version = ""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Api-Version", self.version)
            self.end_headers()

        def address_string(self) -> str:
            return "local"

        def log_message(self, *_: object) -> None: ...

    def start(version: str) -> Engine:
        path = str(tmp_path / f"docker-{version}.sock")
        handler = type("Versioned", (Handler,), {"version": version})
        server = socketserver.ThreadingUnixStreamServer(path, handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return Engine(f"unix://{path}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(("answer", "version"), [("1.41", (1, 41)), ("1.51", (1, 51)), ("", None)])
def test_api_version_reachable_engine_is_read(
    engine_socket: Callable[[str], Engine], answer: str, version: tuple[int, int] | None
) -> None:
    assert api_version.api_version(engine_socket(answer)) == version


def test_api_version_unreachable_engine_is_unknown(tmp_path: Path) -> None:
    assert api_version.api_version(Engine(f"unix://{tmp_path}/none.sock")) is None
