"""Runs the Pulumi program without the Pulumi engine, under Pulumi's own mocks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import runpy
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

import pulumi
from pulumi.runtime import mocks, rpc, set_all_config

from components.common import yaml_text
from components.settings import loader, schema
from components.settings.settings import Settings
from ops.errors import OpsError
from ops.offline import placeholders
from ops.root import ROOT

PROJECT = "vitalstream"
SECRET_MASK = "[secret]"
# Taken as set where a stack file does not have them: a secret may come from elsewhere, and what
# the program makes with it is what is of interest.
ASSUMED_SECRETS = ("grafanaAdminPassword", "postgresPassword", "slackWebhookUrl", "webPassword")
SECRETS = (
    *ASSUMED_SECRETS,
    *("redisPassword", "grafanaDatabasePassword", "mailPassword", "heartbeatUrl", "tlsKey"),
    *("thanosAccessKey", "thanosSecretKey", "slackToken", "deliveryProxy"),
)
# Settings beside which one of these is not assumed: there is one way to Slack.
_INSTEAD = {"slackWebhookUrl": ("slackToken", "slackWebhookUrls")}
_PREFIX = f"{PROJECT}:"
_ENCRYPTED_WHOLE = (
    "vitalstream:{key} in Pulumi.{stack}.yaml is encrypted as a whole, so nothing of it can be "
    "read here. Set it without --secret, and then encrypt the secret parts alone, as in "
    "`pulumi config set --secret --path 'remoteWrite[0].password' --stack {stack}`."
)


class ProgramError(OpsError):
    """Raised when the program fails; the message says why."""


@dataclass(frozen=True)
class Registration:
    """Resource as the program registers it. `inputs` are as sent: camelCase, secrets wrapped."""

    type: str
    name: str
    inputs: dict[str, Any]
    custom: bool
    parent: str
    dependencies: tuple[str, ...]
    protect: bool
    ignore_changes: tuple[str, ...]
    replace_on_changes: tuple[str, ...]
    deleted_with: str
    provider: str


class Creator(Protocol):
    """Give each resource an id and outputs, in place of the engine and the providers."""

    def __call__(self, registration: Registration) -> tuple[str, dict[str, Any]]: ...


def committed_values(stack: str, root: Path = ROOT) -> dict[str, Any]:
    """Return the values of `Pulumi.STACK.yaml`, plus the defaults of `Pulumi.yaml`, by config key.

    Raises ProgramError.
    """
    path = root / f"Pulumi.{stack}.yaml"
    if not path.is_file():
        known = sorted(found.name for found in root.glob("Pulumi.*.yaml"))
        raise ProgramError(
            f"There is no stack file {path.name}; there are: {', '.join(known) or 'none'}."
        )
    declared = yaml_text.load((root / "Pulumi.yaml").read_text())["config"]
    settings = (yaml_text.load(path.read_text()) or {}).get("config") or {}
    return {
        **{key: declaration["default"] for key, declaration in declared.items()},
        **{key.removeprefix(f"{PROJECT}:"): value for key, value in settings.items()},
    }


def nothing_is_created(registration: Registration) -> tuple[str, dict[str, Any]]:
    return f"{registration.name}-id", registration.inputs


@dataclass(frozen=True)
class StackConfig:
    """Config values as Pulumi hands them to a program, and which of them are secret."""

    values: dict[str, str]
    secret_keys: tuple[str, ...]

    @classmethod
    def of_stack(cls, stack: str, root: Path = ROOT) -> StackConfig:
        """Return a stack's committed configuration, with placeholders for its secrets and
        certificate. Raises ProgramError.
        """
        values = committed_values(stack, root)
        encrypted = {key for key, value in values.items() if placeholders.is_encrypted(value)}
        for key in sorted(encrypted):
            if schema.is_structure(key):
                raise ProgramError(_ENCRYPTED_WHOLE.format(key=key, stack=stack))
        in_part = {
            key for key in values.keys() - encrypted if placeholders.has_encrypted(values[key])
        }
        values |= {key: placeholders.filled(values[key], key) for key in in_part}
        secrets = {key for key in SECRETS if values.get(key)} | encrypted | in_part
        assumed = {key for key in ASSUMED_SECRETS if key not in _INSTEAD or not _other(key, values)}
        secrets |= assumed
        values |= {
            key: placeholders.secret(key) for key in secrets if key in assumed or key in encrypted
        }
        if values.get("tls"):
            values |= placeholders.certificates(values)
            secrets.add("tlsKey")
        return cls.of_values(values, secrets)

    def settings(self, stack: str) -> Settings:
        """Load and check the settings. Raises SettingsError."""
        secrets = {key.removeprefix(_PREFIX) for key in self.secret_keys}
        return loader.parse(stack, self._own, secrets)

    @property
    def secrets(self) -> dict[str, str]:
        """Return the values that are secret by the config or by the settings, by their Pulumi path.

        A setting with secret parts is included as a whole too, as text.
        """
        keys = (key.removeprefix(_PREFIX) for key in self.secret_keys)
        by_config = {key: self._own[key] for key in keys if self._own.get(key)}
        return by_config | loader.secret_values(self._own)

    @property
    def _own(self) -> dict[str, str]:
        return {key.removeprefix(_PREFIX): value for key, value in self.values.items()}

    def without_secrets(self, text: str) -> str:
        """Return the text with a placeholder for each secret of this configuration."""
        for path, secret in self.secrets.items():
            text = text.replace(secret, placeholders.secret(path))
        return text

    @classmethod
    def of_values(cls, values: Mapping[str, Any], secrets: set[str]) -> StackConfig:
        return cls(
            {f"{PROJECT}:{key}": _as_text(value) for key, value in values.items()},
            tuple(f"{PROJECT}:{key}" for key in sorted(secrets)),
        )


def run(
    stack: str, config: StackConfig, create: Creator = nothing_is_created
) -> list[Registration]:
    """Runs `__main__.py` to its end and returns what it registered, in the order of registration.

    Raises ProgramError with the program's own words, or with the creator's.
    """
    recorder = _Recorder(create)
    # Pulumi takes the thread's event loop, and an `asyncio.run` before this has left none.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    set_all_config(dict(config.values), list(config.secret_keys))
    mocks.set_mocks(recorder, PROJECT, stack, False, monitor=_Monitor(recorder))
    sys.path.insert(0, str(ROOT))
    # The program gives it up, for the sake of the engine's output.
    interrupt = signal.getsignal(signal.SIGINT)

    @pulumi.runtime.test  # type: ignore[untyped-decorator]
    def program() -> None:
        runpy.run_path(str(ROOT / "__main__.py"))

    try:
        program()
    except Exception as error:
        raise ProgramError(str(error)) from error
    finally:
        sys.path.remove(str(ROOT))
        signal.signal(signal.SIGINT, interrupt)
        asyncio.set_event_loop(None)
        loop.close()
    return recorder.registrations


def unwrap(value: Any) -> Any:
    """Plain values, secrets included."""
    return _walk(value, lambda secret: unwrap(rpc.unwrap_rpc_secret(secret)))


def mask(value: Any) -> Any:
    """Plain values, with `[secret]` for each secret."""
    return _walk(value, lambda _secret: SECRET_MASK)


def _walk(value: Any, on_secret: Any) -> Any:
    if rpc.is_rpc_secret(value):
        return on_secret(value)
    if isinstance(value, dict):
        return {key: _walk(item, on_secret) for key, item in value.items()}
    if isinstance(value, list):
        return [_walk(item, on_secret) for item in value]
    # Numbers travel as doubles.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def secret_places(key: str, value: Any) -> dict[tuple[str, ...], str]:
    """Return the secrets in clear text in a setting's value, by their paths below it."""
    return schema.secret_places(key, value)


