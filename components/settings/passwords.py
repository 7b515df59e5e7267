"""Types of the settings that are passwords, tokens and other secrets of one line."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, SecretStr

# What people type first; the first was the default of older VitalStream documents.
_COMMON_PASSWORDS = frozenset(
    {
        "admin123",
        "123456789012",
        "administrator",
        "changemechangeme",
        "grafanaadmin",
        "password1234",
        "passwordpassword",
        "vitalstream123",
    }
)
MIN_PASSWORD_LENGTH = 12
# What bcrypt takes: it cuts off, or refuses, what is longer.
MAX_WEB_PASSWORD_BYTES = 72


def weakness(value: SecretStr) -> str | None:
    """Return what is weak about a password, or None."""
    text = value.get_secret_value()
    if text.lower() in _COMMON_PASSWORDS:
        return "is a default or a well-known password"
    if len(text) < MIN_PASSWORD_LENGTH:
        return f"is weak: it has fewer than {MIN_PASSWORD_LENGTH} characters"
    if len(set(text)) < 5:
        return "is weak: it has fewer than 5 different characters"
    return None


def _password(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError("is missing")
    if problem := weakness(value):
        raise ValueError(problem)
    return one_line(value)


def _of_server(value: SecretStr) -> SecretStr:
    """A password that is set elsewhere may be weak: the preview warns of it."""
    text = value.get_secret_value()
    if not text:
        raise ValueError("is missing")
    if " " in text.strip():
        # Seen: postgres_exporter (0.11 to 0.19) logs "malformed dsn" with the password in clear.
        raise ValueError("has a space in it, which the exporters' connection strings do not carry")
    return one_line(value)


def one_line(value: SecretStr) -> SecretStr:
    """Check a secret that its reader takes from the first line of a file. Raises ValueError."""
    text = value.get_secret_value()
    if not text.isprintable():
        raise ValueError("has a line break or another control character in it")
    if text != text.strip():
        raise ValueError("begins or ends with a space, which readers of password files cut off")
    return value


def _optional_password(value: SecretStr) -> SecretStr:
    return _password(value) if value.get_secret_value() else value


def _web_password(value: SecretStr) -> SecretStr:
    if " " in value.get_secret_value():
        raise ValueError("has a space in it, which not every client of a service carries")
    if len(value.get_secret_value().encode()) > MAX_WEB_PASSWORD_BYTES:
        raise ValueError(f"is longer than the {MAX_WEB_PASSWORD_BYTES} bytes that bcrypt takes")
    return value


Password = Annotated[SecretStr, AfterValidator(_password)]
OptionalServerPassword = Annotated[
    SecretStr,
    AfterValidator(lambda value: _of_server(value) if value.get_secret_value() else value),
]
WebPassword = Annotated[
    SecretStr, AfterValidator(_optional_password), AfterValidator(_web_password)
]
OneLine = Annotated[SecretStr, AfterValidator(one_line)]
