"""Rotation of every secret of a stack, as by `pulumi config set --secret` and `up`.

The new secret is in force, the old one is not, nothing is replaced and nothing is lost.
PostgreSQL's and Redis' own passwords are changed in the databases first, as
docs/guides/production.md says.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import docker
import pytest

from components.docker.config_files_provider import ConfigFilesProvider
from components.settings.settings import Settings
from ops.offline import local_deploy, program
from ops.offline.local_deploy.plan import CONTAINER
from ops.root import ROOT
from tests.certificates import authority
from tests.figures import ReportFigure
from tests.issued import issued
from tests.live import stack as stacks
from tests.live.delivery import Pace, subject
from tests.live.ingestion import JOBS, answering, scraped_until
from tests.live.rotations import HOSTS, NAME, ROTATIONS, Rotating, Rotation
from tests.live.stack import (
    CONFIG_FILES,
    SCRAPE_SECONDS,
    Stack,
    eventually,
    not_of_this_machine,
)

PACE = Pace(scrape=SCRAPE_SECONDS, evaluation=SCRAPE_SECONDS, group=60)
BACK_SECONDS = 60
# Time from the first delivered file to the last, plus the start of an exporter.
FAILED_SCRAPES = 5
SERVED = issued(HOSTS)
WEB_PASSWORD = "live-web-Password-6"
DOCS = ROOT / "docs" / "guides" / "production.md"


READS_THE_BUCKET = frozenset({"thanos-sidecar", "thanos-store", "thanos-compact"})
# Only the files of these are checked, to see which service restarts for them.
# The images of Grafana with PostgreSQL, and of Thanos, are not available everywhere.
BY_FILES = {
    "grafanaDatabasePassword": frozenset({"grafana"}),
    "thanosAccessKey": READS_THE_BUCKET,
    "thanosSecretKey": READS_THE_BUCKET,
    # Rotated while Alertmanager runs in test_notifications.py: a stack has one way to Slack.
    "slackToken": frozenset(),
    "deliveryProxy": frozenset(),
}
THANOS = {
    "thanos": {"bucket": "samples", "endpoint": "s3.example.com"},
    "thanosAccessKey": "live-access-key",
    "thanosSecretKey": "live-secret-Key-8",
}
# What a stack has for these secrets alone, by secret.
BESIDE: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("thanosAccessKey", "thanosSecretKey"), THANOS),
    "slackToken": {"slackWebhookUrl": "", "slackToken": "xoxb-live-Token-7"},
    "deliveryProxy": {"deliveryProxy": "http://live:proxy-Password-7@proxy.example.com:3128"},
}
# Settings that contain secrets and that no test rotates.
INSIDE = {"backend", "federation", "grafana", "probes", "servers", "slackWebhookUrls"}
RESTARTED = {
    **{rotation.keys: rotation.restarted for rotation in ROTATIONS},
    **{(key,): restarted for key, restarted in BY_FILES.items()},
}
DATABASE = {"address": "db.example.com:5432", "sslmode": "verify-full", "network": "databases"}
each_rotation = pytest.mark.parametrize("rotation", ROTATIONS, ids=str)


def secrets() -> set[str]:
    """Return the settings that are secret or contain a secret."""
    schema = Settings.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})

    def is_secret(part: Any) -> bool:
        if isinstance(part, list):
            return any(map(is_secret, part))
        if not isinstance(part, dict):
            return False
        if part.get("format") == "password":
            return True
        named = str(part.get("$ref", "")).rpartition("/")[2]
        return is_secret(definitions.get(named)) or any(map(is_secret, part.values()))

    return {key for key, part in schema["properties"].items() if is_secret(part)}


@pytest.fixture(scope="module")
def rotating(docker_client: docker.DockerClient, images: dict[str, str]) -> Iterator[Rotating]:
    if elsewhere := not_of_this_machine(docker_client):
        pytest.skip(elsewhere)
    with subject(
        NAME,
        docker_client,
        images,
        PACE,
        frozenset({"demo-backend", "demo-traffic"}),
        authority(),
        demo=True,
        tls=True,
        webPassword=WEB_PASSWORD,
        **SERVED,
    ) as found:
        silence = stacks.silence(found.stack, "Nothing", "survives every rotation")
        yield Rotating(found, found.stack, silence, found.sink.path)


def changed(stack: Stack, values: dict[str, str]) -> Stack:
    """Return the stack with the new settings, none of which is applied yet."""
    prefixed = {f"vitalstream:{key}": new for key, new in values.items()}
    config = program.StackConfig({**stack.config.values, **prefixed}, stack.config.secret_keys)
    made = tuple(program.run(stack.name, config))
    return Stack(stack.name, stack.client, config, local_deploy.Result(stack.result.urls, (), made))


def of_type(stack: Stack, kind: str) -> dict[str, dict[str, Any]]:
    return {
        made.name: program.unwrap(made.inputs)
        for made in stack.result.registrations
        if made.type == kind
    }


def apply(was: Stack, now: Stack) -> None:
    """Deliver the files that differ, as `up` does; skip services that this stack does not run."""
    provider, olds = ConfigFilesProvider(), of_type(was, CONFIG_FILES)
    running = {str(found.name) for found in was.containers()}
    for name, news in of_type(now, CONFIG_FILES).items():
        old = olds[name]
        if news["container"] in running and provider.diff("", old, news).changes:
            provider.update(f"{old['volume']}:{old['target']}", old, news)


def started(stack: Stack) -> dict[str, str]:
    prefix = f"vitalstream-{stack.name}-"
    return {
        str(found.name).removeprefix(prefix): found.attrs["State"]["StartedAt"]
        for found in stack.containers()
    }


def failed_scrapes(stack: Stack, since: float) -> dict[str, int]:
    """Count the failed scrapes since a time, by job."""
    window = f"[{time.time() - since:.0f}s]"
    failed = f"count_over_time(up{window}) - sum_over_time(up{window}) > 0"
    there = {JOBS[service] for service in JOBS.keys() & started(stack).keys()}
    found = {series["metric"]["job"]: int(series["value"][1]) for series in stack.query(failed)}
    return {job: count for job, count in sorted(found.items()) if job in there}


@each_rotation
def test_rotated_secret_is_in_force_and_restarts_only_documented_services(
    rotation: Rotation, rotating: Rotating, report_figure: ReportFigure
) -> None:
    was = rotating.stack
    if "grafana" not in was.result.urls and rotation.keys == ("grafanaAdminPassword",):
        pytest.skip("Grafana is left out: no image of it is available")
    assert eventually(answering(was, "prometheus"), BACK_SECONDS)
    now = changed(was, rotation.values(rotating))
    assert of_type(changed(was, {}), CONTAINER) == of_type(now, CONTAINER), "something is replaced"
    before, began = started(was), time.time()
    counted = scraped_until(was, began)

    rotation.elsewhere(rotating, now)
    apply(was, now)
    took = time.time() - began
    rotation.in_force(rotating, now)
    rotating.stack = now

    restarted = {name for name, at in started(now).items() if at != before[name]}
    services = {name for name in restarted if not name.startswith("demo-")}
    assert services == rotation.restarted & before.keys()
    jobs = [name for name in ("prometheus", "alertmanager", *services) if name in before]
    for service in jobs:
        assert eventually(answering(now, service, began + took), BACK_SECONDS), service
    assert scraped_until(now, began) == counted
    silence = now.get("alertmanager", f"/api/v2/silence/{rotating.silence}")
    assert silence["status"]["state"] == "active"
    failed = failed_scrapes(now, began)
    report_figure(
        f"{rotation}: in place after {took:.1f} s, restarted {', '.join(sorted(services)) or '-'}"
        f", failed scrapes {failed or '-'}"
    )
    assert max(failed.values(), default=0) <= took / SCRAPE_SECONDS + FAILED_SCRAPES


def test_rotations_cover_every_secret() -> None:
    rotated = {key for rotation in ROTATIONS for key in rotation.keys}
    assert secrets() == {*program.SECRETS, *INSIDE}
    assert secrets() <= rotated | BY_FILES.keys() | INSIDE
    assert not rotated & BY_FILES.keys()


def another(keys: tuple[str, ...]) -> dict[str, str]:
    if "tlsKey" in keys:
        return issued(HOSTS)
    (key,) = keys
    of_a_form = {
        "slackToken": "xoxb-live-another-9",
        "deliveryProxy": "http://live:another-Password-9@proxy.example.com:3128",
    }
    url = "https://another.example.com/path" if key.endswith("Url") else f"live-another-{key}-9"
    return {key: of_a_form.get(key, url)}


def planned(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the files of a stack that has every kind of secret, by resource name."""
    every = {
        "tls": True,
        "webPassword": WEB_PASSWORD,
        "heartbeatUrl": "https://beats.example.com/path",
        "grafana": {"database": DATABASE},
        "grafanaDatabasePassword": "live-database-Password-8",
        **SERVED,
        **values,
    }
    return {
        made.name: program.unwrap(made.inputs)
        for made in program.run(NAME, stacks.config({}, **every))
        if made.type == CONFIG_FILES
    }


