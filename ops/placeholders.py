"""What stands for a stack's secrets, and its certificate, where it is rendered without them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from components.tls_settings import served_names
from ops import issuing

# Dates that no run depends on. The keys are known to everybody, and nothing is served with them.
_VALIDITY = issuing.Validity(datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
_AUTHORITY_SEED, _SERVER_SEED = 1, 2


def secret(key: str) -> str:
    """A value of the right form for a secret setting."""
    url = key.endswith("Url")
    return f"https://{key.lower()}.example/placeholder" if url else f"placeholder-{key}"


def certificates(values: Mapping[str, Any]) -> dict[str, str]:
    """`tlsCa`, `tlsCertificate` and `tlsKey` for a stack's values; the same at every call.

    In place of the stack's own certificate too: without its key it could not be checked.
    """
    hosts = served_names(str(values["bindAddress"]), str(values["publicHost"]))
    made = _made(tuple(hosts))
    return {"tlsCa": made[0], "tlsCertificate": made[1].certificate, "tlsKey": made[1].key}


@lru_cache
def _made(hosts: tuple[str, ...]) -> tuple[str, issuing.Issued]:
    authority = issuing.authority("placeholder", _VALIDITY, _AUTHORITY_SEED)
    return authority.certificate, issuing.server(authority, hosts, _VALIDITY, _SERVER_SEED)
