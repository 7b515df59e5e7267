"""Policies on single resources: each refuses its violations and accepts everything else."""

from __future__ import annotations

from typing import Any

import pytest

from policy.rules import POLICIES, violations
from policy.subject import Subject
from tests.unit.policy_subjects import CONTAINER, DIGEST, GOOD, SECRET

IMAGE = "docker:index/remoteImage:RemoteImage"
VOLUME = "docker:index/volume:Volume"
PUBLIC = "grafana:oss/dashboardPublic:DashboardPublic"


def subject(kind: str = CONTAINER, name: str = "some", stack: str = "prod", **more: Any) -> Subject:
    props = {**GOOD, **more.pop("props", {})} if kind == CONTAINER else more.pop("props", {})
    secret_values = frozenset({SECRET})
    return Subject(stack, kind, name, props, secret_values=secret_values, **more)


def container(**props: Any) -> Subject:
    return subject(props=props)


def prometheus(*flags: str, stack: str = "prod") -> Subject:
    return subject(stack=stack, name="prometheus", props={"command": list(flags)})


def keeps(time: str, stack: str = "prod") -> Subject:
    return prometheus(f"--storage.tsdb.retention.time={time}", stack=stack)


def mounts(name: str = "some", **mount: Any) -> Subject:
    return subject(name=name, props={"mounts": [{"target": "/x", **mount}]})


def env(*entries: str) -> Subject:
    return container(envs=["GF_AUTH_ANONYMOUS_ENABLED=false", *entries])


def runs(*arguments: str) -> Subject:
    return container(command=[*GOOD["command"], *arguments])


def published(**port: Any) -> Subject:
    return container(ports=[{"internal": 80, "external": 80, **port}])


