"""Checks of the TLS settings, each as far as the other settings are valid."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import SecretStr

from components.catalog.services import DEFAULT_PORTS
from components.common import certificates
from components.common.problems import Problem
from components.settings import hosts as host_settings


def is_loopback(bind_address: str) -> bool:
    return ipaddress.ip_address(bind_address).is_loopback


def local_host(bind_address: str) -> str:
    """Return the address, as in a URL, at which this machine connects to a published port."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bind_address, bind_address)
    return host_settings.bracketed(address)


def served_names(bind_address: str, public_host: str, other_hosts: Sequence[str] = ()) -> list[str]:
    """Return the names and addresses that the stack's certificate has to cover."""
    people = [public_host] if public_host else []
    return [*people, *DEFAULT_PORTS, "localhost", local_host(bind_address), *other_hosts]


def served_by(values: Mapping[str, Any]) -> list[str]:
    """Return the names that `served_names` would give for the values of a stack file."""
    others = host_settings.names(_plain(values.get("hosts")), values.get("hostAddress"))
    return served_names(str(values["bindAddress"]), str(values["publicHost"]), others)


def _plain(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return None


def problems(field: str, value: str | SecretStr, known: Mapping[str, Any]) -> list[Problem]:
    """Find the problems of one field; `known` has the valid fields before it."""
    if not known.get("tls"):
        return []
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    judges = {
        "tls_ca": _authority,
        "tls_certificate": _certificate,
        "tls_key": _key,
        "web_password": _password,
    }
    return list(judges[field](text, known))


def _authority(text: str, known: Mapping[str, Any]) -> Iterator[Problem]:
    stack = known["stack"]
    if not text:
        yield Problem(
            (),
            "is missing, and with it tlsCertificate and tlsKey: tls is on, and every service shows "
            "a certificate",
            f"`make certs STACK={stack}` makes an authority, a certificate and its key, and says "
            "how to set them; for your own: docs/guides/production.md#https",
        )
        return
    for problem in certificates.authority_problems(text):
        yield Problem((), problem, f"pulumi config set tlsCa --stack {stack} < ca.pem")


def _certificate(text: str, known: Mapping[str, Any]) -> Iterator[Problem]:
    stack = known["stack"]
    fix = f"pulumi config set tlsCertificate --stack {stack} < certificate.pem"
    authorities = known.get("tls_ca", "")
    if not text:
        # Without an authority, the check of `tlsCa` reports it.
        if authorities:
            yield Problem((), "is missing: tls is on", fix)
        return
    hosts = []
    if {"public_host", "bind_address"} <= known.keys():
        hosts = [known["public_host"] or local_host(known["bind_address"])]
        if not known["public_host"] and known.get("host_address"):
            hosts.append(host_settings.bracketed(known["host_address"]))
        if {"hosts", "placement"} <= known.keys():
            hosts += host_settings.linked(known["hosts"], known["placement"])
    for problem in certificates.certificate_problems(text, authorities, hosts):
        renewal = f"`make certs STACK={stack} RENEW=1`, or one of your own: {fix}"
        yield Problem((), problem, renewal)


def _key(text: str, known: Mapping[str, Any]) -> Iterator[Problem]:
    certificate = known.get("tls_certificate", "")
    fix = f"pulumi config set --secret tlsKey --stack {known['stack']} < key.pem"
    if not text:
        if certificate:
            yield Problem((), "is missing: tls is on", fix)
        return
    for problem in certificates.key_problems(text, certificate):
        yield Problem((), problem, fix)


def _password(text: str, _known: Mapping[str, Any]) -> Iterator[Problem]:
    if not text:
        yield Problem(
            (), "is missing: tls is on, and Prometheus and Alertmanager then ask for a password"
        )
