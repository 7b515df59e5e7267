"""Comparison of two versions, each rendered by its own code under Pulumi's mocks."""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.review.diff import plan
from ops.review.diff.comparison import Comparison, DiffError
from ops.review.diff.report import Fault
from ops.review.diff.snapshot import Address, Resource, Setting, Snapshot, provider_of

RECORDER = Path(__file__).resolve().with_name("recorder.py")
RENDER_SECONDS = 120
_STACK_FILE = re.compile(r"Pulumi\.(?P<stack>[A-Za-z0-9][A-Za-z0-9_.-]*)\.yaml")
# What a rendering may know of this machine: no credentials, and nothing of a Pulumi that runs.
_ENVIRONMENT = ("HOME", "LANG", "LC_ALL", "PATH", "SYSTEMROOT", "TMPDIR", "VIRTUAL_ENV")
_FILES_NAMED = 5


@dataclass(frozen=True)
class _Rendering:
    snapshot: Snapshot
    error: str = ""
    note: str = ""


@dataclass(frozen=True)
class _Side:
    """Version of the program: `which` names it in the report, `root` has its files."""

    which: str
    root: Path
    fate: str

    @property
    def stacks(self) -> set[str]:
        paths = self.root.glob("Pulumi.*.yaml")
        return {found["stack"] for path in paths if (found := _STACK_FILE.fullmatch(path.name))}

    def render(self, stacks: Sequence[str], key: bytes) -> dict[str, _Rendering]:
        """Return the renderings by stack."""
        note = f"{self.which} has no such stack: {self.fate}."
        missing = {stack: _Rendering(Snapshot(), note=note) for stack in stacks}
        there = [stack for stack in stacks if stack in self.stacks]
        return missing | (_rendered(self.root, there, key) if there else {})


def compare(
    root: Path, ref: str, stacks: Sequence[str] = (), *, clean: bool = False
) -> list[Comparison]:
    """Compare the work tree at `root` with the commit `ref`, stack by stack.

    Raises DiffError. A version that does not render is a `Comparison` that says so.
    """
    commit = commit_of(root, ref)
    dirty = _dirty(root)
    if dirty and clean:
        named = ", ".join(dirty[:_FILES_NAMED]) + (", ..." if len(dirty) > _FILES_NAMED else "")
        raise DiffError(
            f"The work tree differs from its last commit: {named}. fix: commit or stash that, or "
            "leave --clean out to compare the work tree as it is"
        )
    which = "the work tree with uncommitted changes" if dirty else "the work tree"
    after = _Side(which, root, "all of it would go")
    with ExitStack() as cleanup:
        folder = Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="vitalstream-")))
        _extract(root, commit, folder)
        named = f"{ref} ({commit[:12]})" if ref != commit else commit[:12]
        before = _Side(named, folder, "all of it is new")
        known = before.stacks | after.stacks
        for stack in stacks:
            if stack not in known:
                there = ", ".join(sorted(known)) or "none"
                raise DiffError(f"There is no stack {stack}; there are: {there}.")
        # The fingerprints of one comparison are of no use to another.
        key = secrets.token_bytes(16)
        wanted = stacks or sorted(known)
        with ThreadPoolExecutor(max_workers=2) as pool:
            old, new = pool.map(lambda side: side.render(wanted, key), (before, after))
        return [_comparison(before, after, stack, old[stack], new[stack]) for stack in wanted]


def commit_of(root: Path, ref: str) -> str:
    """Raises DiffError."""
    found = _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
    if found.returncode != 0:
        inside = _git(root, "rev-parse", "--git-dir")
        if inside.returncode != 0:
            raise DiffError(f"{root} is not in a Git repository: there is no base commit.")
        raise DiffError(
            f"There is no commit {ref} here. `git fetch` it first; a shallow clone has the last "
            "commit only (in CI: fetch-depth: 0)."
        )
    return found.stdout.decode().strip()


