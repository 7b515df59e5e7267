"""Probes from outside and their expected answers: the setting `probes`.

Each becomes a module of blackbox_exporter: https://github.com/prometheus/blackbox_exporter.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StrictBool

from components.common.model import Frozen
from components.common.problems import Problem
from components.settings import in_house
from components.settings.logins import OptionalLogin
from components.settings.passwords import OneLine
from components.settings.types import Authorities, HostName, HostPort, number

KINDS = ("url", "tcp", "dns", "icmp")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9_-]{0,38}[a-z0-9])?")
_URL = re.compile(
    r"https?://(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
    r"(?:[/?](?:[^\s#\"<>\\^`{|}])*)?"
)
_HTTPS_ONLY = ("ca", "server_name")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("is not a probe's name, such as portal: small letters, digits, `_`, `-`")
    return text


def _url(text: str) -> str:
    if not _URL.fullmatch(text):
        raise ValueError("is not a URL, such as https://portal.example.com/login (no user in it)")
    host = urlsplit(text).hostname or ""
    _not_loopback(host)
    return text


def _not_loopback(host: str) -> None:
    if in_house.is_own_container(host):
        raise ValueError(
            "is the exporter's own container: host.docker.internal is the Docker host, and what "
            "people write into their browser is what should be probed"
        )


def _tcp(text: str) -> str:
    _not_loopback(text.rpartition(":")[0].strip("[]"))
    return text


def _dns_server(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("is not the address of a DNS server, such as 192.0.2.53") from None


ProbeName = Annotated[str, AfterValidator(_name)]
Status = Annotated[int, BeforeValidator(number), Field(ge=100, le=599)]


class Probe(Frozen):
    """Exactly one of `url`, `tcp`, `dns` and `icmp`, and what it should answer.

    `text` stands somewhere in the page or, by DNS, in a record. `severity` is that of its
    ProbeFailed. `ca` is PEM text, empty for the public authorities.
    """

    url: Annotated[str, AfterValidator(_url)] | None = None
    tcp: Annotated[HostPort, AfterValidator(_tcp)] | None = None
    dns: HostName | None = None
    icmp: HostName | None = None

    severity: Literal["critical", "warning"] = "critical"
    status: tuple[Status, ...] = ()
    text: str = ""
    tls: StrictBool = False
    ca: Authorities = ""
    server_name: HostName = ""
    username: OptionalLogin = ""
    password: OneLine = SecretStr("")
    bearer_token: OneLine = SecretStr("")
    record: Literal["A", "AAAA", "CNAME", "MX", "NS", "SRV", "TXT"] = "A"
    server: Annotated[str, AfterValidator(_dns_server)] | None = None

    @property
    def kind(self) -> str:
        return next(kind for kind in KINDS if getattr(self, kind))

    @property
    def target(self) -> str:
        """Return what blackbox_exporter is asked to probe; by DNS that is the server."""
        if self.dns:
            assert self.server
            return f"[{self.server}]:53" if ":" in self.server else f"{self.server}:53"
        return str(getattr(self, self.kind))

    @property
    def shown(self) -> str:
        """Return what messages call it."""
        return f"{self.dns} ({self.record}, asked of {self.server})" if self.dns else self.target


def problems(stack: str, probes: Mapping[str, Probe], *, monitored: bool) -> Iterator[Problem]:
    """Yield what is wrong with probes whose parts are right each in itself."""
    if monitored and not probes:
        yield Problem(
            (),
            "is empty, and `watch` has probes",
            "pulumi config set --path probes.portal.url https://portal.example.com/ --stack "
            f"{stack}",
        )
    for name, probe in probes.items():
        kinds = [kind for kind in KINDS if getattr(probe, kind)]
        if len(kinds) != 1:
            which = f"has {' and '.join(kinds)}" if kinds else "has nothing to ask"
            yield Problem((name,), f"{which}: it takes one of {', '.join(KINDS)}")
            continue
        yield from _unused(name, probe)
        password = probe.password.get_secret_value()
        if bool(probe.username) != bool(password):
            missing = "password" if probe.username else "username"
            yield Problem((name, missing), "is missing: username and password go together")
        if password and probe.bearer_token.get_secret_value():
            yield Problem((name, "bearerToken"), "is set beside username and password: one of them")
        if probe.dns and not probe.server:
            yield Problem((name, "server"), "is missing: the DNS server to ask, such as 192.0.2.53")


def _unused(name: str, probe: Probe) -> Iterator[Problem]:
    """Yield what is set and means nothing for this kind."""
    encrypted = probe.tls or (probe.url or "").startswith("https://")
    of_http = {"status": "status", "username": "username", "bearer_token": "bearerToken"}
    allowed = {
        **dict.fromkeys(of_http, bool(probe.url)),
        "text": bool(probe.url or probe.dns),
        "tls": bool(probe.tcp),
        **dict.fromkeys(_HTTPS_ONLY, encrypted),
        "server": bool(probe.dns),
    }
    for field, fits in allowed.items():
        value = getattr(probe, field)
        is_set = value.get_secret_value() if isinstance(value, SecretStr) else value
        if is_set and not fits:
            path = {**of_http, "server_name": "serverName"}.get(field, field)
            problem = f"is of no use for a probe by {probe.kind}"
            if field in _HTTPS_ONLY:
                problem += ", unless it is encrypted (https, or tcp with tls)"
            yield Problem((name, path), problem, remove=True)
