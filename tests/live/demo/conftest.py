"""Two stacks from the first of these tests on: `live` with the demo, `live-bare` without it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import docker
import pytest

from ops.offline import local_deploy
from tests.live import pages
from tests.live import stack as stacks
from tests.live.stack import Stack


def has_native_histograms(images: dict[str, str]) -> bool:
    """Return whether this Prometheus can store them: from version 3 on."""
    return not images["prometheus"].rpartition(":")[2].startswith("2.")


@pytest.fixture(scope="package")
def live(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Stack]:
    """With the demo and a dashboard of the user's own; with Grafana where there is an image."""
    interval = f"{stacks.DEMO_SCRAPE_SECONDS}s"
    config = stacks.config(
        images,
        demo=True,
        scrapeInterval=interval,
        evaluationInterval=interval,
        dashboardsFolder="tests/live/dashboards",
        nativeHistograms=has_native_histograms(images),
    )
    with stacks.alone("live", docker_client):
        result = local_deploy.up("live", config, stacks.say)
        yield Stack("live", docker_client, config, result)


@pytest.fixture(scope="package")
def bare(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Stack]:
    """Without the demo, and without an image of Grafana."""
    config = stacks.config({**images, "grafana": "vitalstream-local/grafana:none-of-that-tag"})
    with stacks.alone("live-bare", docker_client):
        result = local_deploy.up("live-bare", config, stacks.say)
        yield Stack("live-bare", docker_client, config, result)


@pytest.fixture
def scratch(docker_client: docker.DockerClient) -> Iterator[str]:
    """The name of a stack to fail with; what is left of it is removed."""
    with stacks.alone("live-scratch", docker_client):
        yield "live-scratch"


@pytest.fixture(scope="package")
def logins() -> dict[str, Any]:
    """Sessions of Grafana by its address: each browser need not log in again."""
    return {}


@pytest.fixture(scope="module")
def site(live: Stack, logins: dict[str, Any]) -> Iterator[pages.Grafana]:
    """The Grafana of `live` in a browser. No longer than a module: see `pages.chromium`."""
    url = live.result.urls.get("grafana")
    if url is None:
        pages.unavailable("Grafana is left out: no image of it is available")
        return
    with pages.chromium() as browser:
        if url not in logins:
            logins[url] = pages.log_in(browser, url)
        yield pages.Grafana(url, browser, logins[url])
