"""Two Prometheus servers and their past as one view, from sidecars and an object storage."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
import requests
from docker.models.containers import Container
from rich.console import Console

from components.catalog.monitored import DEFAULT_MONITORED
from components.settings.tls import served_names
from ops import backup
from ops.offline import local_deploy
from ops.offline.program import ProgramError
from tests import hardening, object_store, panels
from tests.issued import issued
from tests.live import stack as stacks
from tests.live import thanos_stack as thanos
from tests.live.delivery import address
from tests.live.stack import SCRAPE_SECONDS, Stack, eventually
from tests.live.thanos_stack import BUCKET, DAYS, HISTORY, PATIENTS, SAMPLES, Querier, View, stopped
from tests.ports import free_ports

NAME = "live-thanos"
TLS_NAME = "live-thanos-tls"
PARTS = {"thanos-sidecar", "thanos-store", "thanos-compact", "thanos-query"}
KEYS = {"thanosAccessKey": "live-access-key", "thanosSecretKey": "live-secret-Key-8"}
OUTAGE_SECONDS = 25
PROGRESS = backup.Progress(Console())
BOARDS = panels.boards(f"{SCRAPE_SECONDS}s", DEFAULT_MONITORED)
TARGETS = panels.targets(BOARDS)


@pytest.fixture(scope="module")
def image(images: dict[str, str]) -> str:
    if "thanos" not in images:
        pytest.skip("there is no image vitalstream-local/thanos here; LIVE_IMAGES=pinned pulls one")
    return images["thanos"]


@pytest.fixture(scope="module")
def view(docker_client: docker.DockerClient, images: dict[str, str], image: str) -> Iterator[View]:
    """Stack with two Prometheus servers, of which the first has some days of history."""
    ends = int(time.time()) - 6 * 3600
    with (
        object_store.serving(address(docker_client)) as store,
        stacks.alone(NAME, docker_client),
    ):
        store.make_bucket(BUCKET)
        config = stacks.config(
            images,
            prometheus={"replicas": 2},
            thanos={
                "bucket": BUCKET,
                "endpoint": store.endpoint,
                "insecure": True,
                "localRetention": "30d",
            },
            ports=free_ports("prometheus-2"),
            **KEYS,
        )
        volume = f"vitalstream-{NAME}-prometheus-data"
        docker_client.volumes.create(volume, labels={"vitalstream.stack": NAME})
        past = thanos.history(DAYS, ends)
        thanos.add_blocks(docker_client, images.get("prometheus"), volume, past)
        result = local_deploy.up(NAME, config, stacks.say)
        stack = Stack(NAME, docker_client, config, result)
        yield View(stack, store, Querier(stack), ends)


@pytest.fixture(scope="module")
def uploaded(view: View) -> View:
    """Once the sidecar has uploaded the past, and the store knows of it."""
    there = thanos.local_blocks(view.stack, "prometheus")
    assert eventually(lambda: there <= set(thanos.metas(view.store)), 180)
    thanos.restart(view.stack, "thanos-store")
    # The querier looks every 5 s at who is there.
    assert eventually(lambda: view.history("count_over_time({})"), 60)
    return view


def test_every_part_is_up_and_scraped(view: View) -> None:
    def up() -> set[str]:
        found = view.stack.query('up{job=~"thanos-.*"} == 1')
        return {series["metric"]["instance"] for series in found}

    expected = {f"{part}:10902" for part in PARTS} | {"thanos-sidecar-2:10902"}
    eventually(lambda: up() == expected, 30)
    assert up() == expected


def test_every_part_meets_the_benchmark_but_for_the_written_exceptions(view: View) -> None:
    faults = [
        finding
        for container in view.stack.containers()
        for finding in hardening.findings(_service(container), container.attrs)
        if not hardening.accepted(finding)
    ]
    assert faults == []


def _service(container: Container) -> str:
    return str(container.labels["vitalstream.service"])


def test_every_finished_block_is_uploaded_with_whose_it_is(uploaded: View) -> None:
    labels = [found["thanos"]["labels"] for found in thanos.metas(uploaded.store).values()]
    assert len(labels) >= DAYS * 12
    assert labels == [{"stack": NAME, "replica": "prometheus"}] * len(labels)


def test_past_and_present_are_one(uploaded: View) -> None:
    counts = {
        series["metric"]["patient"]: float(series["value"][1])
        for series in uploaded.history("count_over_time({})")
    }
    assert counts == {str(patient): SAMPLES for patient in range(PATIENTS)}
    assert uploaded.querier.value('up{job="alertmanager"}') == 1


def test_a_series_that_both_have_is_there_once(view: View) -> None:
    expr = 'up{job="alertmanager"}'

    def seen(dedup: str) -> list[dict[str, str]]:
        return [found["metric"] for found in view.querier.query(expr, dedup=dedup)]

    assert eventually(lambda: len(seen("false")) == 2, 60)
    assert {metric["replica"] for metric in seen("false")} == {"prometheus", "prometheus-2"}
    [metric] = seen("true")
    assert "replica" not in metric
    assert view.querier.value(f"sum({expr})") == 1


@pytest.mark.parametrize("target", TARGETS, ids=lambda found: f"{found.dashboard}: {found.panel}")
def test_a_panels_query_is_answered_by_the_querier_as_by_prometheus(
    view: View, target: panels.Target
) -> None:
    now = time.time()
    answer = view.querier.ask("query_range", query=target.expr, start=now - 60, end=now, step=5)
    assert answer.get("warnings", []) == []


def test_no_alert_of_its_own_fires(view: View) -> None:
    assert "ThanosCompactHalted" in view.stack.rules()
    assert view.stack.query('ALERTS{alertname=~"Thanos.*"}') == []


def test_without_any_sidecar_the_past_is_still_there(uploaded: View) -> None:
    sidecars = [uploaded.stack.container(name) for name in ("thanos-sidecar", "thanos-sidecar-2")]
    with stopped(*sidecars):
        assert eventually(lambda: not uploaded.querier.query('up{job="alertmanager"}'), 60)
        counts = [found["value"][1] for found in uploaded.history("count_over_time({})")]
        assert counts == [str(SAMPLES)] * PATIENTS
    assert eventually(lambda: uploaded.querier.query('up{job="alertmanager"}'), 90)


def test_without_one_sidecar_the_other_answers(view: View) -> None:
    with stopped(view.stack.container("thanos-sidecar")):
        assert eventually(lambda: view.querier.value('up{job="alertmanager"}'), 60) == 1


def test_the_gap_of_one_prometheus_is_filled_from_the_other(view: View) -> None:
    expr = 'up{job="alertmanager"}'
    assert eventually(lambda: len(view.querier.query(expr, dedup="false")) == 2, 90)
    began = time.time()
    time.sleep(5 * SCRAPE_SECONDS)
    with stopped(view.stack.container("prometheus-2")):
        time.sleep(OUTAGE_SECONDS)
    time.sleep(10 * SCRAPE_SECONDS)
    ended = time.time()
    range_ = f"{expr}[{round(ended - began)}s]"
    # Its sidecar looks every half minute whether it is there again.
    assert eventually(lambda: len(view.querier.query(range_, time=ended, dedup="false")) == 2, 60)
    alone = {
        found["metric"]["replica"]: thanos.gaps(found)
        for found in view.querier.query(range_, time=ended, dedup="false")
    }
    [together] = view.querier.query(range_, time=ended)
    print(f"longest gaps: {alone}, together {thanos.gaps(together):.1f} s")
    assert alone["prometheus-2"] >= OUTAGE_SECONDS
    assert thanos.gaps(together) <= 5 * SCRAPE_SECONDS


def test_the_compactor_aggregates_and_deletes_as_the_settings_say(
    uploaded: View, images: dict[str, str]
) -> None:
    stack, client = uploaded.stack, uploaded.stack.client
    old = client.volumes.create(f"vitalstream-{NAME}-old", labels={"vitalstream.stack": NAME})
    # Of 100 days ago, where raw samples are kept for 90.
    long_ago = thanos.history(0.1, int(time.time()) - 100 * 86400)
    thanos.add_blocks(client, images.get("prometheus"), str(old.name), long_ago)
    thanos.run_thanos(
        stack,
        "thanos-compact",
        [
            *("tools", "bucket", "upload-blocks", "--path=/old"),
            *('--label=stack="old"', '--label=replica="prometheus"'),
            "--objstore.config-file=/etc/thanos/objstore.yml",
        ],
        {str(old.name): {"bind": "/old", "mode": "rw"}},
    )

    def of_old() -> list[str]:
        found = thanos.metas(uploaded.store)
        return [name for name, meta in found.items() if meta["thanos"]["labels"]["stack"] == "old"]

    assert of_old()
    own = stack.container("thanos-compact").attrs["Config"]["Cmd"]
    now = [flag for flag in own if flag != "--wait" and not flag.startswith("--data-dir")]
    hurry = ["--data-dir=/tmp/compact", "--consistency-delay=0s", "--delete-delay=0s"]
    for _ in range(2):
        thanos.run_thanos(stack, "thanos-compact", [*now, *hurry], {})
    found = [meta for name, meta in thanos.metas(uploaded.store).items()]
    resolutions = {meta["thanos"]["downsample"]["resolution"] for meta in found}
    assert resolutions == {0, 5 * 60 * 1000}
    assert of_old() == []
    thanos.restart(stack, "thanos-store")
    hourly = f"count_over_time({HISTORY}[1h])"
    coarse = uploaded.querier.query(
        hourly, time=uploaded.ends - (DAYS - 1) * 86400, max_source_resolution="5m"
    )
    assert coarse
    assert eventually(
        lambda: (
            [f["value"][1] for f in uploaded.history("count_over_time({})")]
            == [str(SAMPLES)] * PATIENTS
        ),
        60,
    )


def test_a_bucket_that_is_not_there_is_refused_and_nothing_touched(view: View) -> None:
    before = {found.id for found in view.stack.containers()}
    values = {**view.stack.config.values}
    place = values["vitalstream:thanos"].replace(BUCKET, "nowhere")
    wrong = type(view.stack.config)(
        {**values, "vitalstream:thanos": place}, view.stack.config.secret_keys
    )
    with pytest.raises(ProgramError, match=r"There is no bucket nowhere .*\nNothing was touched"):
        local_deploy.up(NAME, wrong, stacks.say)
    assert {found.id for found in view.stack.containers()} == before


@pytest.fixture(scope="module")
def over_tls(
    docker_client: docker.DockerClient, images: dict[str, str], image: str
) -> Iterator[Querier]:
    """Stack with one Prometheus, blocks in a folder, and TLS everywhere."""
    names = [*served_names("127.0.0.1", ""), *PARTS]
    served = {"tls": True, "webPassword": "live-web-Password-6", **issued(names)}
    config = stacks.config(images, thanos={"directory": True}, **served)
    with stacks.alone(TLS_NAME, docker_client):
        result = local_deploy.up(TLS_NAME, config, stacks.say)
        yield Querier(Stack(TLS_NAME, docker_client, config, result))


def test_over_tls_too_every_part_is_up(over_tls: Querier) -> None:
    def up() -> set[str]:
        found = over_tls.stack.query('up{job=~"thanos-.*"} == 1')
        return {series["metric"]["job"] for series in found}

    eventually(lambda: up() == PARTS, 30)
    assert up() == PARTS


def test_over_tls_the_querier_answers_who_has_the_password(over_tls: Querier) -> None:
    assert eventually(lambda: over_tls.value('up{job="alertmanager"}'), 60) == 1


def test_over_tls_the_querier_answers_nobody_else(over_tls: Querier) -> None:
    url = f"https://{over_tls.stack.address('thanos-query')}:10902/api/v1/query?query=1"
    assert requests.get(url, verify=False, timeout=10).status_code == 401


def test_a_backup_is_taken_and_brought_back_beside_a_sidecar(
    over_tls: Querier, tmp_path: Path
) -> None:
    client = over_tls.stack.client
    # The sidecar writes it when it first looks for blocks.
    listed = ["test", "-e", "/prometheus/thanos.shipper.json"]
    prometheus = over_tls.stack.container("prometheus")
    assert eventually(lambda: prometheus.exec_run(listed).exit_code == 0, 60)
    archive = backup.backup(client, TLS_NAME, tmp_path, 1, PROGRESS)
    with (
        tarfile.open(archive) as whole,
        tarfile.open(fileobj=whole.extractfile("prometheus.tar.gz")) as kept,
    ):
        assert "thanos.shipper.json" in {Path(name).name for name in kept.getnames()}
    before = time.time()
    backup.restore(client, archive, TLS_NAME, PROGRESS, lambda _question: True)
    assert eventually(lambda: over_tls.value('up{job="alertmanager"}'), 120) == 1
    # What was scraped before the backup is seen through the sidecar again.
    assert over_tls.query('up{job="alertmanager"}', time=before - 5)
