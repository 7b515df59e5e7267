"""Policies on whole stacks, and the command `python -m ops policy`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pulumi.runtime import rpc
from typer.testing import CliRunner

from components.settings.schema import secret_settings
from ops.__main__ import app
from ops.offline import program
from ops.offline.program import Registration, StackConfig
from ops.review import policy
from tests.unit.conftest import SECRETS, SERVED, STACKS, stack_config
from tests.unit.policy_subjects import CONTAINER, DIGEST, GOOD, SECRET

THANOS = {"directory": True}
WITH_DIGEST = {"images": {"thanos": f"thanosio/thanos:v0.42.4@{DIGEST}"}}


def test_retention_with_thanos_is_that_of_the_bucket() -> None:
    assert policy.check("prod", stack_config("prod", {"thanos": THANOS, **WITH_DIGEST})) == []


@pytest.mark.parametrize("stack", STACKS)
def test_committed_stacks_violate_no_policy(stack: str) -> None:
    assert policy.check(stack) == []


def test_stack_with_every_secret_violates_no_policy() -> None:
    reachable = {"mailSmarthost": "mail.test:587", "mailUsername": "monitoring"}
    assert policy.check("prod", stack_config("prod", {**SECRETS, **SERVED, **reachable})) == []


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"bindAddress": "0.0.0.0", "tls": False}, "no-open-port"),
        ({"images": {"grafana": "grafana/grafana:12.4.11"}}, "image-digest"),
        ({"protectData": False}, "protected-data"),
        ({"retentionTime": "29d"}, "retention"),
        ({"thanos": {**THANOS, "retention": {"raw": "29d"}}, **WITH_DIGEST}, "retention"),
        ({"thanos": THANOS}, "image-digest"),
    ],
)
def test_prod_setting_that_violates_a_policy_is_refused(
    settings: dict[str, Any], name: str
) -> None:
    found = policy.check("prod", stack_config("prod", settings))
    assert {violation.policy for violation in found} == {name}


def test_unprotected_data_volumes_are_each_reported() -> None:
    found = policy.check("prod", stack_config("prod", {"protectData": False}))
    assert {violation.resource.rpartition("::")[2] for violation in found} == {
        *("alertmanager-data", "grafana-data", "prometheus-data")
    }


def registered(**inputs: Any) -> Registration:
    return Registration(
        *(CONTAINER, "some", {**GOOD, **inputs}, True, "", (), False, (), (), "", "")
    )


def test_input_marked_secret_is_refused_for_any_value() -> None:
    secret = rpc.wrap_rpc_secret("derived")
    config = StackConfig({}, ())
    found = policy.check_registrations("dev", config, [registered(envs=[secret])])
    assert "no-secret-in-clear" in {violation.policy for violation in found}


def test_stack_secret_in_a_registration_is_found() -> None:
    config = StackConfig({"vitalstream:redisPassword": SECRET}, ("vitalstream:redisPassword",))
    bad = registered(labels=[{"label": "x", "value": SECRET}])
    found = policy.check_registrations("dev", config, [bad])
    assert [violation.policy for violation in found] == ["no-secret-in-clear"]


def test_renderer_lists_every_secret_setting() -> None:
    # A proxy is one only with a login in it.
    assert set(program.SECRETS) == {*secret_settings(), "deliveryProxy"}


def test_policy_command_writes_json(tmp_path: Any) -> None:
    path = tmp_path / "policy.json"
    done = CliRunner().invoke(app, ["policy", "--stack", "prod", "--json", str(path)])
    assert (done.exit_code, json.loads(path.read_text())) == (0, [])


@pytest.fixture
def unprotected(monkeypatch: pytest.MonkeyPatch) -> None:
    config = stack_config("prod", {"protectData": False})
    of_stack: Callable[..., StackConfig] = lambda *_: config  # noqa: E731
    monkeypatch.setattr(StackConfig, "of_stack", of_stack)


@pytest.mark.usefixtures("unprotected")
def test_policy_command_with_violation_exits_with_2(tmp_path: Any) -> None:
    path = tmp_path / "policy.json"
    done = CliRunner().invoke(app, ["policy", "--stack", "prod", "--json", str(path)])
    assert done.exit_code == 2
    assert set(json.loads(path.read_text())[0]) == {"policy", "level", "resource", "message"}


@pytest.mark.usefixtures("unprotected")
def test_policy_command_prints_resource_and_fix() -> None:
    done = CliRunner().invoke(app, ["policy", "--stack", "prod"])
    assert "docker:index/volume:Volume::grafana-data: protected-data" in done.output
    assert "pulumi config set protectData true --stack prod" in done.output
