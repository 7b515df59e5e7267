"""Stack of the real engine: commands and queries for the tests."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import yaml
from docker.models.containers import Container
from pulumi import automation

from components.settings.settings import Settings
from ops import connections
from ops.offline.program import StackConfig
from tests import through_grafana

ROOT = Path(__file__).resolve().parents[2]
# Made up for these tests, and looked for wherever they must not be.
SECRETS = {
    "grafanaAdminPassword": "canary-grafana-2b7e1516",
    "postgresPassword": "canary-postgres-28aed2a6",
    "redisPassword": "canary-redis-abf71588",
    "slackWebhookUrl": "https://slack.invalid/canary-slack-09cf4f3c",
}
UNCHANGED = "same"


@dataclass
class EngineStack:
    """Stack of the real engine, with its program in `folder`."""

    stack: automation.Stack
    folder: Path
    client: docker.DockerClient
    values: dict[str, Any]
    secrets: dict[str, str] = field(default_factory=dict)

    def configure(self, **values: Any) -> None:
        self.values |= values
        path = self.folder / f"Pulumi.{self.stack.name}.yaml"
        found = yaml.safe_load(path.read_text()) if path.exists() else {}
        found.setdefault("config", {})
        found["config"] |= {f"vitalstream:{key}": value for key, value in self.values.items()}
        path.write_text(yaml.safe_dump(found))

    def set_secret(self, key: str, value: str) -> None:
        self.secrets[key] = value
        self.stack.set_config(f"vitalstream:{key}", automation.ConfigValue(value, secret=True))

    def up(self) -> dict[str, int]:
        """Operations and their counts, without those that change nothing."""
        self.configure()
        return _changes(self.stack.up(on_output=print).summary.resource_changes)

    def preview(self, *, refresh: bool = False) -> dict[str, int]:
        self.configure()
        found = self.stack.preview(refresh=refresh, on_output=print).change_summary
        return _changes({str(getattr(op, "value", op)): count for op, count in found.items()})

    def destroy(self, **options: Any) -> None:
        self.stack.destroy(on_output=print, **options)

    def container(self, service: str) -> Container:
        return self.client.containers.get(f"vitalstream-{self.stack.name}-{service}")

    def containers(self) -> list[Container]:
        return list(self.client.containers.list(all=True, filters=self._ours))

    def started(self) -> dict[str, str]:
        """Return the start time of each container, by name."""
        return {found.name or "": found.attrs["State"]["StartedAt"] for found in self.containers()}

    def volumes(self) -> set[str]:
        prefix = f"vitalstream-{self.stack.name}-"
        found = self.client.volumes.list(filters=self._ours)
        return {(volume.name or "").removeprefix(prefix) for volume in found}

    def networks(self) -> list[str]:
        return [network.name or "" for network in self.client.networks.list(filters=self._ours)]

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        encoded = urllib.parse.urlencode({"query": expression})
        found: list[dict[str, Any]] = self.get("prometheus", f"/api/v1/query?{encoded}")["data"][
            "result"
        ]
        return found

    def get(self, service: str, path: str) -> Any:
        settings = self._settings()
        with connections.session(settings) as session:
            answer = session.get(settings.local_url(service) + path, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def through_grafana(self, expr: str) -> list[float]:
        """Return the values of an instant query, sent as a panel does."""
        settings = self._settings()
        password = settings.grafana_admin_password.get_secret_value()
        login = (settings.grafana_admin_user, password)
        with connections.session(settings) as session:
            return through_grafana.values(session, settings.local_url("grafana"), login, expr)

    def rule(self, name: str) -> dict[str, Any]:
        """Return a rule of the running Prometheus."""
        groups = self.get("prometheus", "/api/v1/rules")["data"]["groups"]
        return next(rule for group in groups for rule in group["rules"] if rule["name"] == name)

    def _settings(self) -> Settings:
        config = StackConfig.of_values({**self.values, **self.secrets}, set(self.secrets))
        return config.settings(self.stack.name)

    @property
    def _ours(self) -> dict[str, Any]:
        return {"label": f"vitalstream.stack={self.stack.name}"}


def eventually(what: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.5)
    return what()


def _changes(found: Any) -> dict[str, int]:
    return {
        operation: count for operation, count in (found or {}).items() if operation != UNCHANGED
    }