REFUSED: list[tuple[str, str, Subject]] = [
    ("not-privileged", "privileged", container(privileged=True)),
    ("not-privileged", "SYS_ADMIN", container(capabilities={"adds": ["CAP_SYS_ADMIN"]})),
    ("not-privileged", "profile", container(securityOpts=["seccomp=unconfined"])),
    ("isolated-from-host", "network", container(networkMode="host")),
    ("isolated-from-host", "another container's", container(networkMode="container:other")),
    ("isolated-from-host", "PID", container(pidMode="host")),
    ("isolated-from-host", "IPC", container(ipcMode="host")),
    ("isolated-from-host", "user", container(usernsMode="host")),
    ("isolated-from-host", "/dev/kmsg", container(devices=[{"hostPath": "/dev/kmsg"}])),
    (
        "isolated-from-host",
        "/dev/kmsg (rwm)",
        subject(name="cadvisor", props={"devices": [{"hostPath": "/dev/kmsg"}]}),
    ),
    (
        "isolated-from-host",
        "(writable)",
        mounts("cadvisor", type="bind", source="/sys/fs/cgroup"),
    ),
    (
        "not-privileged",
        "added (CAP_SYS_ADMIN)",
        subject(
            name="cadvisor",
            props={"capabilities": {"adds": ["CAP_SYSLOG", "CAP_SYS_ADMIN"]}},
        ),
    ),
    ("not-privileged", "CAP_SYSLOG", container(capabilities={"adds": ["CAP_SYSLOG"]})),
    ("isolated-from-host", "socket", mounts(type="bind", source="/var/run/docker.sock")),
    ("isolated-from-host", "/etc", mounts(type="bind", source="/etc", readOnly=True)),
    ("isolated-from-host", "/srv", container(volumes=[{"hostPath": "/srv"}])),
    ("isolated-from-host", "host's /", mounts(type="bind", source="/", readOnly=True)),
    ("isolated-from-host", "writable", mounts("node-exporter", type="bind", source="/")),
    (
        "isolated-from-host",
        "folder of the host",
        subject(VOLUME, protect=True, props={"driverOpts": {"o": "bind", "device": "/etc"}}),
    ),
    ("no-open-port", "Port 80 ", published(ip="0.0.0.0")),
    ("no-open-port", "Port 80 ", published(ip="::")),
    ("no-open-port", "Port 80 ", published()),
    (
        "no-open-port",
        "Port 80 ",
        subject(
            name="node-exporter",
            props={"command": ["--web.config.file=/etc/web.yml"], "ports": [{"internal": 80}]},
        ),
    ),
    ("no-open-port", "publishAllPorts", container(publishAllPorts=True)),
    ("limits", "memory and CPUs", container(memory=None, cpus=None)),
    ("limits", "of memory,", container(memory=0)),
    ("limits", "of CPUs,", container(cpus="0")),
    ("health-check", "no health check", container(healthcheck=None)),
    ("health-check", "no health check", container(healthcheck={"tests": ["NONE"]})),
    ("image-digest", "example/image:1 ", container(image="example/image:1")),
    ("image-digest", "example/image:1 ", subject(IMAGE, props={"name": "example/image:1"})),
    ("image-digest", "no digest", subject(IMAGE, props={"name": "example/image@sha256:1234"})),
    ("protected-data", "data volume", subject(VOLUME, "prometheus-data")),
    ("protected-data", "data volume", subject(VOLUME, "of-my-own")),
    ("retention", "29d, less than 30 days", keeps("29d")),
    ("retention", "6d23h, less than 7 days", keeps("6d23h", stack="dev")),
    ("retention", "default is 15d", prometheus("--config.file=x")),
    ("retention", "not a Prometheus duration", keeps("a month")),
    ("no-secret-in-clear", "`envs` has", env(f"NOTE=it is {SECRET}!")),
    ("no-secret-in-clear", "`command` has", runs(f"--note={SECRET}")),
    ("no-secret-in-clear", "`labels` has", container(labels=[{"label": "x", "value": SECRET}])),
    ("no-secret-in-clear", "`healthcheck` has", container(healthcheck={"tests": ["CMD", SECRET]})),
    ("no-secret-in-clear", "`envs` has", subject(secret=frozenset({"envs"}))),
    ("no-secret-in-clear", "REDIS_PASSWORD is", env("REDIS_PASSWORD=hunter2")),
    ("no-secret-in-clear", "API_KEY is", env("API_KEY=1234")),
    ("no-secret-in-clear", "DSN is an address", env("DSN=postgresql://me:hunter2@db/x")),
    ("no-secret-in-clear", "Slack", env("HOOK=https://hooks.slack.com/services/T0/B0/x")),
    ("no-secret-in-clear", "after --redis.password", runs("--redis.password=hunter2")),
    ("no-secret-in-clear", "after --requirepass", runs("--requirepass", "hunter2")),
    ("no-secret-in-clear", "an address", runs("--redis.addr=redis://:hunter2@redis:6379")),
    ("grafana-login", "lets anybody in", container(envs=["GF_AUTH_ANONYMOUS_ENABLED=true"])),
    ("grafana-login", "lets anybody in", env("GF_AUTH_ANONYMOUS_ENABLED=1")),
    ("grafana-login", "Nothing keeps", subject(name="grafana", props={"envs": []})),
    ("grafana-login", "leave it out", runs("cfg:auth.anonymous.enabled=true")),
    ("grafana-login", "whoever has its link", subject(PUBLIC, props={"isEnabled": True})),
]
PASSED: dict[str, Subject] = {
    "all that is asked for": container(),
    "dropped capabilities": container(capabilities={"drops": ["ALL"]}),
    "no new privileges": container(securityOpts=["no-new-privileges:true"]),
    "a network mode of its own": container(networkMode="bridge"),
    "node_exporter's root": mounts("node-exporter", type="bind", source="/", readOnly=True),
    "node_exporter's processes": subject(name="node-exporter", props={"pidMode": "host"}),
    "cAdvisor's control groups": mounts(
        "cadvisor", type="bind", source="/sys/fs/cgroup", readOnly=True
    ),
    "cAdvisor's kernel log": subject(
        name="cadvisor",
        props={
            "capabilities": {"drops": ["ALL"], "adds": ["CAP_SYSLOG"]},
            "devices": [{"hostPath": "/dev/kmsg", "permissions": "r"}],
        },
    ),
    "another host's": subject(name="node-exporter-monitor-2", props={"pidMode": "host"}),
    "one address": published(ip="192.0.2.7"),
    "loopback in IPv6": published(ip="::1"),
    "every interface, with TLS and a login": container(
        command=[*GOOD["command"], "--web.config.file=/etc/web.yml"],
        ports=[{"internal": 80, "ip": "0.0.0.0"}],
    ),
    "Grafana on every interface with TLS": container(
        envs=[*GOOD["envs"], "GF_SERVER_PROTOCOL=https"], ports=[{"internal": 80, "ip": "0.0.0.0"}]
    ),
    "no digest outside prod": subject(stack="dev", props={"image": "example/image:1"}),
    "an image that is not known yet": subject(unknown=frozenset({"image"}), props={"image": "any"}),
    "an image by its id": container(image=DIGEST),
    "an image that is built here": subject(IMAGE, props={"name": "own:1", "build": {}}),
    "a protected volume": subject(VOLUME, "prometheus-data", protect=True),
    "an unprotected one outside prod": subject(VOLUME, "prometheus-data", stack="dev"),
    "a volume of configuration": subject(VOLUME, "grafana-config-volume"),
    "the volume with the word of the last backup": subject(VOLUME, "textfile-volume"),
    "30 days": keeps("4w2d"),
    "7 days outside prod": keeps("7d", stack="dev"),
    "retention in two words": prometheus("--storage.tsdb.retention.time", "31d"),
    "a secret's file in the environment": env("REDIS_PASSWORD_FILE=/etc/x", "X__FILE=/etc/x"),
    "a secret's file in the command": runs("--redis.password-file=/etc/x"),
    "an empty secret": env("REDIS_PASSWORD="),
    "a word with pass in it": env("BYPASS=yes"),
    "an address with a user": runs("--redis.addr=redis://me@redis:6379"),
    "a flag that only sounds like it": runs("--token-rotation=5m"),
    "a secret where it belongs": subject(
        "pulumi-python:dynamic/vitalstream:ConfigFiles", props={"secret_files": {"x": SECRET}}
    ),
    "a private dashboard": subject(PUBLIC, props={"isEnabled": False}),
}


