"""Placeholders for a stack's secrets and certificate when it is rendered without them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from components.settings.tls import served_by
from ops.certs import ca

# Dates that no run depends on. The keys are known to everybody, and nothing is served with them.
_VALIDITY = ca.Validity(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
_AUTHORITY_SEED, _SERVER_SEED = 1, 2


def secret(key: str) -> str:
    """Return a value of the right form for a secret setting, or for a part, by its path."""
    if key == "slackToken":
        return "xoxb-placeholder"
    # Without a login: Alertmanager's file is then no secret, and its routes can be compared.
    if key == "deliveryProxy":
        return "http://placeholder.example:3128"
    if not re.search(r"url(s\.\w+)?$", key, re.IGNORECASE):
        return f"placeholder-{key}"
    host = re.sub("[^a-z0-9]+", "-", key.lower())
    return f"https://{host}.example/placeholder"


def is_encrypted(value: Any) -> bool:
    """Return whether a stack file's value is a secret encrypted by the Pulumi CLI."""
    return isinstance(value, Mapping) and set(value) == {"secure"}


def has_encrypted(value: Any) -> bool:
    """Return whether a value, or a part of it, is encrypted."""
    if isinstance(value, Mapping):
        return is_encrypted(value) or any(map(has_encrypted, value.values()))
    return isinstance(value, list) and any(map(has_encrypted, value))


def filled(value: Any, path: str) -> Any:
    """Return the value at a Pulumi path, with a placeholder for each encrypted part.

    A certificate beside an encrypted `key` is replaced too: without its key it could not be
    checked.
    """
    if is_encrypted(value):
        return secret(path)
    if isinstance(value, Mapping):
        found = {key: filled(item, f"{path}.{key}") for key, item in value.items()}
        if value.get("certificate") and is_encrypted(value.get("key")):
            _, client = _made(("client",))
            found |= {"certificate": client.certificate, "key": client.key}
        return found
    if isinstance(value, list):
        return [filled(item, f"{path}[{index}]") for index, item in enumerate(value)]
    return value


def certificates(values: Mapping[str, Any]) -> dict[str, str]:
    """`tlsCa`, `tlsCertificate` and `tlsKey` for a stack's values; the same at every call.

    In place of the stack's own certificate too: without its key it could not be checked.
    """
    hosts = served_by(values)
    made = _made(tuple(hosts))
    return {"tlsCa": made[0], "tlsCertificate": made[1].certificate, "tlsKey": made[1].key}


@lru_cache
def _made(hosts: tuple[str, ...]) -> tuple[str, ca.Issued]:
    authority = ca.authority("placeholder", _VALIDITY, _AUTHORITY_SEED)
    return authority.certificate, ca.server(authority, hosts, _VALIDITY, _SERVER_SEED)
