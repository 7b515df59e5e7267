"""The policy pack in previews of the real engine. Nothing is made: the stack may be named prod."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import docker
import pytest
from pulumi import automation

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


@dataclass(frozen=True)
class Outcome:
    """`violations` are policies, names of resources and messages."""

    refused: bool
    violations: list[tuple[str, str, str]]


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
def bad(program: EngineStack) -> Outcome:
    """A preview of the program with a resource for each policy, which breaks it and no other."""
    containers = {"good": GOOD, **{name: {**GOOD, **change} for name, change in BAD.items()}}
    main = program.folder / "__main__.py"
    good = main.read_text()
    main.write_text(good + PROGRAM.format(containers=json.dumps(containers)))
    try:
        return preview(program)
    finally:
        main.write_text(good)


def preview(program: EngineStack) -> Outcome:
    found: list[tuple[str, str, str]] = []

    def on_event(event: automation.EngineEvent) -> None:
        if told := event.policy_event:
            found.append((told.policy_name, told.resource_urn.rpartition("::")[2], told.message))

    program.configure()
    pack = str(Path(program.folder) / "policy")
    try:
        program.stack.preview(policy_packs=[pack], on_event=on_event, on_output=print)
    except automation.CommandError:
        return Outcome(True, found)
    return Outcome(False, found)


def test_the_program_passes_and_every_policy_is_run(program: EngineStack) -> None:
    assert preview(program) == Outcome(refused=False, violations=[])


def test_a_program_that_breaks_a_policy_is_refused(bad: Outcome) -> None:
    assert bad.refused


@pytest.mark.parametrize("policy", [policy.name for policy in POLICIES])
def test_each_policy_refuses_what_breaks_it_and_nothing_else(policy: str, bad: Outcome) -> None:
    assert [name for broken, name, _ in bad.violations if broken == policy] == [policy]


def test_a_message_says_how_to_mend_it(bad: Outcome) -> None:
    messages = {policy: message for policy, _, message in bad.violations}
    assert "set vitalstream:bindAddress to 127.0.0.1" in messages["no-open-port"]


def test_no_message_has_the_secret_in_it(bad: Outcome) -> None:
    assert "canary" not in str(bad.violations)
