"""The proxy in Alertmanager's HTTP clients. Mail is not HTTP, and goes past it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.settings.settings import Settings


def http_config(settings: Settings, own: Mapping[str, Any]) -> dict[str, Any]:
    """Return a client's own settings with the proxy, unless it names one itself.

    Alertmanager takes a receiver's `http_config` in the place of the global one, not on top of it.
    """
    found = _with_proxy(settings, own)
    if isinstance(found.get("oauth2"), Mapping):
        found["oauth2"] = _with_proxy(settings, found["oauth2"])
    return found


def _with_proxy(settings: Settings, own: Mapping[str, Any]) -> dict[str, Any]:
    url = settings.delivery_proxy.get_secret_value()
    if not url or {"proxy_url", "proxy_from_environment"} & own.keys():
        return dict(own)
    hosts = ",".join(settings.no_proxy)
    return {"proxy_url": url, **({"no_proxy": hosts} if hosts else {}), **own}