def _other(key: str, values: Mapping[str, Any]) -> bool:
    """Return whether another setting that replaces this one is set."""
    return any(values.get(other) for other in _INSTEAD[key])


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class _Recorder(mocks.Mocks):
    """Hands each registration on to the creator. The program calls no functions of providers."""

    def __init__(self, create: Creator) -> None:
        self.registrations: list[Registration] = []
        self.request = threading.local()
        self._create = create

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        request = self.request.now
        registration = Registration(
            type=args.typ,
            name=args.name,
            inputs=args.inputs,
            custom=bool(args.custom),
            parent=request.parent,
            dependencies=tuple(request.dependencies),
            protect=request.protect,
            ignore_changes=tuple(request.ignoreChanges),
            replace_on_changes=tuple(request.replaceOnChanges),
            deleted_with=request.deletedWith,
            provider=request.provider,
        )
        self.registrations.append(registration)
        return self._create(registration)

    def call(self, args: mocks.MockCallArgs) -> NoReturn:
        raise ProgramError(f"{args.token} needs the real engine")


class _Monitor(mocks.MockMonitor):
    """Pulumi's mock monitor drops parents, dependencies and options: kept for the recorder.

    Each registration is handled on a thread of its own.
    """

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__(recorder)
        self._recorder = recorder

    def RegisterResource(self, request: Any) -> Any:
        self._recorder.request.now = request
        try:
            return super().RegisterResource(request)  # type: ignore[no-untyped-call]
        finally:
            _close_event_loop()


def _close_event_loop() -> None:
    """Close the event loop that the mock monitor opens in each thread: it would warn at exit."""
    with contextlib.suppress(RuntimeError):
        loop = asyncio.get_event_loop()
        if not loop.is_running():
            loop.close()
            asyncio.set_event_loop(None)
