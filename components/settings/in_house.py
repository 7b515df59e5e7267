"""Hosts of the own network, to which plain http is allowed."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

_SUFFIXES = (".local", ".internal", ".lan", ".home.arpa")
WHERE = "a private address, a container's name, or a name that ends with .local, .internal or .lan"


def is_in_house(host: str) -> bool:
    """Return whether a host is internal by its address or its name."""
    if address := address_of(host):
        return address.is_private or address.is_link_local
    name = host.lower().rstrip(".")
    return bool(name) and ("." not in name or name.endswith(_SUFFIXES))


def is_own_container(host: str) -> bool:
    """Return whether a host is the requesting container itself."""
    address = address_of(host)
    return (
        host == "localhost"
        # Also what is short for an address, such as 127.1.
        or bool(re.fullmatch(r"127\.[0-9.]+", host))
        or bool(address and (address.is_loopback or address.is_unspecified))
    )


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def plain_http_host(url: str) -> str:
    """Return the host of a URL in clear text; empty for any other."""
    if not url.lower().startswith("http://"):
        return ""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def problem(url: str) -> str:
    """Return the problem of a URL's host that Alertmanager posts to, or an empty string."""
    host = plain_http_host(url)
    if host and is_own_container(host):
        return "is Alertmanager's own container: name the other's container, or the host's address"
    if host and not is_in_house(host):
        return f"is http to a host that may be anywhere: https, or, in the house, {WHERE}"
    return ""
