"""Restrict access: published ports and Grafana's login."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from policy.subject import Subject


def no_open_port(subject: Subject) -> Iterator[str]:
    if not subject.is_a("Container"):
        return
    if subject.props.get("publishAllPorts"):
        yield "`publishAllPorts` opens every port of the image to everybody: name them in `ports`."
    for port in subject.props.get("ports") or ():
        if _is_every_interface(port.get("ip") or "") and not _is_guarded(subject):
            yield (
                f"Port {port.get('external', port.get('internal'))} is open on all interfaces, "
                "without TLS and a login: set vitalstream:bindAddress to 127.0.0.1 or to one "
                "address of a private network, or turn TLS and the login on."
            )


def _is_every_interface(address: str) -> bool:
    """Return whether Docker publishes on all interfaces, as it does without an address."""
    try:
        return not address or ipaddress.ip_address(address.strip("[]")).is_unspecified
    except ValueError:
        return False


def _is_guarded(subject: Subject) -> bool:
    """Return whether the service uses TLS and authentication, as far as its container shows.

    Grafana always asks for a login (see `grafana_asks`). Prometheus and Alertmanager have TLS and
    passwords in one file; an exporter's file has TLS alone.
    """
    protocols = [value for name, value in subject.environment if name == "GF_SERVER_PROTOCOL"]
    if protocols:
        return protocols[-1] in ("https", "h2")
    return bool(subject.argument("--web.config.file")) and not subject.name.endswith("-exporter")


def grafana_asks(subject: Subject) -> Iterator[str]:
    if subject.is_a("DashboardPublic") and subject.props.get("isEnabled", True):
        yield "It shows a dashboard to whoever has its link: delete it, and give people a login."
    if not subject.is_a("Container") or not _is_grafana(subject):
        return
    anonymous = [
        value for name, value in subject.environment if name == "GF_AUTH_ANONYMOUS_ENABLED"
    ]
    if any(value.lower() != "false" for value in anonymous):
        yield "Grafana lets anybody in: set GF_AUTH_ANONYMOUS_ENABLED=false."
    elif not anonymous:
        yield (
            "Nothing keeps an image or a grafana.ini from letting anybody in: set "
            "GF_AUTH_ANONYMOUS_ENABLED=false, which wins over both."
        )
    for argument in subject.arguments:
        if argument.startswith("cfg:") and "auth.anonymous" in argument:
            yield f"`{argument}` wins over the environment: leave it out."


def _is_grafana(subject: Subject) -> bool:
    return subject.name == "grafana" or any(
        name.startswith("GF_") for name, _ in subject.environment
    )
