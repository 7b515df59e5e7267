"""Data that the tests of backup and restore write into a stack, read from it and compare."""

from __future__ import annotations

import contextlib
import http.server
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import docker
import requests
import yaml

from components.catalog.images import IMAGES
from ops.backup import lock, manifest
from ops.backup import stack as stacks_kept
from ops.backup.lock import VolumeHelper
from ops.backup.reader import ArchiveReader
from tests import backup_archives as archives
from tests.live.stack import SECRETS, TIMEOUT_SECONDS, Stack, edited

LOGIN = ("admin", SECRETS["grafanaAdminPassword"])
# In a separate block, as if Prometheus had run the day before.
HISTORY = "live_history"
HISTORY_HOURS = 3
ALERT = "RaisedByTheTests"
SERIES = ("up", "prometheus_tsdb_head_samples_appended_total", "node_memory_MemTotal_bytes")


@dataclass(frozen=True)
class Facts:
    """Data that must survive a restore: `samples` by metric, each as Prometheus returns them."""

    samples: dict[str, Any]
    silences: list[dict[str, Any]]
    users: dict[str, str]
    dashboards: dict[str, Any]


def facts(stack: Stack, moment: float) -> Facts:
    """Read the facts of a stack; `samples` are those up to `moment`, in seconds since 1970."""
    ranges = {HISTORY: "2d", **dict.fromkeys(SERIES, "1h")}
    samples = {
        metric: sorted(found, key=lambda series: sorted(series["metric"].items()))
        for metric, range_ in ranges.items()
        if (found := stack.ask("query", query=f"{metric}[{range_}]", time=moment)["result"])
    }
    silences = [
        found
        for found in stack.get("alertmanager", "/api/v2/silences")
        if found["status"]["state"] == "active"
    ]
    users, dashboards = {}, {}
    if "grafana" in stack.result.urls and stack.container("grafana").status == "running":
        users = {user["login"]: user["email"] for user in _grafana(stack, "/api/users")}
        dashboards = {
            entry["uid"]: _grafana(stack, f"/api/dashboards/uid/{entry['uid']}")["dashboard"]
            for entry in _grafana(stack, "/api/search?type=dash-db")
        }
    return Facts(samples, sorted(silences, key=lambda found: str(found["id"])), users, dashboards)


def add_history(client: docker.DockerClient, image: str | None, stack: str) -> None:
    """Create Prometheus' volume with a block written by promtool."""
    name = f"vitalstream-{stack}-prometheus-data"
    client.volumes.create(name, labels={"vitalstream.stack": stack})
    begin = int(time.time()) - 86400
    lines = [
        f'{HISTORY}{{patient="{patient}"}} {60 + patient + minute % 7} {begin + 60 * minute}'
        for patient in range(3)
        for minute in range(60 * HISTORY_HOURS)
    ]
    text = "\n".join([f"# TYPE {HISTORY} gauge", *lines, "# EOF\n"]).encode()
    container = client.containers.create(
        image or IMAGES["prometheus"].reference,
        entrypoint=["promtool"],
        command=["tsdb", "create-blocks-from", "openmetrics", "/tmp/history", "/prometheus"],
        network_mode="none",
        # Not no_copy: the volume gets the owner of the image's folder.
        volumes={name: {"bind": "/prometheus", "mode": "rw"}},
    )
    try:
        entry = archives.entry("history", len(text), mode=0o444)
        container.put_archive("/tmp", archives.tar_of((entry, text)))
        container.start()
        status = container.wait(timeout=60)["StatusCode"]
        assert status == 0, container.logs().decode()
    finally:
        container.remove(force=True, v=True)


def add_user_and_dashboard(stack: Stack) -> None:
    user = {"login": "nurse", "email": "nurse@example.com", "password": "live-nurse-Password-6"}
    _grafana(stack, "/api/admin/users", user)
    own = {"uid": "of-our-own", "title": "Of our own", "panels": [], "schemaVersion": 37}
    _grafana(stack, "/api/dashboards/db", {"dashboard": own})


def raise_alert(stack: Stack) -> None:
    """Send an alert as Prometheus does, without waiting for its next resend after a minute."""
    ends = datetime.now(UTC) + timedelta(hours=1)
    alert = {"labels": {"alertname": ALERT}, "endsAt": ends.isoformat()}
    url = f"{stack.result.urls['alertmanager']}/api/v2/alerts"
    answer = requests.post(url, json=[alert], timeout=TIMEOUT_SECONDS)
    assert answer.ok, answer.text


