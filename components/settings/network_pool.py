"""The range of addresses that a stack's networks are cut from."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator

from components.catalog.networks import POOL_PREFIX


def _network_pool(text: str) -> str:
    if not text:
        return text
    try:
        found = ipaddress.IPv4Network(text)
    except ValueError:
        raise ValueError("is not an IPv4 network, such as 10.217.4.0/24") from None
    if found.prefixlen != POOL_PREFIX:
        raise ValueError(f"is not a /{POOL_PREFIX}, such as 10.217.4.0/24")
    if not found.is_private:
        raise ValueError("is not a private network, such as 10.217.4.0/24")
    return str(found)


NetworkPool = Annotated[str, AfterValidator(_network_pool)]
