"""Remote write section of `prometheus.yml`, and its files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.docker import tls_files
from components.settings import upstream
from components.settings.settings import Settings
from components.settings.upstream import secret_leaves

FOLDER = "remote-write"
"""Folder of the files, below Prometheus' own folder; a folder in it for each receiver."""
# Prometheus reads these for each request: a new secret needs no reload.
_READ_AGAIN: dict[tuple[str, ...], str] = {
    ("basic_auth", "password"): "password",
    ("authorization", "credentials"): "bearer_token",
}
# Left out where they are empty.
_SECTIONS = ("headers", "basic_auth", "authorization", "tls_config", "write_relabel_configs")


def files(settings: Settings) -> dict[str, str]:
    """Return the files without secrets: authorities."""
    return {
        f"{FOLDER}/{one['name']}/ca.pem": f"{one['tls_config']['ca'].strip()}\n"
        for one in settings.remote_write
        if one["tls_config"].get("ca")
    }


def secret_files(settings: Settings) -> dict[str, str]:
    """Return the secrets by the paths of their files."""
    return {
        _file(settings, receiver, path, secret): secret
        for receiver in settings.remote_write
        for path, secret in secret_leaves(receiver)
    }


def rendered(settings: Settings, config_dir: str) -> dict[str, Any]:
    """Return the section; nothing without a receiver. Files are below `config_dir`."""
    found = [_rendered(settings, receiver, config_dir) for receiver in settings.remote_write]
    return {"remote_write": found} if found else {}


def _rendered(settings: Settings, receiver: Mapping[str, Any], config_dir: str) -> dict[str, Any]:
    files = {
        path: _file(settings, receiver, path, secret) for path, secret in secret_leaves(receiver)
    }
    found = upstream.with_files(receiver, files, lambda path: f"{config_dir}/{files[path]}")
    if found["tls_config"].pop("ca", ""):
        ca = f"{config_dir}/{FOLDER}/{receiver['name']}/ca.pem"
        found["tls_config"] = {"ca_file": ca, **found["tls_config"]}
    return {key: value for key, value in found.items() if value or key not in _SECTIONS}


def _file(
    settings: Settings, receiver: Mapping[str, Any], path: tuple[str, ...], secret: str
) -> str:
    name = _READ_AGAIN.get(path)
    if name is None:
        name = upstream.file_name(path)
        version = tls_files.secret_version(settings, f"{receiver['name']}.{name}", secret)
        name = f"{name}-{version}"
    return f"{FOLDER}/{receiver['name']}/{name}"
