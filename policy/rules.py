"""All policies by name. All are mandatory: a resource that violates one is not created."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from policy import clear_text, durability, exposure, isolation
from policy.subject import Rule, Subject

LEVEL = "mandatory"


@dataclass(frozen=True)
class Policy:
    """Named rule; `description` states it in one sentence."""

    name: str
    description: str
    rule: Rule


@dataclass(frozen=True)
class Violation:
    """Violation of a policy; `message` says what is wrong and how to fix it."""

    policy: str
    level: str
    resource: str
    message: str


POLICIES = (
    Policy("not-privileged", "No container is privileged.", isolation.not_privileged),
    Policy(
        "isolated-from-host",
        "No container has the host's namespaces, devices, folders or Docker's socket.",
        isolation.no_way_into_the_host,
    ),
    Policy(
        "no-open-port",
        "No port is open on all interfaces without TLS and a login.",
        exposure.no_open_port,
    ),
    Policy("limits", "Every container has limits of memory and CPUs.", durability.limits),
    Policy("health-check", "Every container has a health check.", durability.health_check),
    Policy("image-digest", "In prod every image has a digest.", durability.digests),
    Policy("protected-data", "In prod data volumes are protected.", durability.protected_data),
    Policy(
        "retention",
        f"Prometheus keeps {durability.MIN_DAYS} days at least, and in prod "
        f"{durability.MIN_DAYS_IN_PRODUCTION}.",
        durability.retention,
    ),
    Policy(
        "no-secret-in-clear",
        "A container's environment, command and labels contain no secret.",
        clear_text.no_secret,
    ),
    Policy("grafana-login", "Grafana lets nobody in without a login.", exposure.grafana_asks),
)


def violations(subject: Subject) -> Iterator[Violation]:
    """Yield a resource's violations, policy by policy."""
    for policy in POLICIES:
        for message in policy.rule(subject):
            yield Violation(policy.name, LEVEL, f"{subject.type}::{subject.name}", message)
