"""A stack with TLS: its settings, its password and its secret files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from components.settings.settings import Settings
from tests.unit.conftest import SECRETS, SERVED

PASSWORD = SECRETS["webPassword"]


@pytest.fixture
def over_tls(settings: Callable[..., Settings]) -> Callable[..., Settings]:
    """Settings with TLS, for the loopback."""

    def make(**changes: Any) -> Settings:
        secret = {key: SECRETS[key] for key in ("tlsKey", "webPassword")}
        return settings(**{"tls": "true", **SERVED, **secret, **changes})

    return make


def secret_file(view: Any, service: str, path: str) -> str:
    text: str = view.config(service)["secret_files"][f"tls/{path}"]
    return text
