"""Clock errors under a running stack: one hour ahead, one hour back, and corrected again.

Only the processes of Prometheus and Alertmanager see the wrong time; this host does not.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator

import docker
import pytest
import requests
import yaml

from ops.offline import local_deploy
from tests.figures import ReportFigure
from tests.live import clocks
from tests.live import stack as stacks
from tests.live.ingestion import BEATING
from tests.live.stack import (
    SCRAPE_SECONDS,
    TIMEOUT_SECONDS,
    Stack,
    edited,
    eventually,
    not_of_this_machine,
)

STACK = "live-clock"
HOUR = 3600
WRONG_SECONDS = 20
SOON_SECONDS = 15
PENDING = "PendingForHalfAnHour"
# Prometheus evens out the times of scrapes, and by a clock that is late gives them all that of the
# last one before: they are out of order where that one was late itself, and duplicates otherwise.
REFUSED = re.compile(
    r"^prometheus_target_scrapes_sample_(?:out_of_order|out_of_bounds|duplicate_timestamp)_total "
    r"(\d+)",
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def stack(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Stack]:
    if reason := clocks.obstacle() or not_of_this_machine(docker_client):
        pytest.skip(reason)
    with stacks.alone(STACK, docker_client):
        config = stacks.config(images)
        result = local_deploy.up(STACK, config, stacks.say, leave_out=frozenset({"grafana"}))
        found = Stack(STACK, docker_client, config, result)
        assert eventually(lambda: found.query(BEATING), 60)
        assert eventually(lambda: all_scraped(found), 30)
        yield found


def all_scraped(stack: Stack) -> bool:
    """Wait until every target has a sample and its rules were evaluated.

    A series without a sample would accept one of any time. Prometheus evaluates rules before it
    finds its first targets, so an empty list of missing targets is not enough.
    """
    targets = stack.ask("targets", state="active")["activeTargets"]
    return bool(targets) and len(stack.query("up")) == len(targets)


def set_clocks(stack: Stack, seconds: int) -> float:
    """Set the clock of all services that read the time of day. Return when, in correct time."""
    for service in ("prometheus", "alertmanager"):
        clocks.set_clock(stack.container(service), seconds)
    return time.time()


@pytest.fixture
def right(stack: Stack) -> Iterator[Stack]:
    yield stack
    set_clocks(stack, 0)


def newest(stack: Stack, at: float) -> float:
    """Return the age in seconds of the newest scrape of all targets; an hour if there is none."""
    found = stack.ask("query", query="max(timestamp(up))", time=f"{at:.3f}")["result"]
    return at - float(found[0]["value"][1]) if found else HOUR


def refused(stack: Stack) -> int:
    """Return the number of samples that Prometheus refused as too late."""
    url = f"{stack.result.urls['prometheus']}/metrics"
    return sum(map(int, REFUSED.findall(requests.get(url, timeout=TIMEOUT_SECONDS).text)))


def alerts(stack: Stack) -> dict[str, str]:
    return {found["labels"]["alertname"]: found["state"] for found in stack.ask("alerts")["alerts"]}


def half_an_hour_pending(stack: Stack) -> contextlib.AbstractContextManager[object]:
    rule = {"alert": PENDING, "expr": "vector(1)", "for": "30m"}
    text = yaml.safe_dump({"groups": [{"name": "clock", "rules": [rule]}]})
    olds = stack.config_files("prometheus")
    return edited(olds, {**olds["files"], "rules/clock.yml": text})


def test_clock_an_hour_late_stores_nothing_until_corrected(
    right: Stack, report_figure: ReportFigure
) -> None:
    before = refused(right)
    wrong = set_clocks(right, -HOUR)
    time.sleep(WRONG_SECONDS)
    assert newest(right, time.time()) >= WRONG_SECONDS - SCRAPE_SECONDS
    lost = refused(right) - before
    assert lost > 0
    # At a clock an hour late no sample exists: nothing was scraped at that time.
    assert right.query("up") == []
    assert alerts(right)["Watchdog"] == "firing"
    corrected = set_clocks(right, 0)
    assert eventually(lambda: newest(right, time.time()) < 2 * SCRAPE_SECONDS, SOON_SECONDS)
    report_figure(
        f"clock an hour late for {corrected - wrong:.0f} s: {lost} samples refused in that time, "
        f"stored again {time.time() - corrected:.0f} s after it was right"
    )


def test_clock_an_hour_ahead_fires_pending_alerts_and_ends_silences(
    right: Stack, report_figure: ReportFigure
) -> None:
    silence = stacks.silence(right, "Nothing", "for an hour")
    with half_an_hour_pending(right):
        assert eventually(lambda: alerts(right).get(PENDING) == "pending", SOON_SECONDS)
        jumped = set_clocks(right, HOUR + 1)
        assert right.value("vector(time())") == pytest.approx(time.time() + HOUR, abs=5)
        assert eventually(lambda: alerts(right).get(PENDING) == "firing", SOON_SECONDS)
        fired = time.time() - jumped
        found = right.get("alertmanager", f"/api/v2/silence/{silence}")
        assert found["status"]["state"] == "expired"
        ahead = jumped + HOUR
        assert eventually(
            lambda: newest(right, time.time() + HOUR) < 2 * SCRAPE_SECONDS, SOON_SECONDS
        )
        assert right.query(BEATING)
    gap = f"min_over_time(timestamp(up{{job='prometheus'}})[30m:1s] @ {ahead + 60:.0f})"
    assert right.value(gap) is not None
    report_figure(
        f"clock an hour ahead: an alert with `for` 30m fired after {fired:.0f} s, a silence of an "
        "hour ended, samples go on an hour later"
    )


def test_clock_ahead_and_back_stores_nothing_until_newest_samples_are_deleted(
    right: Stack, report_figure: ReportFigure
) -> None:
    set_clocks(right, HOUR)
    assert eventually(lambda: newest(right, time.time() + HOUR) < 2 * SCRAPE_SECONDS, SOON_SECONDS)
    back = set_clocks(right, 0)
    before = refused(right)
    time.sleep(WRONG_SECONDS)
    assert refused(right) > before
    assert newest(right, time.time()) >= WRONG_SECONDS - SCRAPE_SECONDS
    assert alerts(right)["Watchdog"] == "firing"
    # Prometheus has no current samples, and alerts on the missing targets.
    assert {"PostgreSQLDown", "RedisDown", "BackendDown"} <= alerts(right).keys()
    right.container("prometheus").restart()
    time.sleep(SOON_SECONDS)
    assert newest(right, time.time()) >= time.time() - back
    give_up_newest(right)
    began = time.time()
    assert eventually(lambda: stored(right), 2 * SOON_SECONDS)
    report_figure(
        f"clock ahead and back: nothing stored for {began - back:.0f} s, a restart does not repair "
        f"it; without the log and the head's chunks stored again after {time.time() - began:.0f} s"
    )


def stored(stack: Stack) -> bool:
    try:
        return newest(stack, time.time()) < 2 * SCRAPE_SECONDS
    except (requests.RequestException, AssertionError):
        return False


def give_up_newest(stack: Stack) -> None:
    """Delete the newest samples as docs/operations/failure-modes.md says; blocks stay."""
    prometheus = stack.container("prometheus")
    prometheus.stop()
    stack.client.containers.run(
        prometheus.image,
        ["-c", "rm -r /prometheus/wal /prometheus/chunks_head"],
        entrypoint=["sh"],
        user="0",
        remove=True,
        network_mode="none",
        volumes_from=[str(prometheus.name)],
    )
    prometheus.start()
