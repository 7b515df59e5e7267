"""The proxy for outgoing messages, and the hosts that are reached without it."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, SecretStr

from components.settings.in_house import is_own_container
from components.settings.secrets import UPSTREAM

_HOST = r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9a-fA-F:]+\])"
_LOGIN = r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"
_URL = re.compile(rf"(?:https?|socks5h?)://(?:{_LOGIN}(?::{_LOGIN})?@)?{_HOST}(?::[0-9]{{1,5}})?/?")
_NO_PROXY = re.compile(r"\.?[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?(?::[0-9]{1,5})?")


def _proxy(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text and not _URL.fullmatch(text):
        raise ValueError(
            "is not a proxy's URL, such as http://proxy.example.com:3128 (http, https or socks5; "
            "other signs than letters and digits in a login as %40 for @)"
        )
    if is_own_container(urlsplit(text).hostname or ""):
        raise ValueError("is Alertmanager's own container: name the host's address")
    return value


def _no_proxy(text: str) -> str:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        if not _NO_PROXY.fullmatch(text):
            raise ValueError(
                "is not a host, such as chat.lan, a domain with all below it, such as .lan, an "
                "address, or a network, such as 10.0.0.0/8"
            ) from None
    return text


# A secret where it has a login, and not otherwise.
ProxyUrl = Annotated[SecretStr, UPSTREAM, AfterValidator(_proxy)]
NoProxyHost = Annotated[str, AfterValidator(_no_proxy)]


def has_login(url: SecretStr) -> bool:
    return "@" in url.get_secret_value()
