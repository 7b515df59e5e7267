"""TLS and password files of servers and of their clients.

A service's files are in the folder `tls/` of its files, all of them readable by that service alone.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import Any

import bcrypt

from components.common import yaml_text
from components.settings.passwords import MAX_WEB_PASSWORD_BYTES
from components.settings.settings import Settings

FOLDER = "tls"
CERTIFICATE = f"{FOLDER}/certificate.pem"
KEY = f"{FOLDER}/key.pem"
AUTHORITY = f"{FOLDER}/ca.pem"
PASSWORD = f"{FOLDER}/password"
SERVER = f"{FOLDER}/web.yml"
CLIENT = f"{FOLDER}/client.yml"
GOSSIP = f"{FOLDER}/gossip.yml"
WITH_PASSWORD = ("prometheus", "alertmanager", "grafana", "thanos-query")
"""Services that require `webPassword`: Grafana only on `/metrics`, it has its own login."""
# 2**10 rounds, about 0.1 s: once per client, since the servers cache the result.
BCRYPT_COST = 10
# In the salt of its hash. Another name would change the file of every stack that is up.
_WEB_PASSWORD = "prometheus"


def key_pair(settings: Settings) -> dict[str, str]:
    """Return the certificate and its key, by path; nothing without TLS."""
    if not settings.tls:
        return {}
    return {
        CERTIFICATE: _lines(settings.tls_certificate),
        KEY: _lines(settings.tls_key.get_secret_value()),
    }


def authority(settings: Settings) -> dict[str, str]:
    """Return the authority's certificate, for clients without a password; nothing without TLS."""
    return {AUTHORITY: _lines(settings.tls_ca)} if settings.tls else {}


def server_files(settings: Settings, *, password: bool) -> dict[str, str]:
    """Return the files of a server that reads a `web.config.file`; nothing without TLS.

    Format: https://prometheus.io/docs/prometheus/latest/configuration/https/. Paths in it are
    relative to its folder.
    """
    if not settings.tls:
        return {}
    config: dict[str, Any] = {
        "tls_server_config": {
            "cert_file": CERTIFICATE.removeprefix(f"{FOLDER}/"),
            "key_file": KEY.removeprefix(f"{FOLDER}/"),
            "min_version": "TLS12",
        }
    }
    if password:
        config["basic_auth_users"] = {settings.web_user: _hashed(settings)}
    return {**key_pair(settings), SERVER: yaml_text.dump(config)}


def server_flags(settings: Settings, folder: str) -> list[str]:
    """Return the flag that names the server's file in `folder`; none without TLS."""
    return [f"--web.config.file={folder}/{SERVER}"] if settings.tls else []


def gossip_files(settings: Settings, folder: str, service: str) -> dict[str, str]:
    """Return the gossip TLS file of Alertmanagers on several hosts; nothing without TLS.

    Format: https://prometheus.io/docs/alertmanager/latest/https/#gossip-traffic. The certificate
    identifies a server and no client, so peers are encrypted but not authenticated.
    """
    if not settings.tls:
        return {}
    config = {
        "tls_server_config": {
            "cert_file": f"{folder}/{CERTIFICATE}",
            "key_file": f"{folder}/{KEY}",
        },
        "tls_client_config": {
            "ca_file": f"{folder}/{AUTHORITY}",
            "server_name": settings.server_name(service),
        },
    }
    return {GOSSIP: yaml_text.dump(config)}


def gossip_flags(settings: Settings, folder: str) -> list[str]:
    """Return the flag that names that file in `folder`; none without TLS."""
    return [f"--cluster.tls-config={folder}/{GOSSIP}"] if settings.tls else []


def client_files(settings: Settings, folder: str, service: str) -> dict[str, str]:
    """Return the files of a client of `service`, including a `http.config.file`; nothing without
    TLS.

    Format: `http_config` of Prometheus and Alertmanager, which promtool and amtool also read.
    """
    if not settings.tls:
        return {}
    return {
        AUTHORITY: _lines(settings.tls_ca),
        PASSWORD: settings.web_password.get_secret_value(),
        CLIENT: yaml_text.dump(client_config(settings, folder, service, password=True)),
    }


def versioned_password(settings: Settings) -> dict[str, str]:
    """Return the password, in a file whose name changes with it, by path; nothing without TLS.

    Prometheus 3.5 keeps using the old content of a `password_file`, also after a reload, until its
    configuration names another file. The name comes from the slow hash: of a password, no fast one
    may be public.
    """
    if not settings.tls:
        return {}
    password = settings.web_password.get_secret_value()
    return {f"{PASSWORD}-{secret_version(settings, _WEB_PASSWORD, password)}": password}


def secret_version(settings: Settings, name: str, secret: str) -> str:
    """Return a text that changes with a secret, for the name of its file: see
    `versioned_password`.
    """
    if len(secret.encode()) > MAX_WEB_PASSWORD_BYTES:
        secret = hashlib.sha256(secret.encode()).hexdigest()
    hashed = _hash(secret, settings.tls_certificate, settings.stack, name)
    return hashlib.sha256(hashed.encode()).hexdigest()[:8]


def client_config(
    settings: Settings, folder: str, service: str, *, password: bool, password_file: str = PASSWORD
) -> dict[str, Any]:
    """Return the `http_config` of a client that has the `client_files` in `folder`; nothing without
    TLS.
    """
    if not settings.tls:
        return {}
    config: dict[str, Any] = {
        "tls_config": {
            "ca_file": f"{folder}/{AUTHORITY}",
            "server_name": settings.server_name(service),
        }
    }
    if password:
        config["basic_auth"] = {
            "username": settings.web_user,
            "password_file": f"{folder}/{password_file}",
        }
    return config


def _hashed(settings: Settings) -> str:
    """Return the password as the server keeps it."""
    password = settings.web_password.get_secret_value()
    return _hash(password, settings.tls_certificate, settings.stack, _WEB_PASSWORD)


@cache
def _hash(secret: str, certificate: str, stack: str, name: str) -> str:
    """Return a secret's hash as a server stores it.

    The salt is not random, or the file would change in every preview. It is derived from the
    certificate, which no other installation has, and from the names of stack and secret. It is not
    derived from the secret, whose fast hash must not be in the file.
    """
    digest = hashlib.sha256("\0".join((certificate, stack, name)).encode()).digest()[:16]
    salt = f"$2b${BCRYPT_COST:02}$".encode() + _bcrypt_base64(digest)
    return bcrypt.hashpw(secret.encode(), salt).decode()


def _bcrypt_base64(digest: bytes) -> bytes:
    """Encode with bcrypt's own alphabet, without padding: 22 characters for 16 bytes."""
    standard = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    theirs = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    return base64.b64encode(digest).rstrip(b"=").translate(bytes.maketrans(standard, theirs))


def _lines(text: str) -> str:
    return f"{text.strip()}\n"
