"""Prometheus as a receiver of remote write, and the files that configure it."""

from __future__ import annotations

import contextlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bcrypt
import requests
import yaml
from docker.models.containers import Container

from ops import connections
from tests.live.stack import TIMEOUT_SECONDS

HOST = "receiver"
USER, PASSWORD, WRONG = "vitalstream", "live-remote-Password-8", "live-remote-Password-9"
UID = 65534


@dataclass(frozen=True)
class Receiver:
    """Prometheus as remote write receiver, over TLS with a password."""

    container: Container
    url: str
    authority: str

    def get(self, path: str, **params: Any) -> Any:
        with connections.trusting(self.authority) as session:
            url = f"{self.url}/api/v1/{path}"
            answer = session.get(url, params=params, auth=(USER, PASSWORD), timeout=TIMEOUT_SECONDS)
        assert answer.ok, f"{url}: {answer.text}"
        return answer.json()["data"]

    def answers(self) -> bool:
        with contextlib.suppress(requests.exceptions.ConnectionError, AssertionError):
            return bool(self.get("status/buildinfo"))
        return False


def receiver_files(served: Mapping[str, str]) -> dict[str, str]:
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(10)).decode()
    web = {
        "tls_server_config": {"cert_file": "certificate.pem", "key_file": "key.pem"},
        "basic_auth_users": {USER: hashed},
    }
    return {
        "prometheus.yml": "global: {}\n",
        "web.yml": yaml.safe_dump(web),
        "certificate.pem": served["tlsCertificate"],
        "key.pem": served["tlsKey"],
    }


def tar_of(files: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.uid, entry.mode = len(text.encode()), UID, 0o400
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()
