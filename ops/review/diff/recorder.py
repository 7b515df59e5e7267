"""Writes what one version of the program registers, as JSON: run as a script, in that version.

    python -P recorder.py FOLDER STACK... < KEY

The JSON has a key for each stack: one process renders all, since the imports take longer than that.

Uses that version's own `ops.offline.program` (`ops.program` before the packages of 2026-11):
`StackConfig.of_stack`, `SECRETS`, `run`, `unwrap`, the fields of a `Registration`, and
`secret_places`, which older versions lack. Modules are imported where they are used, once the
folder is first on the path; nothing of this package is, since an older commit may lack it.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
import traceback
from functools import cached_property
from pathlib import Path
from typing import Any

SECRET = "$secret"
# Secret as a whole for one URL in it; its routes are to be read.
READABLE = ("alertmanager.yml",)
STACK = "pulumi:pulumi:Stack"


class Recorder:
    """Recorder of one stack; `key` is the key of the fingerprints of secrets."""

    def __init__(self, root: Path, stack: str, key: bytes) -> None:
        self.root = root
        self.stack = stack
        self.key = key
        self.parents: dict[tuple[str, str], tuple[str, ...]] = {}

    @cached_property
    def program(self) -> Any:
        """Return the version's own module that runs it under Pulumi's mocks."""
        try:
            return importlib.import_module("ops.offline.program")
        except ModuleNotFoundError as error:
            if error.name not in ("ops.offline", "ops.offline.program"):
                raise
            return importlib.import_module("ops.program")

    def record(self) -> dict[str, Any]:
        """Return `settings` and `resources`, or `settings` and `error`."""
        found: dict[str, Any] = {"settings": None}
        try:
            found["settings"] = self.settings()
            found["resources"] = self.resources()
        except Exception as error:
            found["error"] = self._words(error)
        return found

    def settings(self) -> dict[str, Any]:
        import yaml

        path = self.root / f"Pulumi.{self.stack}.yaml"
        committed = (yaml.safe_load(path.read_text("utf-8")) or {}).get("config") or {}
        project = yaml.safe_load((self.root / "Pulumi.yaml").read_text("utf-8"))
        prefix = f"{project['name']}:"
        declared = project.get("config") or {}
        values = {key: (about.get("default"), False) for key, about in declared.items()}
        for key, value in committed.items():
            values[key.removeprefix(prefix)] = (value, True)
        secret = tuple(self.program.SECRETS)
        return {
            key: {
                "value": self._readable(key, value)
                if key in declared and key not in secret
                else self._hidden(value),
                "in_stack_file": ours,
            }
            for key, (value, ours) in values.items()
        }

    def _readable(self, key: str, value: Any) -> Any:
        """Mask the secret parts: encrypted ones, and secrets in clear text."""
        places = getattr(self.program, "secret_places", None)
        return self._without(value, set(places(key, value)) if places else set(), ())

    def _without(self, value: Any, hidden: set[tuple[str, ...]], path: tuple[str, ...]) -> Any:
        if path in hidden or (isinstance(value, dict) and set(value) == {"secure"}):
            return self._hidden(value)
        if isinstance(value, dict):
            return {key: self._without(part, hidden, (*path, key)) for key, part in value.items()}
        if isinstance(value, list):
            return [
                self._without(part, hidden, (*path, str(index))) for index, part in enumerate(value)
            ]
        return value

    def _hidden(self, value: Any) -> Any:
        """Mask a value that may be a secret: other namespace, clear text, unknown key."""
        return value if value in ("", None) else self._sealed(value)

    def resources(self) -> list[dict[str, Any]]:
        config = self.program.StackConfig.of_stack(self.stack)
        # A placeholder that changes with what is encrypted: what reads it then changes as well.
        committed = self.settings()
        values = {
            key: _marked(value, self._in_stack_file(committed, key))
            for key, value in config.values.items()
        }
        return self.registered(type(config)(values, config.secret_keys))

    def registered(self, config: Any) -> list[dict[str, Any]]:
        """Return the resources that the program registers."""
        registrations = self.program.run(self.stack, config, self._create)
        for found in registrations:
            self.parents[found.type, found.name] = _last_of(found.parent)
        return [
            {
                "address": self._address(found.type, found.name),
                "inputs": {
                    key: self._plain(value, config)
                    for key, value in found.inputs.items()
                    if key != "__provider"
                },
                "custom": found.custom,
                "protect": found.protect,
                "replace_on_changes": list(found.replace_on_changes),
                "ignore_changes": list(found.ignore_changes),
                "deleted_with": self._of_urn(found.deleted_with),
                "dependencies": sorted({self._of_urn(urn) for urn in found.dependencies}),
                "provider": found.provider,
            }
            for found in registrations
        ]

    @staticmethod
    def _in_stack_file(settings: dict[str, Any], key: str) -> Any:
        found = settings.get(key.partition(":")[2], {})
        return found.get("value") if found.get("in_stack_file") else None

    @staticmethod
    def _create(registration: Any) -> tuple[str, dict[str, Any]]:
        """Use the image's name as its id, so that a container changes with it."""
        outputs = dict(registration.inputs)
        if registration.type.endswith(":RemoteImage"):
            outputs["imageId"] = outputs.get("name")
        return f"{registration.name}-id", outputs

    def _address(self, kind: str, name: str) -> str:
        types, at = [kind], (kind, name)
        while (above := self.parents.get(at)) and above != (STACK,) and above[0] != STACK:
            at = (above[0], above[1])
            types.insert(0, at[0])
        return f"{'$'.join(types)}::{name}"

    def _of_urn(self, urn: str) -> str:
        found = _last_of(urn)
        return self._address(*found) if found else ""

    def _plain(self, value: Any, config: Any) -> Any:
        from pulumi.runtime import rpc

        if rpc.is_rpc_secret(value):
            return self._sealed(self.program.unwrap(value), config)
        if isinstance(value, dict):
            return {key: self._plain(item, config) for key, item in value.items()}
        if isinstance(value, list):
            return [self._plain(item, config) for item in value]
        if isinstance(value, str):
            return value.replace(str(self.root), ".")
        return self.program.unwrap(value)

    def _sealed(self, value: Any, config: Any = None, name: str = "") -> Any:
        """Replace secrets by fingerprints; names of secret files stay."""
        if isinstance(value, dict) and config:
            return {key: self._sealed(item, config, key) for key, item in value.items()}
        if config and name in READABLE and isinstance(value, str):
            for key in config.secret_keys:
                if secret := config.values.get(key):
                    value = value.replace(secret, f"[secret {self._fingerprint(secret)}]")
            return value
        return {SECRET: self._fingerprint(value)}

    def _fingerprint(self, value: Any) -> str:
        text = json.dumps(value, sort_keys=True)
        return hashlib.blake2b(text.encode(), key=self.key, digest_size=8).hexdigest()

    def _words(self, error: Exception) -> str:
        if type(error).__name__ == "ProgramError":
            words = str(error)
        else:
            words = "".join(traceback.format_exception_only(error)).strip()
        return words.replace(f"{self.root}/", "")


