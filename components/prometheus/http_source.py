"""Keys of a scrape configuration that say how a target is asked, and the files they name."""

from __future__ import annotations

from typing import Any

from components.settings.http_source import HttpSource


def client_config(source: HttpSource, prefix: str, password: str = "password") -> dict[str, Any]:
    """Return scheme, certificate and login; `prefix` is the path that its files begin with,
    `password` the end of that of the password.
    """
    tls = {
        **({"ca_file": f"{prefix}.ca.pem"} if source.ca else {}),
        **({"server_name": source.server_name} if source.server_name else {}),
    }
    return {
        **({"scheme": "https"} if source.scheme == "https" else {}),
        **({"tls_config": tls} if tls else {}),
        **(
            {"basic_auth": {"username": source.username, "password_file": f"{prefix}.{password}"}}
            if source.username
            else {}
        ),
    }


def files(source: HttpSource, prefix: str) -> dict[str, str]:
    """Return the authorities, by path."""
    return {f"{prefix}.ca.pem": f"{source.ca.strip()}\n"} if source.ca else {}


def secret_files(source: HttpSource, prefix: str, password: str = "password") -> dict[str, str]:
    """Return the password, by path."""
    if not source.username:
        return {}
    return {f"{prefix}.{password}": source.password.get_secret_value()}
