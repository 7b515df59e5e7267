"""Single Alertmanager with a test configuration, on this machine's network."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Iterator

import docker
import requests

from components.alertmanager.receivers import CONFIG_DIR
from components.alertmanager.templates import render_templates
from components.docker.container import container_name
from components.settings.settings import Settings
from tests.live import stack as stacks
from tests.live.stack import eventually


@contextlib.contextmanager
def running(client: docker.DockerClient, settings: Settings, config: str) -> Iterator[str]:
    """Start Alertmanager in the settings' stack; yield its address at the published port."""
    port = settings.ports["alertmanager"]
    with stacks.alone(settings.stack, client):
        container = client.containers.create(
            settings.image("alertmanager"),
            [
                f"--config.file={CONFIG_DIR}/alertmanager.yml",
                "--storage.path=/tmp",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
            ],
            name=container_name(settings.stack, "alertmanager"),
            labels={"vitalstream.stack": settings.stack},
            network_mode="host",
        )
        try:
            templates = render_templates(settings)
            files = {"alertmanager.yml": config, "notifications.tmpl": templates}
            container.put_archive(CONFIG_DIR, _archive(files))
            container.start()
            address = f"http://127.0.0.1:{port}"
            assert eventually(lambda: _ready(address), 20, pause=0.2), container.logs().decode()
            yield address
        finally:
            container.remove(force=True, v=True)


def _archive(files: dict[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


def _ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/-/ready", timeout=5).ok
    except requests.RequestException:
        return False
