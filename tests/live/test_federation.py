"""Global stack and the source that it federates, over TLS with a password."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import docker
import pytest

from components.dashboards import DashboardSettings, render_all
from components.prometheus.federation import NAMES
from components.settings.tls import served_names
from ops.offline import local_deploy, program
from tests.issued import issued
from tests.live import stack as stacks
from tests.live.stack import SCRAPE_SECONDS, Stack, eventually, say
from tests.panels import Target, targets

SOURCE = "live-federation-source"
GLOBAL = "live-federation"
NETWORK = "live-federation-between"
ALIAS = "source"
WEB_PASSWORD = "live-web-Password-8"
LEFT_OUT = frozenset(("grafana",))
RECORDED = f'{{__name__=~"{NAMES}"}}'
COPIED = f'{{__name__=~"{NAMES}", stack="{SOURCE}"}}'
# Of a demo that has just begun: what has something to record needs a rate of some scrapes.
BEGUN_SECONDS = 90
# A scrape that fails makes all series of its target stale; by their own time they would stay 5m.
STALE_SECONDS = 5 * SCRAPE_SECONDS
MADE_BY_PROMETHEUS = re.compile(r"up|scrape_\w+")

_SETTINGS = DashboardSettings(GLOBAL, 86400, f"{SCRAPE_SECONDS}s", watch=(), federates=True)
BOARD = json.loads(render_all(_SETTINGS)["stacks"])
# Some panels of alerts have values only while an alert fires.
TARGETS = [one for one in targets({"stacks": BOARD}) if not one.panel.startswith("Firing Alerts")]

Labels = frozenset[tuple[str, str]]


@pytest.fixture(scope="module")
def source(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Stack]:
    served = {"tls": True, "webPassword": WEB_PASSWORD, **issued(served_names("127.0.0.1", ""))}
    with stacks.alone(SOURCE, docker_client):
        config = stacks.config(images, demo=True, **served)
        result = local_deploy.up(SOURCE, config, say, leave_out=LEFT_OUT)
        yield Stack(SOURCE, docker_client, config, result)


@pytest.fixture(scope="module")
def everywhere(
    docker_client: docker.DockerClient, images: dict[str, str], source: Stack
) -> Iterator[Stack]:
    """Watches nothing of its own, and reaches the source in a network of the two."""
    with stacks.alone(NETWORK, docker_client), stacks.alone(GLOBAL, docker_client):
        labels = {"vitalstream.stack": NETWORK}
        network = docker_client.networks.create(NETWORK, internal=True, labels=labels)
        network.connect(source.container("prometheus"), aliases=[ALIAS])
        try:
            config = _config(images, source)
            result = local_deploy.up(GLOBAL, config, say, leave_out=LEFT_OUT)
            yield Stack(GLOBAL, docker_client, config, result)
        finally:
            network.disconnect(source.container("prometheus"), force=True)


def _config(images: dict[str, str], source: Stack) -> program.StackConfig:
    federated = {
        "stack": SOURCE,
        "target": f"{ALIAS}:9090",
        "scheme": "https",
        "ca": source.settings.tls_ca,
        "serverName": "prometheus",
        "username": source.settings.web_user,
        "password": WEB_PASSWORD,
    }
    values = {"watch": [], "federation": [federated], "applicationNetworks": [NETWORK]}
    found = stacks.config(images, **values, postgresPassword="", redisPassword="")
    return program.StackConfig(found.values, (*found.secret_keys, "vitalstream:federation"))


def _series(stack: Stack, expr: str) -> dict[Labels, list[str]]:
    """Return the samples of each series, unparsed: the last one, or those of a range."""
    return {
        frozenset(found["metric"].items()): [
            value for _, value in found.get("values", [found.get("value")])
        ]
        for found in stack.query(expr)
    }


def _expected(source: Stack) -> set[Labels]:
    """Return the source's recorded series in the form expected at the global stack.

    What has no label `job` or `instance` has that of the scrape, and none.
    """
    return {
        frozenset({"job": "federate", **dict(labels), "stack": SOURCE}.items())
        for labels in _series(source, RECORDED)
    }


@pytest.fixture(scope="module")
def begun(source: Stack, everywhere: Stack) -> Stack:
    """Global stack, after all series of the source have arrived."""

    def complete() -> bool:
        expected, found = _expected(source), set(_series(everywhere, COPIED))
        return bool(_series(source, "job:http_requests:rate5m")) and expected <= found

    time.sleep(10)
    assert eventually(complete, BEGUN_SECONDS), sorted(
        map(sorted, _expected(source) - set(_series(everywhere, COPIED)))
    )
    say(f"{len(_series(everywhere, COPIED))} series of {SOURCE}")
    return everywhere


def test_the_source_is_a_target_of_the_job_federate(begun: Stack) -> None:
    assert begun.value(f'up{{job="federate", stack="{SOURCE}", instance="{ALIAS}:9090"}}') == 1


def test_every_recorded_series_arrives_with_its_labels_and_its_stack(
    begun: Stack, source: Stack
) -> None:
    assert eventually(lambda: _expected(source) == set(_series(begun, COPIED)), 30)


def test_only_recorded_names_arrive(begun: Stack) -> None:
    stored = begun.ask("series", **{"match[]": f'{{stack="{SOURCE}"}}'})
    assert {
        series["__name__"]
        for series in stored
        if not re.fullmatch(NAMES, series["__name__"])
        and not (series["job"] == "federate" and MADE_BY_PROMETHEUS.fullmatch(series["__name__"]))
    } == set()


def test_the_numbers_are_the_sources(begun: Stack, source: Stack) -> None:
    """Check that each copied sample existed in the source at that time or shortly before."""
    moment = time.time()
    copied = {
        labels: values for labels, values in _at(begun, f"{COPIED}[10s]", moment).items() if values
    }
    originals = {
        frozenset({"job": "federate", **dict(labels), "stack": SOURCE}.items()): values
        for labels, values in _at(source, f"{RECORDED}[20s]", moment).items()
    }
    assert copied
    wrong = {
        tuple(sorted(labels)): (values, originals.get(labels))
        for labels, values in copied.items()
        if not set(values) <= set(originals.get(labels, []))
    }
    say(f"{sum(map(len, copied.values()))} samples of {len(copied)} series compared")
    assert wrong == {}


def _at(stack: Stack, expr: str, moment: float) -> dict[Labels, list[str]]:
    result = stack.ask("query", query=expr, time=moment)["result"]
    return {
        frozenset(found["metric"].items()): [value for _, value in found["values"]]
        for found in result
    }


def test_its_own_series_are_beside_them_without_a_stack(begun: Stack) -> None:
    found = begun.query("instance:alertmanager_up:min")
    assert {series["metric"].get("stack") for series in found} == {None, SOURCE}


def test_every_rule_of_the_global_one_works(begun: Stack) -> None:
    assert {
        name: rule.get("lastError")
        for name, rule in begun.rules().items()
        if rule["health"] == "err"
    } == {}
    failed = begun.value("sum(rule_group:prometheus_rule_failures:increase5m{stack=''})")
    assert failed == 0


def test_it_alerts_on_nothing_that_it_does_not_watch(begun: Stack) -> None:
    # No image of Grafana is available; a pending alert would fire after its `for`.
    alerts = {series["metric"]["alertname"] for series in begun.query("ALERTS")}
    assert alerts <= {"Watchdog", "GrafanaDown"}


@pytest.mark.parametrize("target", TARGETS, ids=lambda one: f"{one.panel}: {one.legend}")
def test_every_panel_of_the_stacks_has_something_to_show(begun: Stack, target: Target) -> None:
    assert eventually(lambda: begun.numbers(target.expr, instant=target.instant), 30)


def test_unreachable_source_is_reported_and_its_values_become_stale(
    begun: Stack, source: Stack
) -> None:
    container = source.container("prometheus")
    container.stop(timeout=30)
    try:
        stopped = time.monotonic()
        down = f'up{{job="federate", stack="{SOURCE}"}} == 0'
        assert eventually(lambda: begun.query(down), 30)
        noticed = time.monotonic() - stopped
        assert eventually(lambda: not begun.query(COPIED), STALE_SECONDS)
        say(f"noticed {noticed:.1f} s after its stop; its series ended then too")
        pending = 'ALERTS{alertname="TargetDown", job="federate"}'
        assert eventually(lambda: begun.query(pending), 60)
    finally:
        container.start()
    assert eventually(lambda: begun.query(COPIED), 60)