def settings(
    root: Path, ref: str, stack: str
) -> tuple[Mapping[str, Setting] | None, Mapping[str, Setting] | None]:
    """Return a stack's settings in the commit `ref` and in the work tree; None without such a
    stack, or no reading it. Raises DiffError.
    """
    commit, key = commit_of(root, ref), secrets.token_bytes(16)
    with tempfile.TemporaryDirectory(prefix="vitalstream-") as folder:
        _extract(root, commit, Path(folder))
        sides = (Path(folder), root)
        with ThreadPoolExecutor(max_workers=2) as pool:
            before, after = pool.map(lambda side: _rendered(side, [stack], key)[stack], sides)
    return before.snapshot.settings, after.snapshot.settings


def _comparison(
    before: _Side, after: _Side, stack: str, old: _Rendering, new: _Rendering
) -> Comparison:
    broken = tuple(
        Fault(side.which, rendering.error)
        for side, rendering in ((before, old), (after, new))
        if rendering.error
    )
    return Comparison(
        stack=stack,
        origin=f"{before.which} to {after.which}, rendered without the engine",
        before=old.snapshot,
        after=new.snapshot,
        steps={} if broken else plan.steps(old.snapshot, new.snapshot),
        broken=broken,
        notes=tuple(one.note for one in (old, new) if one.note),
    )


def _rendered(root: Path, stacks: Sequence[str], key: bytes) -> dict[str, _Rendering]:
    try:
        done = subprocess.run(
            [sys.executable, "-P", str(RECORDER), str(root), *stacks],
            input=key,
            capture_output=True,
            cwd=root,
            env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            timeout=RENDER_SECONDS,
            check=False,
        )
        found = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        error = f"It did not come to an end in {RENDER_SECONDS} s."
        return dict.fromkeys(stacks, _Rendering(Snapshot(), error))
    except ValueError:
        words = done.stderr.decode(errors="replace").strip().replace(f"{root}/", "")
        error = words[-2000:] or f"It ended with status {done.returncode}."
        return dict.fromkeys(stacks, _Rendering(Snapshot(), error))
    return {stack: _Rendering(snapshot(one), one.get("error", "")) for stack, one in found.items()}


def snapshot(found: dict[str, Any]) -> Snapshot:
    """Convert a recorder's output."""
    resources = [_resource(one) for one in found.get("resources") or ()]
    settings = found.get("settings")
    return Snapshot(
        {resource.address: resource for resource in resources},
        None
        if settings is None
        else {key: Setting(one["value"], one["in_stack_file"]) for key, one in settings.items()},
    )


def _resource(found: dict[str, Any]) -> Resource:
    address = Address.parse(found["address"])
    return Resource(
        address=address,
        inputs=found["inputs"],
        custom=found["custom"],
        protect=found["protect"],
        replace_on_changes=tuple(found["replace_on_changes"]),
        ignore_changes=tuple(found["ignore_changes"]),
        deleted_with=found["deleted_with"],
        dependencies=frozenset(found["dependencies"]),
        provider=provider_of(address.type, found.get("provider", "")),
    )


def _dirty(root: Path) -> list[str]:
    """Return modified and new files, without those that Git ignores."""
    found = _git(root, "status", "--porcelain", "-z", "--untracked-files=normal", "--", ".")
    entries = found.stdout.decode(errors="replace").split("\0")
    # A renamed file has an entry more, of its old name alone.
    return [entry[3:] for entry in entries if entry[2:3] == " "]


def _extract(root: Path, commit: str, folder: Path) -> None:
    # Without the modules of the tests: a third of the files, none of which the program imports.
    modules = ":(exclude,glob)tests/**/*.py"
    found = _git(root, "archive", "--format=tar", commit, "--", ".", modules)
    if found.returncode != 0:
        raise DiffError(f"git archive: {found.stderr.decode(errors='replace').strip()}")
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")


def _git(root: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, check=False
        )
    except FileNotFoundError:
        raise DiffError("git is not on PATH, and a base is a commit.") from None
