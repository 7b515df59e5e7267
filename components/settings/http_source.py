"""HTTP client settings of a scrape: scheme, certificate and login."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from components.common.model import Frozen
from components.settings.logins import OptionalLogin
from components.settings.passwords import OneLine
from components.settings.types import Authorities, HostName


class HttpSource(Frozen):
    """Scheme, and what goes with https; `ca` is PEM text, empty for the public authorities."""

    scheme: Literal["http", "https"] = "http"
    ca: Authorities = ""
    server_name: HostName = ""
    username: OptionalLogin = ""
    # Checked also by default: with a user it is required.
    password: OneLine = Field(default=SecretStr(""), validate_default=True)

    @field_validator("ca", "server_name")
    @classmethod
    def _validate_https_only(cls, value: str, info: ValidationInfo) -> str:
        if value and info.data.get("scheme") == "http":
            raise ValueError("is set, and the scheme is http: it is for https")
        return value

    @field_validator("password")
    @classmethod
    def _validate_password(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        password, username = value.get_secret_value(), info.data.get("username")
        if username and not password:
            raise ValueError("is missing: username is set, and the two go together")
        if password and username == "":
            raise ValueError("is set without username: the two go together")
        return value