def restarts(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Return whether a changed file makes the service restart."""
    before, after = ({**props["files"], **props["secret_files"]} for props in (old, new))
    paths = {path for path in {*before, *after} if before.get(path) != after.get(path)}
    below = new["on_change_below"]
    ways = [
        next(
            (way for top, way in below.items() if path == top or path.startswith(f"{top}/")),
            new["on_change"],
        )
        for path in paths
    ]
    return any(way.get("restart") for way in ways)


@pytest.mark.parametrize("keys", RESTARTED, ids="+".join)
def test_rotation_files_restart_documented_services(keys: tuple[str, ...]) -> None:
    beside = BESIDE.get(keys[0], {})
    olds, news = planned(beside), planned({**beside, **another(keys)})
    assert olds != news
    found = {name for name in news if restarts(olds[name], news[name])}
    assert {name.removesuffix("-config") for name in found} == RESTARTED[keys]


@pytest.mark.parametrize("keys", RESTARTED, ids="+".join)
def test_docs_list_restarts_of_each_rotation(keys: tuple[str, ...]) -> None:
    lines = DOCS.read_text().splitlines()
    names = ", ".join(f"`{key}`" for key in keys)
    (row,) = [line for line in lines if line.startswith(f"| {names} ")]
    said = row.split("|")[2]
    for service in RESTARTED[keys]:
        assert f"`{service}` restarts" in said
    if not RESTARTED[keys]:
        assert "nothing restarts" in said
