"""Remote write to a receiver: every sample arrives, also after an outage; no secret leaks."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest

from components.catalog.images import IMAGES
from components.docker.config_files_provider import ConfigFilesProvider
from ops.offline import local_deploy, program
from tests.issued import issued
from tests.live import stack as stacks
from tests.live.remote_receiver import (
    HOST,
    PASSWORD,
    UID,
    USER,
    WRONG,
    Receiver,
    receiver_files,
    tar_of,
)
from tests.live.stack import TIMEOUT_SECONDS, Stack, eventually
from tests.ports import free_port

STACK = "live-remotewrite"
RECEIVER = "live-remotewrite-receiver"
DROPPED, JOB_LEFT_OUT = "node_cpu_seconds_total", "alertmanager"
OUTAGE_SECONDS = 30
CATCH_UP_SECONDS = 60
WINDOW_SECONDS = 300
LAG = 'remote:prometheus_remote_write_lag:seconds{remote_name="archive"}'

Samples = dict[frozenset[tuple[str, str]], list[tuple[float, str]]]


@dataclass(frozen=True)
class Sent:
    """Stack that wrote to a receiver with an outage, up to the time `until`.

    `lag` is the longest that the stack recorded meanwhile, in seconds.
    """

    stack: Stack
    receiver: Receiver
    until: float
    lag: float


@pytest.fixture(scope="module")
def receiver(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Receiver]:
    """Start a receiver in a separate network, which the stack joins."""
    served = issued([HOST, "127.0.0.1"])
    image = images.get("prometheus", IMAGES["prometheus"].reference)
    labels = {"vitalstream.stack": RECEIVER}
    with stacks.alone(RECEIVER, docker_client):
        docker_client.networks.create(RECEIVER, driver="bridge", labels=labels)
        port = free_port()
        made = docker_client.containers.create(
            image,
            [
                "--config.file=/etc/prometheus/prometheus.yml",
                "--storage.tsdb.path=/prometheus",
                "--web.enable-remote-write-receiver",
                "--web.config.file=/etc/prometheus/web.yml",
            ],
            name=RECEIVER,
            hostname=HOST,
            labels=labels,
            network=RECEIVER,
            ports={"9090/tcp": ("127.0.0.1", port)},
            mem_limit="512m",
        )
        docker_client.networks.get(RECEIVER).disconnect(made)
        docker_client.networks.get(RECEIVER).connect(made, aliases=[HOST])
        made.put_archive("/etc/prometheus", tar_of(receiver_files(served)))
        made.start()
        found = Receiver(made, f"https://127.0.0.1:{port}", served["tlsCa"])
        assert eventually(found.answers, 30), made.logs().decode(errors="replace")
        yield found


@pytest.fixture(scope="module")
def writing(
    docker_client: docker.DockerClient, images: dict[str, str], receiver: Receiver
) -> Iterator[Stack]:
    config = stacks.config(
        images,
        applicationNetworks=[RECEIVER],
        remoteWrite=[
            {
                "name": "archive",
                "url": f"https://{HOST}:9090/api/v1/write",
                "username": USER,
                "password": PASSWORD,
                "tenant": "clinic",
                "ca": receiver.authority,
                "drop": [DROPPED],
                "writeRelabel": [
                    {"action": "drop", "sourceLabels": ["job"], "regex": JOB_LEFT_OUT}
                ],
                "queue": {"batchSendDeadline": "1s", "maxBackoff": "1s"},
            },
            {"name": "nobody", "url": "http://nobody:9090/api/v1/write"},
        ],
    )
    secrets = (*config.secret_keys, f"{program.PROJECT}:remoteWrite")
    config = program.StackConfig(config.values, secrets)
    with stacks.alone(STACK, docker_client):
        result = local_deploy.up(STACK, config, stacks.say, leave_out=frozenset({"grafana"}))
        yield Stack(STACK, docker_client, config, result)


@pytest.fixture(scope="module")
def sent(writing: Stack, receiver: Receiver) -> Sent:
    """After the receiver was stopped for `OUTAGE_SECONDS` and came back."""
    assert eventually(lambda: receiver.get("query", query="up")["result"], 30)
    receiver.container.stop(timeout=10)
    time.sleep(OUTAGE_SECONDS)
    lag = writing.value(LAG)
    receiver.container.start()
    assert eventually(receiver.answers, 30)
    # Some scrapes more, so that what was there before and after the outage is compared too.
    time.sleep(5 * stacks.SCRAPE_SECONDS)
    return Sent(writing, receiver, time.time() - stacks.SCRAPE_SECONDS, lag or 0)


def samples(result: list[dict[str, Any]]) -> Samples:
    """Return every sample of the series, by labels without the stack's own."""
    return {
        frozenset((key, text) for key, text in series["metric"].items() if key != "stack"): [
            (at, value) for at, value in series["values"]
        ]
        for series in result
    }


def scraped(sent: Sent) -> Samples:
    """Return the sender's own samples of the series to send."""
    query = f'{{__name__=~".+", __name__!="{DROPPED}", job!="{JOB_LEFT_OUT}"}}[{WINDOW_SECONDS}s]'
    return samples(sent.stack.ask("query", query=query, time=sent.until)["result"])


def received(sent: Sent) -> Samples:
    query = f'{{__name__=~".+", stack="{STACK}"}}[{WINDOW_SECONDS}s]'
    return samples(sent.receiver.get("query", query=query, time=sent.until)["result"])