def broken(found: Subject) -> set[str]:
    return {violation.policy for violation in violations(found)}


@pytest.mark.parametrize(
    ("name", "words", "bad"), REFUSED, ids=[f"{name}: {words}" for name, words, _ in REFUSED]
)
def test_policy_with_violation_reports_it(name: str, words: str, bad: Subject) -> None:
    messages = [found.message for found in violations(bad) if found.policy == name]
    assert [message for message in messages if words in message]


@pytest.mark.parametrize(
    ("name", "bad"),
    [(name, bad) for name, _, bad in REFUSED],
    ids=[f"{name}: {words}" for name, words, _ in REFUSED],
)
def test_violation_of_one_policy_violates_no_other(name: str, bad: Subject) -> None:
    assert broken(bad) == {name}


@pytest.mark.parametrize("good", PASSED.values(), ids=PASSED)
def test_policies_accept_compliant_resource(good: Subject) -> None:
    assert broken(good) == set()


@pytest.mark.parametrize("policy_", [policy_.name for policy_ in POLICIES])
def test_every_policy_has_a_violation_case(policy_: str) -> None:
    assert policy_ in {name for name, _, _ in REFUSED}


@pytest.mark.parametrize("bad", [bad for _, _, bad in REFUSED])
def test_messages_contain_no_secret(bad: Subject) -> None:
    words = " ".join(found.message for found in violations(bad))
    assert SECRET not in words
    assert "hunter2" not in words


def test_unknown_value_is_not_searched_for_secrets() -> None:
    class Unknown(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            assert key != "image"
            return super().__getitem__(key)

    props = Unknown({**GOOD, "image": "unknown"})
    found = Subject("prod", CONTAINER, "some", props, unknown=frozenset({"image"}))
    assert broken(found) == set()
