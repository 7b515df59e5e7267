"""Addresses and logins of monitored servers, by kind and name: a part of `Settings`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, SecretStr, StrictBool

from components.catalog.integrations import INTEGRATIONS
from components.common import certificates
from components.common.model import Frozen
from components.common.problems import Problem
from components.settings.logins import OptionalPostgresLogin, PostgresDatabase
from components.settings.passwords import OptionalServerPassword
from components.settings.types import Authorities, ServiceAddress

_KINDS = tuple(found.kind for found in INTEGRATIONS if found.has_servers)
_SEVERAL = frozenset(found.kind for found in INTEGRATIONS if found.several_servers)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


def _kind(text: str) -> str:
    if text not in _KINDS:
        known = f"there are: {', '.join(_KINDS)}" if _KINDS else "no kind of this program has any"
        raise ValueError(f"is not a kind of service whose servers are set here; {known}")
    return text


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError(
            "is not a name of a server: lower-case letters, digits and `-`, 32 at most"
        )
    return text


SslMode = Literal["disable", "require", "verify-ca", "verify-full"]
ServerKind = Annotated[str, AfterValidator(_kind)]
ServerName = Annotated[str, AfterValidator(_name)]


class Server(Frozen):
    """A server: its address, the login of its exporter, and the database where there are several.

    The password is a secret. `sslmode` is of PostgreSQL, `tls` and `sentinel` of Redis: the address
    is that of a Sentinel, and no Redis. `ca` is PEM text, empty for the public authorities;
    `certificate` and the secret `key` are the exporter's own, for servers that ask for one.
    """

    address: ServiceAddress
    user: OptionalPostgresLogin = ""
    password: OptionalServerPassword = SecretStr("")
    database: PostgresDatabase | None = None
    sslmode: SslMode = "disable"
    tls: StrictBool = False
    sentinel: StrictBool = False
    ca: Authorities = ""
    certificate: Authorities = ""
    key: SecretStr = SecretStr("")

    @property
    def encrypted(self) -> bool:
        return self.tls or self.sslmode != "disable"

    @property
    def host(self) -> str:
        return self.address.rpartition(":")[0]

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])


def problems(
    stack: str,
    servers: Mapping[str, Mapping[str, Server]],
    monitored: Collection[str],
    placement: Mapping[str, str],
) -> list[Problem]:
    """Return what is wrong with the servers, each by its kind, and together."""
    found = [*_in_number(stack, servers, monitored)]
    for kind, named in servers.items():
        if len(named) > 1 and kind in _SEVERAL and placement:
            problem = "is one of several, whose exporters run beside Prometheus: take placement out"
            found.append(Problem((kind, list(named)[1]), problem))
        for name, server in named.items():
            found += [Problem((kind, name, field), text) for field, text in _of_kind(kind, server)]
    return found


def _in_number(
    stack: str, servers: Mapping[str, Mapping[str, Server]], monitored: Collection[str]
) -> Iterator[Problem]:
    """Yield kinds without a server, and with more than their exporter takes."""
    for kind in _KINDS:
        names = list(servers.get(kind, ()))
        if kind in _SEVERAL:
            continue
        if kind in monitored and not names:
            path = f"servers.{kind}.primary.address"
            yield Problem(
                (kind,),
                f"is missing: `watch` has {kind}, and no server of it is set",
                f"pulumi config set --path '{path}' HOST:PORT --stack {stack}; then user, and "
                "password with --secret",
            )
        elif len(names) > 1:
            yield Problem(
                (kind, names[1]),
                f"is one server too many: one of each kind can be monitored, and {names[0]} is",
                f"pulumi config rm --path 'servers.{kind}.{names[1]}' --stack {stack}",
            )


def _of_kind(kind: str, server: Server) -> Iterator[tuple[str, str]]:
    """Yield fields of a server that are missing, or that its kind has not."""
    if kind != "redis":
        if not server.user:
            yield "user", "is missing"
        if not (server.password.get_secret_value() or server.certificate):
            yield "password", "is missing"
    elif "@" in server.user:
        yield "user", "has @ in it, which an address of Redis does not carry"
    elif server.user and not server.password.get_secret_value():
        yield "password", "is missing: user is set"
    if server.sslmode != "disable" and kind != "postgresql":
        yield "sslmode", f"is of PostgreSQL, and {kind} has none"
    for field in ("tls", "sentinel"):
        if getattr(server, field) and kind != "redis":
            yield field, f"is of Redis, and {kind} has none"
    if server.database and kind == "redis":
        yield "database", "is of no use: the exporter reads all of them"
    verified = server.tls or server.sslmode.startswith("verify-")
    if server.ca and not verified:
        yield "ca", "is not used: it needs sslmode verify-full (or verify-ca), or tls of Redis"
    yield from _of_client(server)


def _of_client(server: Server) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the certificate and the key of the exporter."""
    key = server.key.get_secret_value()
    if server.certificate and not server.encrypted:
        yield "certificate", "is not used: it needs an sslmode, or tls of Redis"
    if server.certificate and not key:
        yield "key", "is missing: certificate is set"
    elif key and not server.certificate:
        yield "certificate", "is missing: key is set"
    elif key:
        for problem in certificates.key_problems(key, server.certificate, "certificate"):
            yield "key", problem