def test_every_sample_is_at_the_receiver_and_no_other(sent: Sent) -> None:
    wanted = scraped(sent)
    stacks.say(f"{sum(map(len, wanted.values()))} samples of {len(wanted)} series")
    assert sum(map(len, wanted.values())) > 10_000
    eventually(lambda: received(sent) == wanted, CATCH_UP_SECONDS)
    there = received(sent)
    assert wanted.keys() ^ there.keys() == set()
    missing = {
        dict(labels)["__name__"]: set(wanted[labels]) ^ set(there[labels])
        for labels in wanted
        if wanted[labels] != there[labels]
    }
    assert missing == {}


def test_the_outage_was_one(sent: Sent) -> None:
    """Samples of the time when nobody took them are among those compared."""
    retried = 'prometheus_remote_storage_samples_retried_total{remote_name="archive"}'
    with sent.stack.session() as session:
        url = f"{sent.stack.result.urls['prometheus']}/metrics"
        text = session.get(url, timeout=TIMEOUT_SECONDS).text
    found = re.search(rf"^{re.escape(retried[:-1])},.*}} (\S+)$", text, re.MULTILINE)
    assert found, "no repetitions are counted"
    assert float(found[1]) > 0


def test_the_lag_is_recorded_while_the_receiver_is_away_and_gone_afterwards(sent: Sent) -> None:
    def lag() -> float:
        value = sent.stack.value(LAG)
        return 1e9 if value is None else value

    assert sent.lag > OUTAGE_SECONDS - 10
    assert eventually(lambda: lag() < 10, CATCH_UP_SECONDS), lag()


def test_a_receiver_that_never_answered_is_behind_since_the_start(sent: Sent) -> None:
    lag = sent.stack.value('remote:prometheus_remote_write_lag:seconds{remote_name="nobody"}')
    started = sent.stack.value('process_start_time_seconds{job="prometheus"}')
    assert started
    assert lag == pytest.approx(time.time() - started, abs=10)


def test_nothing_was_given_up(sent: Sent) -> None:
    assert sent.stack.value("sum(prometheus_remote_storage_samples_failed_total)") == 0
    assert sent.stack.value("sum(remote:prometheus_remote_write_failed:ratio_rate5m)") == 0


@pytest.mark.parametrize("left_out", [DROPPED, f'{{job="{JOB_LEFT_OUT}"}}'])
def test_what_is_left_out_is_stored_here_and_not_there(sent: Sent, left_out: str) -> None:
    query = f"count({left_out})"
    assert sent.stack.value(query)
    assert sent.receiver.get("query", query=query)["result"] == []


def test_every_rule_on_it_evaluates_without_error(sent: Sent) -> None:
    rules = {name: r for name, r in sent.stack.rules().items() if "emote" in name}
    assert len(rules) == 4
    assert [name for name, rule in rules.items() if rule["health"] != "ok"] == []


def test_neither_containers_nor_logs_nor_the_configuration_show_the_password(sent: Sent) -> None:
    stack = sent.stack
    shown = {container.name: json.dumps(container.attrs) for container in stack.containers()}
    shown["log"] = stack.container("prometheus").logs().decode(errors="replace")
    shown["configuration"] = json.dumps(stack.ask("status/config"))
    assert "archive" in shown["configuration"]
    assert [where for where, text in shown.items() if PASSWORD in text] == []


def test_the_password_is_readable_by_prometheus_alone(sent: Sent) -> None:
    path = "/etc/prometheus/remote-write/archive/password"
    _, output = sent.stack.container("prometheus").exec_run(["stat", "-c", "%a %u", path])
    assert isinstance(output, bytes)
    assert output.decode().strip() == f"400 {UID}"


def test_another_password_is_used_at_once_and_reloads_nothing(sent: Sent) -> None:
    """Set a wrong password until refusals are counted, then the right one again."""
    stack, provider = sent.stack, ConfigFilesProvider()
    olds = stack.config_files("prometheus")
    path = "remote-write/archive/password"
    news = {**olds, "secret_files": {**olds["secret_files"], path: WRONG}}
    id_ = f"{olds['volume']}:{olds['target']}"
    failed = "sum(prometheus_remote_storage_samples_failed_total)"
    before = stack.started_at("prometheus"), stack.ask("status/config"), _reloads(stack)
    provider.update(id_, olds, news)
    try:
        refused = eventually(lambda: (stack.value(failed) or 0) > 0, 30)
        ratio = "max(remote:prometheus_remote_write_failed:ratio_rate5m)"
        counted = eventually(lambda: (stack.value(ratio) or 0) > 0, 30)
    finally:
        provider.update(id_, news, olds)
    taken = time.time()
    query = 'timestamp(up{job="prometheus"})'

    def newest() -> float:
        found = sent.receiver.get("query", query=query)["result"]
        return float(found[0]["value"][1]) if found else 0

    assert (refused, counted) == (True, True)
    assert eventually(lambda: newest() > taken, 30), f"{newest()} is before {taken}"
    assert (stack.started_at("prometheus"), stack.ask("status/config"), _reloads(stack)) == before


def _reloads(stack: Stack) -> int:
    log = stack.container("prometheus").logs().decode(errors="replace")
    return log.count("Completed loading of configuration file")