def _marked(placeholder: str, committed: Any) -> str:
    """Add the fingerprint of the encrypted value to a placeholder."""
    if isinstance(committed, dict) and set(committed) == {SECRET}:
        # Not one of several lines: a private key with anything behind it is none.
        marked = bool(placeholder) and "\n" not in placeholder
        return f"{placeholder}-{committed[SECRET]}" if marked else placeholder
    if isinstance(committed, dict | list) and _has_secret(committed):
        return json.dumps(_marked_parts(json.loads(placeholder), committed))
    return placeholder


def _marked_parts(value: Any, committed: Any) -> Any:
    if isinstance(value, str):
        return _marked(value, committed)
    if isinstance(value, dict) and isinstance(committed, dict):
        return {key: _marked_parts(part, committed.get(key)) for key, part in value.items()}
    if isinstance(value, list) and isinstance(committed, list):
        return [_marked_parts(*parts) for parts in zip(value, committed, strict=True)]
    return value


def _has_secret(value: Any) -> bool:
    if isinstance(value, dict):
        return set(value) == {SECRET} or any(map(_has_secret, value.values()))
    return isinstance(value, list) and any(map(_has_secret, value))


def _last_of(urn: str) -> tuple[str, ...]:
    """Type and name of `urn:pulumi:stack::project::parentType$type::name`, of a provider's too."""
    if not urn:
        return ()
    types, name = urn.split("::")[2:4]
    return types.rpartition("$")[2], name


def main() -> None:
    root, stacks = Path(sys.argv[1]).resolve(), sys.argv[2:]
    key = sys.stdin.buffer.read()
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What the program prints is not what is asked for here.
    os.dup2(2, 1)
    os.chdir(root)
    sys.path.insert(0, str(root))
    with out:
        json.dump({stack: Recorder(root, stack, key).record() for stack in stacks}, out)


if __name__ == "__main__":
    main()
