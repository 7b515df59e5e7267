"""Report of a service that moves to another host: marked as danger, its data does not move."""

from __future__ import annotations

from typing import Any

from ops.review.diff import interruptions
from ops.review.diff.preview_state import resource
from ops.review.diff.report import Mark, Section
from ops.review.diff.snapshot import (
    CONTAINER,
    DOCKER_PROVIDER,
    VOLUME,
    Address,
)
from tests.unit import diff_stacks as stacks
from tests.unit.several_hosts import FAR, HOSTS, SPREAD, THIRD

MOVED: dict[str, Any] = {**SPREAD, "placement": {**SPREAD["placement"], "alertmanager-2": THIRD}}
BARE: dict[str, Any] = {"protectData": False}


def test_moved_service_is_replaced_with_its_resources() -> None:
    steps = stacks.compared(
        stacks.with_settings(**SPREAD, **BARE), stacks.with_settings(**MOVED, **BARE)
    ).steps
    for kind, name in ((CONTAINER, "alertmanager-2"), (VOLUME, "alertmanager-2-data")):
        step = next(step for at, step in steps.items() if (at.type, at.name) == (kind, name))
        assert "provider" in step.replaced_for


def test_moved_service_data_loss_is_reported() -> None:
    comparison = stacks.compared(
        stacks.with_settings(**SPREAD, **BARE), stacks.with_settings(**MOVED, **BARE)
    )
    loudest, *_ = [item for item in interruptions.items(comparison) if "alertm" in str(item.line)]
    words = stacks.printed(stacks.report(comparison.before, comparison.after))
    assert loudest.mark is Mark.DANGER
    assert f"is deleted on {FAR} and recreated, empty, on {THIRD}" in words
    assert "all that is in it is lost" in words
    assert "what is in it does not move with its service" in words
    assert f"is replaced: it moves from {FAR} to {THIRD}" in words


def test_moved_service_with_protected_data_is_refused() -> None:
    before = stacks.with_settings(**SPREAD)
    words = stacks.printed(stacks.report(before, stacks.with_settings(**MOVED)))
    assert f"would be deleted on {FAR} and recreated, empty, on {THIRD}" in words
    assert "`up` refuses, and changes nothing" in words


def test_host_with_another_engine_is_reported() -> None:
    hosts = {**HOSTS, FAR: {**HOSTS[FAR], "docker": "ssh://ops@10.0.0.9"}}
    before, after = (
        stacks.with_settings(**SPREAD),
        stacks.with_settings(**{**SPREAD, "hosts": hosts}),
    )
    words = stacks.printed(stacks.report(before, after))
    assert f'the host "{FAR}" is another Docker Engine' in words or (
        f"the host {FAR} is another Docker Engine" in words
    )
    assert "ssh://ops@10.0.0.9" in words


def test_target_address_of_another_hosts_prometheus_is_reported() -> None:
    """Expect an address change only for the second Prometheus: the first uses a name."""
    after = stacks.with_settings(**{**SPREAD, "hostAddress": "10.0.0.7"})
    words = stacks.printed(stacks.report(stacks.with_settings(**SPREAD), after), Section.OTHER)
    assert "prometheus-2-config" in words


def test_added_host_is_reported() -> None:
    words = stacks.printed(
        stacks.report(stacks.stack(), stacks.with_settings(hosts={FAR: HOSTS[FAR]}))
    )
    assert f"docker-{FAR}" in words
    assert f"node-exporter-{FAR}" in words


def test_moved_service_in_a_preview_names_both_hosts() -> None:
    urn = f"urn:pulumi:prod::vitalstream::{DOCKER_PROVIDER}::docker-{FAR}::an-id"
    found = resource(Address((CONTAINER,), "prometheus-2"), {"provider": urn})
    assert found.host == FAR
    assert resource(Address((CONTAINER,), "x"), {"provider": urn.replace(f"-{FAR}", "")}).host == (
        "dockerHost"
    )


def test_moved_target_is_not_reported_as_lost() -> None:
    words = stacks.printed(
        stacks.report(stacks.with_settings(**SPREAD), stacks.with_settings(**MOVED)),
        Section.COLLECTION,
    )
    assert "10.0.0.3:9193" in words
    assert "no alert covers any more" not in words


def test_replaced_exporter_ignores_other_hosts_exporters() -> None:
    before = stacks.with_settings(**SPREAD)
    more = stacks.with_settings(**SPREAD, limits={"node-exporter": {"cpus": 0.5}})
    words = stacks.printed(stacks.report(before, more), Section.INTERRUPTIONS)
    assert "its target counts as down" in words
    assert f"meanwhile node-exporter-{FAR}" not in words
