"""Record the metrics that services expose: `python -m tests.contract.record`.

It starts a stack with the demo, lets it run for a while and writes one file per service. The
versions are chosen as in tests/live: LIVE_IMAGES=pinned takes the program's own images,
LIVE_IMAGES='{"redis-exporter": "IMAGE:TAG"}' takes these and local ones for the rest. The version
is the tag's.
"""

from __future__ import annotations

import re
import sys
import time
from datetime import UTC, datetime
from typing import Annotated

import docker
import requests
import typer

from components.catalog import replicas, thanos
from components.catalog.images import IMAGES
from ops.offline import local_deploy
from ops.offline.local_deploy.local import NOT_MADE
from tests.contract.recording import Recording, load, metrics_in
from tests.live import stack as stacks
from tests.live.stack import Stack
from tests.ports import free_ports

STACK = "live-contract"
# By then whatever is rare in the demo's traffic has happened, and rules have been evaluated.
RUN_SECONDS = 60
BACKEND = "demo-backend"
# It refuses all that it gets, which a queue counts as sent: some of its metrics come with that.
RECEIVER = {"name": "refusing", "url": "http://alertmanager:9093/api/v1/write"}
AGAINST = {"postgres-exporter": "demo-postgres", "redis-exporter": "demo-redis"}
LOCAL_PREFIX = "vitalstream-local/"
_VERSION = re.compile(r":v?(\d+(?:\.\d+)*(?:-pre)?)")


def main(
    origin: Annotated[
        list[str] | None,
        typer.Option(help="SERVICE=WORDS: where the image of a service comes from."),
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this service; several.")] = None,
    add: Annotated[
        bool, typer.Option(help="Keep what this version showed before, in a fuller build, say.")
    ] = False,
) -> None:
    """Write tests/contract/SERVICE-VERSION.yml for each service of a stack."""
    origins = dict(words.split("=", 1) for words in origin or [])
    client = docker.from_env()
    images = stacks.images(client)
    references = {name: image.reference for name, image in IMAGES.items()} | images
    demo = not only or not {BACKEND, *AGAINST}.isdisjoint(only)
    # Two, because a single one exposes no cluster metrics.
    config = stacks.config(
        images,
        demo=demo,
        publishExporters=True,
        alertmanager={"replicas": 2},
        remoteWrite=[RECEIVER],
        ports=free_ports("alertmanager-2"),
        thanos={"directory": True} if thanos.IMAGE in images else {},
    )
    with stacks.alone(STACK, client):
        stack = Stack(STACK, client, config, local_deploy.up(STACK, config, stacks.say))
        texts = [exposed(stack)]
        time.sleep(RUN_SECONDS)
        texts.append(exposed(stack))
    for service in texts[0]:
        if only and service not in only:
            continue
        tag = "ours" if service == BACKEND else version(references[_image(service)])
        earlier = [old.metrics for old in load() if (old.service, old.version) == (service, tag)]
        recording = Recording(
            service,
            tag,
            about(service, references, origins),
            {
                **(earlier[0] if add and earlier else {}),
                **metrics_in(found[service] for found in texts),
            },
        )
        stacks.say(f"{recording.write()}: {len(recording.metrics)} metrics")


def exposed(stack: Stack) -> dict[str, str]:
    """Return the /metrics page of each service. The ports of the backend and Thanos are not
    published.
    """
    urls = dict(stack.result.urls)
    if stack.settings.thanos.on:
        ports = dict.fromkeys(thanos.SERVICES, thanos.HTTP_PORT)
        urls |= {part: f"http://{stack.address(part)}:{port}" for part, port in ports.items()}
    found = {
        service: requests.get(f"{url}/metrics", timeout=30).text
        for service, url in urls.items()
        if service == replicas.base(service)
    }
    if not stack.settings.demo:
        return found
    fetch = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/metrics').read().decode())"
    command = ["python3", "-c", fetch]
    _, output = stack.container(BACKEND).exec_run(command)
    assert isinstance(output, bytes)
    return {**found, BACKEND: output.decode()}


def _image(service: str) -> str:
    return thanos.IMAGE if service in thanos.SERVICES else service


def version(reference: str) -> str:
    found = _VERSION.search(reference)
    assert found, f"the tag of {reference} is not a version"
    return found[1]


def about(service: str, references: dict[str, str], origins: dict[str, str]) -> dict[str, str]:
    reference = references.get(_image(service), "")
    if service == BACKEND:
        origin = "app/metrics.py, as the demo imports it"
    elif service in origins:
        origin = origins[service]
    elif reference.startswith(LOCAL_PREFIX) and _image(service) not in NOT_MADE:
        origin = f"Debian's package, in the image {reference}"
    else:
        origin = f"the image {reference}"
    against = AGAINST.get(service)
    return {
        "origin": origin,
        **(
            {"against": f"{against.removeprefix('demo-')} {version(references[against])}"}
            if against
            else {}
        ),
        "recorded": datetime.now(UTC).date().isoformat(),
    }


if __name__ == "__main__":
    sys.exit(typer.run(main))
