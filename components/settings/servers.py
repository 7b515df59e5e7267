"""Addresses and logins of monitored servers, by kind and name: a part of `Settings`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import AfterValidator

from components.catalog.integrations import INTEGRATIONS
from components.common.model import Frozen
from components.common.problems import Problem
from components.settings.passwords import ServerPassword
from components.settings.types import DatabaseName, HostPort, Login

_KINDS = tuple(found.kind for found in INTEGRATIONS if found.has_servers)
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


ServerKind = Annotated[str, AfterValidator(_kind)]
ServerName = Annotated[str, AfterValidator(_name)]


class Server(Frozen):
    """A server: its address, the login of its exporter, and the database where there are several.

    The password is a secret.
    """

    address: HostPort
    user: Login
    password: ServerPassword
    database: DatabaseName | None = None

    @property
    def host(self) -> str:
        return self.address.rpartition(":")[0]

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])


def problems(
    stack: str, servers: Mapping[str, Mapping[str, Server]], monitored: Collection[str]
) -> list[Problem]:
    """Return what is wrong with the servers together: one exporter monitors one of them."""
    found = []
    for kind in _KINDS:
        names = list(servers.get(kind, ()))
        if kind in monitored and not names:
            path = f"servers.{kind}.primary.address"
            found.append(
                Problem(
                    (kind,),
                    f"is missing: `watch` has {kind}, and no server of it is set",
                    f"pulumi config set --path '{path}' HOST:PORT --stack {stack}; then user, and "
                    "password with --secret",
                )
            )
        elif len(names) > 1:
            found.append(
                Problem(
                    (kind, names[1]),
                    f"is one server too many: one of each kind can be monitored, and {names[0]} is",
                    f"pulumi config rm --path 'servers.{kind}.{names[1]}' --stack {stack}",
                )
            )
    return found
