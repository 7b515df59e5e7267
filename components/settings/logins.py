"""Types of the settings that are user names and names of databases."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

# All of these are matched in full: with `$`, a line break at the end would pass.
_LOGIN = re.compile(r"[^\s:/?#@\\\"']+")
_POSTGRES_LOGIN = re.compile(r"[^\s:/?#\\\"']+")
_DATABASE = re.compile(r"[^\s/?#%&\\\"']+")
_POSTGRES_DATABASE = re.compile(r"[^\s/?#%&\\\"']+(?: +[^\s/?#%&\\\"']+)*")


def _login(text: str) -> str:
    if not _LOGIN.fullmatch(text):
        raise ValueError("is not a user name that fits into an address: no space and no : / ? # @")
    return text


def _optional_login(text: str) -> str:
    return _login(text) if text else text


def _postgres_login(text: str) -> str:
    if not _POSTGRES_LOGIN.fullmatch(text):
        raise ValueError("is not a user name that fits into an address: no space and no : / ? #")
    return text


def _admin(text: str) -> str:
    if not re.fullmatch(r"[^\s:]+", text):
        raise ValueError("is not a user name for Grafana's API: no space and no colon")
    return text


def _database(text: str) -> str:
    if not _DATABASE.fullmatch(text):
        raise ValueError("is not a database name that fits into an address: no space and no / ? #")
    return text


def _postgres_database(text: str) -> str:
    if not _POSTGRES_DATABASE.fullmatch(text):
        raise ValueError("is not a database name that fits into an address: no / ? # %")
    return text


Login = Annotated[str, AfterValidator(_login)]
OptionalLogin = Annotated[str, AfterValidator(_optional_login)]
PostgresLogin = Annotated[str, AfterValidator(_postgres_login)]
OptionalPostgresLogin = Annotated[
    str, AfterValidator(lambda text: _postgres_login(text) if text else text)
]
AdminLogin = Annotated[str, AfterValidator(_admin)]
DatabaseName = Annotated[str, AfterValidator(_database)]
PostgresDatabase = Annotated[str, AfterValidator(_postgres_database)]
