"""The clock set wrong under a running stack, an hour ahead and an hour back, and set right again.

Prometheus and Alertmanager see another time; this machine does not.
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
from tests.figures import Tell
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
    """A series that has no sample yet would take one of any time. Prometheus has evaluated rules
    before it looks for its first targets: that none is left is not enough.
    """
    targets = stack.ask("targets", state="active")["activeTargets"]
    return bool(targets) and len(stack.query("up")) == len(targets)


def set_clocks(stack: Stack, seconds: int) -> float:
    """Of what looks at the time of day, as the machine's would be. Returns when, in right time."""
    for service in ("prometheus", "alertmanager"):
        clocks.set_clock(stack.container(service), seconds)
    return time.time()


@pytest.fixture
def right(stack: Stack) -> Iterator[Stack]:
    yield stack
    set_clocks(stack, 0)


def newest(stack: Stack, at: float) -> float:
    """How old the newest scrape of all targets is at a moment, in seconds; an hour without any."""
    found = stack.ask("query", query="max(timestamp(up))", time=f"{at:.3f}")["result"]
    return at - float(found[0]["value"][1]) if found else HOUR


def refused(stack: Stack) -> int:
    """The samples that came too late for Prometheus, by its own count."""
    url = f"{stack.result.urls['prometheus']}/metrics"
    return sum(map(int, REFUSED.findall(requests.get(url, timeout=TIMEOUT_SECONDS).text)))


def alerts(stack: Stack) -> dict[str, str]:
    return {found["labels"]["alertname"]: found["state"] for found in stack.ask("alerts")["alerts"]}


def half_an_hour_pending(stack: Stack) -> contextlib.AbstractContextManager[object]:
    rule = {"alert": PENDING, "expr": "vector(1)", "for": "30m"}
    text = yaml.safe_dump({"groups": [{"name": "clock", "rules": [rule]}]})
    olds = stack.config_files("prometheus")
    return edited(olds, {**olds["files"], "rules/clock.yml": text})


def test_while_the_clock_is_an_hour_late_nothing_is_stored_and_all_is_well_once_it_is_right(
    right: Stack, tell: Tell
) -> None:
    before = refused(right)
    wrong = set_clocks(right, -HOUR)
    time.sleep(WRONG_SECONDS)
    assert newest(right, time.time()) >= WRONG_SECONDS - SCRAPE_SECONDS
    lost = refused(right) - before
    assert lost > 0
    # By a clock that is an hour late there is nothing: it was not scraped then.
    assert right.query("up") == []
    assert alerts(right)["Watchdog"] == "firing"
    mended = set_clocks(right, 0)
    assert eventually(lambda: newest(right, time.time()) < 2 * SCRAPE_SECONDS, SOON_SECONDS)
    tell(
        f"clock an hour late for {mended - wrong:.0f} s: {lost} samples refused in that time, "
        f"stored again {time.time() - mended:.0f} s after it was right"
    )


def test_a_jump_ahead_makes_pending_alerts_fire_and_silences_end(right: Stack, tell: Tell) -> None:
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
    tell(
        f"clock an hour ahead: an alert with `for` 30m fired after {fired:.0f} s, a silence of an "
        "hour ended, samples go on an hour later"
    )


def test_after_a_jump_ahead_and_back_nothing_is_stored_until_the_newest_samples_are_given_up(
    right: Stack, tell: Tell
) -> None:
    set_clocks(right, HOUR)
    assert eventually(lambda: newest(right, time.time() + HOUR) < 2 * SCRAPE_SECONDS, SOON_SECONDS)
    back = set_clocks(right, 0)
    before = refused(right)
    time.sleep(WRONG_SECONDS)
    assert refused(right) > before
    assert newest(right, time.time()) >= WRONG_SECONDS - SCRAPE_SECONDS
    assert alerts(right)["Watchdog"] == "firing"
    # It is blind, and says so: what is not there is down.
    assert {"PostgreSQLDown", "RedisDown", "BackendDown"} <= alerts(right).keys()
    right.container("prometheus").restart()
    time.sleep(SOON_SECONDS)
    assert newest(right, time.time()) >= time.time() - back
    give_up_newest(right)
    began = time.time()
    assert eventually(lambda: stored(right), 2 * SOON_SECONDS)
    tell(
        f"clock ahead and back: nothing stored for {began - back:.0f} s, a restart does not mend "
        f"it; without the log and the head's chunks stored again after {time.time() - began:.0f} s"
    )


def stored(stack: Stack) -> bool:
    try:
        return newest(stack, time.time()) < 2 * SCRAPE_SECONDS
    except (requests.RequestException, AssertionError):
        return False


def give_up_newest(stack: Stack) -> None:
    """As docs/operations/failure-modes.md says: what is in blocks stays."""
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
