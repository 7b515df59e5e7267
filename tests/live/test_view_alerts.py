"""The overview in a browser while many alerts fire, on the wall, a laptop and a phone."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import pytest
import yaml
from playwright.sync_api import Page

from components.dashboards.panels import NO_ANSWER
from components.user_files.paths import PROJECT_DIR
from ops.offline import local_deploy
from tests.live import pages
from tests.live import stack as stacks
from tests.live.pages import Grafana, SeenPanel
from tests.live.stack import Stack, eventually

NAME = "live-alerts"
TILES = "Firing Alerts"
LIST = "Firing Alerts, all"
# Of the tile beside the worst alert; how many more depends on how long the stack has run.
MORE = " more"
OVERVIEW = "/d/vitalstream-overview?from=now-30m&to=now"
DOWN = ("PostgreSQLDown", "RedisDown")
# Names as long as the longest of rules/.
OWN = (
    "WardCentralStationDisconnected",
    "InfusionPumpGatewayUnreachable",
    "BedsideMonitorsWithoutNetwork",
)
SEEN = ("Ward database", "redis:6379")
# Larger than the text of the list beside the tiles.
READABLE_ON_THE_WALL = 28
READABLE_IN_THE_HAND = 10


@pytest.fixture(scope="module")
def site(
    docker_client: docker.DockerClient,
    images: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Grafana]:
    """Grafana of a stack where five alerts fire: of its databases, and of rules of its own."""
    rules = tmp_path_factory.mktemp("rules") / "ward.yml"
    labels = {"severity": "warning", "service": "host"}
    own = [{"alert": alert, "expr": "vector(1)", "labels": labels} for alert in OWN]
    rules.write_text(yaml.safe_dump({"groups": [{"name": "ward", "rules": own}]}))
    config = stacks.config(
        images,
        watch=["postgresql", "redis"],
        instanceNames={"postgres:5432": "Ward database"},
        alerts={alert: {"for": "1s"} for alert in DOWN},
        extraRules=[os.path.relpath(rules, PROJECT_DIR)],
    )
    with stacks.alone(NAME, docker_client):
        result = local_deploy.up(NAME, config, stacks.say)
        stack = Stack(NAME, docker_client, config, result)
        if "grafana" not in result.urls:
            pytest.skip("Grafana is left out: no image of it is available")
        names = "|".join((*DOWN, *OWN))
        firing = f'count(ALERTS{{alertname=~"{names}", alertstate="firing"}}) == 5'
        assert eventually(lambda: stack.query(firing), 60)
        with pages.chromium() as browser:
            url = result.urls["grafana"]
            yield Grafana(url, browser, pages.log_in(browser, url))


@pytest.fixture(scope="module")
def wall(site: Grafana) -> Iterator[Page]:
    with site.window(1920, 1080) as page:
        site.open(page, f"{OVERVIEW}&kiosk")
        # A page may ask for a moment before the last alert fired.
        pages.until(page, lambda panels: all(text in _texts(panels) for text in (*SEEN, MORE)))
        pages.screenshot(page, "overview-many-alerts")
        yield page


def test_list_of_firing_alerts_names_the_database_and_not_its_exporter(wall: Page) -> None:
    text = _texts(pages.seen(wall))
    assert all(name in text for name in SEEN), text
    assert "exporter:9" not in text


def test_list_of_firing_alerts_of_a_whole_service_says_nothing_of_a_fault(wall: Page) -> None:
    text = _texts(pages.seen(wall))
    assert any(name in text for name in OWN)
    assert NO_ANSWER not in text


def test_tiles_of_many_alerts_on_the_wall_can_be_read_from_afar(wall: Page) -> None:
    _assert_readable(wall, READABLE_ON_THE_WALL)


def test_tiles_of_many_alerts_on_a_phone_can_be_read(site: Grafana) -> None:
    with site.window(390, 2000, **pages.PHONE) as page:
        site.open(page, OVERVIEW)
        pages.until(page, lambda panels: MORE in _texts(panels))
        pages.screenshot(page, "overview-many-alerts-phone")
        _assert_readable(page, READABLE_IN_THE_HAND)


def test_list_of_many_alerts_on_a_laptop_has_all_columns_beside_its_scrollbar(
    site: Grafana,
) -> None:
    with site.window(1366, 768) as page:
        page.add_init_script(pages.MENU_OPEN)
        site.open(page, OVERVIEW)
        pages.until(page, lambda panels: OWN[0] in _texts(panels))
        pages.screenshot(page, "overview-many-alerts-laptop")
        assert pages.remaining(lambda: [name for name, cut in pages.tables(page) if cut]) == []
        assert LIST in dict(pages.tables(page))


def _assert_readable(page: Page, pixels: int) -> None:
    """Fail if a name on a tile is smaller than `pixels` or cut off."""

    def tiles() -> list[tuple[str, float, bool]]:
        return [found for found in pages.texts(page, TILES) if found[0] != TILES]

    assert len(tiles()) == 2
    assert pages.remaining(lambda: [one for one in tiles() if one[1] < pixels or one[2]]) == []


def _texts(panels: list[SeenPanel]) -> str:
    return "\n".join(panel.text for panel in panels if panel.text.startswith(TILES))
