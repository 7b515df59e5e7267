"""Policy pack in previews of the real engine. Nothing is created: the stack may be named prod."""

from __future__ import annotations

import json

import docker
import pytest

from ops.errors import OpsError
from ops.review.preview import Engine, by_engine
from policy.rules import POLICIES
from tests.engine.conftest import copy_program, make_stack
from tests.engine.program import SECRETS, EngineStack
from tests.ports import free_ports

STACK = "prod"
# A container that keeps every policy, and one change of it for each policy that it breaks.
GOOD = {
    "command": ["--storage.tsdb.path=/data", "--storage.tsdb.retention.time=30d"],
    "envs": ["GF_AUTH_ANONYMOUS_ENABLED=false"],
    "cpus": "0.5",
    "healthcheck": {"tests": ["CMD", "true"]},
    "image": f"example/image:1@sha256:{'0' * 64}",
    "memory": 64,
    "ports": [{"internal": 80, "external": 0, "ip": "127.0.0.1"}],
}
BAD = {
    "not-privileged": {"privileged": True},
    "isolated-from-host": {"network_mode": "host"},
    "no-open-port": {"ports": [{"internal": 80, "external": 9999}]},
    "limits": {"memory": None},
    "health-check": {"healthcheck": None},
    "image-digest": {"image": "example/image:1"},
    "retention": {
        "command": ["--storage.tsdb.path=/data", "--storage.tsdb.retention.time=29d"],
    },
    "no-secret-in-clear": {"labels": [{"label": "note", "value": SECRETS["redisPassword"]}]},
    "grafana-login": {"envs": ["GF_AUTH_ANONYMOUS_ENABLED=true"]},
}
PROGRAM = """
import json, pulumi_docker as docker
for name, inputs in json.loads({containers!r}).items():
    docker.Container(name, name="policy-" + name, **inputs)
docker.Volume("good", name="policy-good", opts=pulumi.ResourceOptions(protect=True))
docker.Volume("protected-data", name="policy-data")
"""


@pytest.fixture(scope="module")
def program(
    docker_client: docker.DockerClient, cli: None, tmp_path_factory: pytest.TempPathFactory
) -> EngineStack:
    folder = copy_program(tmp_path_factory.mktemp("program"))
    values = {"protectData": True, "retentionTime": "30d", "ports": free_ports()}
    stack = EngineStack(make_stack(folder, STACK), folder, docker_client, values)
    for key, value in SECRETS.items():
        stack.set_secret(key, value)
    return stack


@pytest.fixture(scope="module")
def bad(program: EngineStack) -> Engine:
    """Preview of the program with one resource for each policy, which violates only that policy."""
    containers = {"good": GOOD, **{name: {**GOOD, **change} for name, change in BAD.items()}}
    main = program.folder / "__main__.py"
    good = main.read_text()
    main.write_text(good + PROGRAM.format(containers=json.dumps(containers)))
    try:
        return previewed(program)
    finally:
        main.write_text(good)


def previewed(program: EngineStack) -> Engine:
    program.configure()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in program.stack.workspace.env_vars.items():
            patch.setenv(name, value)
        return by_engine("pulumi", STACK, program.folder)


def test_policy_pack_runs_every_policy_and_accepts_the_program(program: EngineStack) -> None:
    assert previewed(program).violations == ()


@pytest.mark.parametrize("policy", [policy.name for policy in POLICIES])
def test_policy_refuses_only_its_violation(policy: str, bad: Engine) -> None:
    found = [violation for violation in bad.violations if violation.policy == policy]
    assert [(violation.level, violation.resource.rpartition("::")[2]) for violation in found] == [
        ("mandatory", policy)
    ]


def test_violation_message_names_the_resource_type(bad: Engine) -> None:
    assert "docker:index/volume:Volume::protected-data" in {
        violation.resource for violation in bad.violations
    }


def test_violation_message_contains_the_fix(bad: Engine) -> None:
    messages = {violation.policy: violation.message for violation in bad.violations}
    assert "set vitalstream:bindAddress to 127.0.0.1" in messages["no-open-port"]


def test_violation_messages_contain_no_secret(bad: Engine) -> None:
    assert "canary" not in str(bad.violations)


def test_refused_preview_reports_the_changes(bad: Engine) -> None:
    steps = json.loads(bad.json)["steps"]
    assert any(step["urn"].endswith("::no-open-port") for step in steps)


def test_failed_preview_quotes_the_engine(program: EngineStack) -> None:
    program.configure(retentionTime="a month")
    try:
        with pytest.raises(OpsError, match="is not a Prometheus duration"):
            previewed(program)
    finally:
        program.configure(retentionTime="30d")
