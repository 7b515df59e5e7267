"""Fixtures that run the program under Pulumi's mocks and load settings as it does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import SecretStr
from pydantic.alias_generators import to_camel

from components.settings import loader
from components.settings.loader import SettingsError
from components.settings.settings import Settings
from components.settings.tls import served_names
from ops.offline import placeholders, program
from ops.offline.program import Registration, StackConfig
from tests.issued import issued

STACKS = ("dev", "prod")
SECRETS = {
    to_camel(name): f"https://canary-{name}.example/hook"
    if name.endswith("_url")
    else f"canary-of-{name}-9f3b"
    for name, field in Settings.model_fields.items()
    if field.annotation is SecretStr and name not in ("slack_token", "delivery_proxy")
}
"""A value for every secret setting but slackToken, beside which there is no webhook, and
deliveryProxy, with which Alertmanager's file is a secret. It is found wherever it leaks to."""
SERVED = issued(served_names("127.0.0.1", ""))
"""A certificate for the services on the loopback, and its authority; its key is a secret."""
SECRETS["tlsKey"] = SERVED.pop("tlsKey")
CHANGED: dict[str, Any] = {
    "applicationNetworks": ["clinic", "databases"],
    "backendTargets": ["api-1:8000", "api-2:8000"],
    "bindAddress": "192.0.2.7",
    "dockerHost": "tcp://docker.example.com:2376",
    "grafanaAdminUser": "chief",
    "grafanaAdminPassword": SECRETS["grafanaAdminPassword"],
    "images": {"grafana": "own/grafana:1", "prometheus": "own/prometheus:1"},
    "limits": {"grafana": {"memory": "2g", "cpus": 1.5}, "prometheus": {"cpus": 2}},
    "ports": {"grafana": 3300, "prometheus": 8100, "alertmanager": 8200},
    "publicHost": "mon.example.com",
    "retentionTime": "1d",
    "scrapeInterval": "30s",
}
"""Other values than the default, to be found where they belong."""


@dataclass(frozen=True)
class View:
    """Registered resources, by short type (`Container`, `Volume`) and name."""

    stack: str
    registrations: tuple[Registration, ...]

    def all(self, kind: str) -> dict[str, Registration]:
        return {found.name: found for found in self.registrations if _kind(found) == kind}

    def one(self, kind: str, name: str) -> Registration:
        return self.all(kind)[name]

    def inputs(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the inputs by name, secrets unwrapped."""
        return {name: program.unwrap(found.inputs) for name, found in self.all(kind).items()}

    def containers(self) -> dict[str, dict[str, Any]]:
        return self.inputs("Container")

    def config(self, service: str) -> dict[str, Any]:
        return self.inputs("ConfigFiles")[f"{service}-config"]

    def networks_of(self, service: str) -> set[str]:
        return {network["name"] for network in self.containers()[service]["networksAdvanced"]}


def _kind(registration: Registration) -> str:
    if registration.type.startswith("pulumi:providers:"):
        return "Provider"
    return registration.type.rsplit(":", maxsplit=1)[-1]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def stack_config(stack: str, overrides: dict[str, Any]) -> StackConfig:
    """Return a stack's committed configuration with its secrets and `overrides`."""
    committed = StackConfig.of_stack(stack)
    plain = {key.removeprefix("vitalstream:"): value for key, value in committed.values.items()}
    # Their certificate is for the hosts that they have now.
    certified = placeholders.certificates({**plain, **overrides}) if plain["tls"] == "true" else {}
    mine = {key: _text(value) for key, value in {**certified, **overrides}.items()}
    return StackConfig(
        {**committed.values, **{f"vitalstream:{key}": text for key, text in mine.items()}},
        tuple({*committed.secret_keys, *(f"vitalstream:{key}" for key in SECRETS)}),
    )


def trace(secret: str) -> str:
    """Return a part of a secret that is found however its line breaks are escaped."""
    lines = secret.strip().splitlines()
    return lines[len(lines) // 2]


@pytest.fixture(scope="session")
def canaries() -> dict[str, str]:
    return SECRETS


@pytest.fixture(scope="session")
def run_program() -> Callable[..., View]:
    """Runs a stack's program with some settings changed."""

    def run(stack: str = "dev", **overrides: Any) -> View:
        return View(stack, tuple(program.run(stack, stack_config(stack, overrides))))

    return run


@pytest.fixture(scope="session")
def views(run_program: Callable[..., View]) -> dict[str, View]:
    return {stack: run_program(stack) for stack in STACKS}


@pytest.fixture(scope="session", params=STACKS)
def view(request: pytest.FixtureRequest, views: dict[str, View]) -> View:
    return views[request.param]


@pytest.fixture(scope="session")
def dev(views: dict[str, View]) -> View:
    return views["dev"]


@pytest.fixture(scope="session")
def prod(views: dict[str, View]) -> View:
    return views["prod"]


@pytest.fixture(scope="session")
def changed(run_program: Callable[..., View]) -> View:
    """The prod stack with `CHANGED`."""
    return run_program("prod", **CHANGED)


@pytest.fixture(scope="session")
def everything_set(run_program: Callable[..., View]) -> View:
    """The dev stack with every secret and every receiver set."""
    receivers = {"mailSmarthost": "mail.test:587", "mailUsername": "monitoring"}
    grafana = {"database": {"address": "db.test:5432"}}
    thanos = {"bucket": "vitalstream-blocks", "endpoint": "s3.test:9000"}
    places = {"grafana": grafana, "thanos": thanos}
    return run_program("dev", **SECRETS, **SERVED, **receivers, **places, tls="true")


@pytest.fixture(scope="session")
def settings() -> Callable[..., Settings]:
    """Settings as the program reads them: required secrets set, the rest by default."""

    def parse(stack: str = "test", secret_keys: Iterable[str] = (), **overrides: Any) -> Settings:
        return _parse(overrides, {*SECRETS, "slackToken", "deliveryProxy", *secret_keys}, stack)

    return parse


@pytest.fixture(scope="session")
def refused() -> Callable[..., str]:
    """Return a function that gives the error message of settings with the required secrets."""

    def parse(
        values: Mapping[str, Any], secret_keys: Iterable[str] = SECRETS, stack: str = "test"
    ) -> str:
        with pytest.raises(SettingsError) as error:
            _parse(values, secret_keys, stack)
        return str(error.value)

    return parse


def _parse(
    values: Mapping[str, Any], secret_keys: Iterable[str] = SECRETS, stack: str = "test"
) -> Settings:
    required = {key: SECRETS[key] for key in ("grafanaAdminPassword", "postgresPassword")}
    texts = {key: _text(value) for key, value in {**required, **values}.items()}
    return loader.parse(stack, texts, secret_keys)


@pytest.fixture(scope="session")
def amtool() -> Callable[..., str]:
    """Runs amtool and returns what it says; a failure is the test's."""
    found = shutil.which("amtool")
    if found is None:
        message = "amtool is not on PATH: install Debian's prometheus-alertmanager package"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [found, *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return run
