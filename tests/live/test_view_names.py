"""The overview's list of firing alerts in a browser: databases by the names that people have."""

from __future__ import annotations

import docker
import pytest

from ops.offline import local_deploy
from tests.live import pages
from tests.live import stack as stacks
from tests.live.pages import Grafana, SeenPanel
from tests.live.stack import Stack, eventually

NAME = "live-names"
TITLE = "Firing Alerts, all"
SEEN = ("Ward database", "redis:6379")


def test_list_of_firing_alerts_names_the_database_and_not_its_exporter(
    docker_client: docker.DockerClient, images: dict[str, str]
) -> None:
    config = stacks.config(
        images,
        watch=["postgresql", "redis"],
        instanceNames={"postgres:5432": "Ward database"},
        alerts={alert: {"for": "1s"} for alert in ("PostgreSQLDown", "RedisDown")},
    )
    with stacks.alone(NAME, docker_client):
        result = local_deploy.up(NAME, config, stacks.say)
        stack = Stack(NAME, docker_client, config, result)
        if "grafana" not in result.urls:
            pytest.skip("Grafana is left out: no image of it is available")
        firing = 'count(ALERTS{alertname=~"(PostgreSQL|Redis)Down", alertstate="firing"}) == 2'
        assert eventually(lambda: stack.query(firing), 60)
        with pages.chromium() as browser:
            url = result.urls["grafana"]
            site = Grafana(url, browser, pages.log_in(browser, url))
            with site.window(1920, 1080) as page:
                site.open(page, "/d/vitalstream-overview?from=now-30m&to=now&kiosk")
                # A page may ask for a moment before the second alert fired.
                found = pages.until(
                    page, lambda panels: all(name in _text(panels) for name in SEEN)
                )
                pages.screenshot(page, "overview-names")
    text = _text(found)
    assert all(name in text for name in SEEN), text
    assert "exporter:9" not in text


def _text(panels: list[SeenPanel]) -> str:
    return "\n".join(panel.text for panel in panels if panel.lines[:1] == [TITLE])