def silences(stack: Stack) -> set[str]:
    """Return the comments of active silences; none while Alertmanager does not respond."""
    try:
        found = stack.get("alertmanager", "/api/v2/silences")
    except requests.RequestException:
        return set()
    return {entry["comment"] for entry in found if entry["status"]["state"] == "active"}


@contextlib.contextmanager
def volumes(stack: Stack) -> Iterator[VolumeHelper]:
    found = stacks_kept.members(stack.client, stack.name)
    image = found[0].container.attrs["Image"]
    volumes = {member.service: member.volume for member in found}
    with lock.backup_lock(stack.client, stack.name, image, volumes) as there:
        yield there


def wipe(stack: Stack) -> None:
    """Empty the volumes as a new disk would: Prometheus and Alertmanager start without data."""
    found = stacks_kept.members(stack.client, stack.name)
    for member in found:
        member.container.stop()
    with volumes(stack) as there:
        for member in found:
            there.run('cd "$1" && rm -rf ./* ./.[!.]*', f"{lock.ROOT}/{member.service}")
    # Not Grafana, which takes its time to make a new database.
    started = [member for member in found if member.service != "grafana"]
    for member in started:
        member.container.start()
    for member in started:
        member.wait(60)


def leftovers(stack: Stack) -> list[str]:
    """Return files and containers that backup or restore left behind."""
    with volumes(stack) as there:
        found = left_in_volumes(there)
    return [*found, *left_containers(stack)]


def left_in_volumes(there: VolumeHelper) -> list[str]:
    return there.run(f"find {lock.ROOT} -name '.vitalstream*'").split()


def left_containers(stack: Stack) -> list[str]:
    name = f"vitalstream-{stack.name}-backup"
    mine = {"name": name}
    containers = stack.client.containers.list(all=True, ignore_removed=True, filters=mine)
    return [str(container.name) for container in containers]


def changed(source: Path, path: Path, *, stack: str | None = None, **versions: str) -> Path:
    """Write a copy of an archive with another stack or other versions in its manifest."""
    reader = ArchiveReader(source)
    was = reader.manifest
    services = {
        service: part.model_copy(update={"version": versions.get(service, part.version)})
        for service, part in was.services.items()
    }
    now = was.model_copy(update={"stack": stack or was.stack, "services": services})
    reader.close()
    content = source.read_bytes()
    head = manifest.encode(now)
    path.write_bytes(content[:512] + head + content[512 + len(head) :])
    return path


@dataclass
class Listener:
    """Messages that Alertmanager sent, and the number of those about the tests' alert."""

    groups: list[bytes] = field(default_factory=list)

    @property
    def notifications(self) -> int:
        return sum(ALERT.encode() in group for group in self.groups)


@contextlib.contextmanager
def listening(stack: Stack) -> Iterator[Listener]:
    """Run a receiver on this host and make it Alertmanager's only one meanwhile."""
    listener = Listener()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            listener.groups.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing: pytest would show it."""

    network = stack.client.networks.get(f"vitalstream-{stack.name}-alertmanager")
    gateway = network.attrs["IPAM"]["Config"][0]["Gateway"]
    with http.server.ThreadingHTTPServer((gateway, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        olds = stack.config_files("alertmanager")
        config = yaml.safe_load(olds["files"]["alertmanager.yml"])
        config["receivers"] = [
            {
                "name": "here",
                "webhook_configs": [{"url": f"http://{gateway}:{server.server_address[1]}/"}],
            }
        ]
        config["route"] = {"receiver": "here", "group_by": ["alertname"]}
        config["route"] |= {"group_wait": "1s", "repeat_interval": "4h"}
        text = yaml.safe_dump(config)
        with edited(olds, {**olds["files"], "alertmanager.yml": text}):
            yield listener
        server.shutdown()


def _grafana(stack: Stack, path: str, body: dict[str, Any] | None = None) -> Any:
    url = stack.result.urls["grafana"] + path
    method = "GET" if body is None else "POST"
    answer = requests.request(method, url, json=body, auth=LOGIN, timeout=TIMEOUT_SECONDS)
    assert answer.ok, f"{url}: {answer.text}"
    return answer.json()
