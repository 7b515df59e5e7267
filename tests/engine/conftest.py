"""A copy of the program that the tests may edit, run by the real Pulumi engine."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from pulumi import automation

from components.catalog.images import IMAGES
from tests.engine.program import ROOT, SECRETS, EngineStack
from tests.live.stack import alone
from tests.local_images import local_images
from tests.pools import free_pool
from tests.ports import free_ports

PROGRAM = ("__main__.py", "Pulumi.yaml", ".dockerignore")
FOLDERS = (
    "app",
    "components",
    "demo",
    "metrics",
    "policy",
    "rules",
    "templates",
    "tests/live/dashboards",
)


def unavailable(reason: str) -> None:
    if os.environ.get("REQUIRE_ENGINE") == "1":
        pytest.fail(f"REQUIRE_ENGINE=1, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def cli() -> None:
    if not shutil.which("pulumi"):
        unavailable("no Pulumi CLI is on PATH")


def chosen_images(client: docker.DockerClient, *, demo: bool = True) -> dict[str, str]:
    """Made of Debian's packages; with LIVE_IMAGES=pinned the program's own, which `up` pulls."""
    if os.environ.get("LIVE_IMAGES") == "pinned":
        return {service: image.reference for service, image in IMAGES.items()}
    return local_images(client, print, demo=demo)


@pytest.fixture(scope="session")
def images(docker_client: docker.DockerClient, cli: None) -> dict[str, str]:
    found = chosen_images(docker_client)
    if "grafana" not in found:
        unavailable("no image of Grafana is available")
    return found


@pytest.fixture(scope="module")
def engine(
    docker_client: docker.DockerClient,
    images: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[EngineStack]:
    """The stack of a test module, named and configured by its `STACK`, `CONFIG` and
    `MORE_SECRETS`, not yet up.
    """
    folder = copy_program(tmp_path_factory.mktemp("program"))
    name: str = request.module.STACK
    committed = yaml.safe_load((ROOT / f"Pulumi.{request.module.LIKE}.yaml").read_text())["config"]
    values: dict[str, Any] = {
        **{key.removeprefix("vitalstream:"): value for key, value in committed.items()},
        "images": images,
        "ports": free_ports(),
        "networkPool": free_pool(),
        **request.module.CONFIG,
    }
    stack = EngineStack(make_stack(folder, name), folder, docker_client, values)
    for key, value in {**SECRETS, **getattr(request.module, "MORE_SECRETS", {})}.items():
        stack.set_secret(key, value)
    # The preflight does not report the networks that a killed run left: they are the stack's own.
    with alone(name, docker_client):
        yield stack


def copy_program(folder: Path) -> Path:
    """Copy the program and its policy pack, to be run by this Python."""
    for file in PROGRAM:
        shutil.copy(ROOT / file, folder / file)
    for part in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, folder / part, ignore=ignored)
    # The demo's image is named by its sources: another name than that of a deploy without the
    # engine, which may build it at the same time.
    with (folder / "demo" / "__init__.py").open("a") as demo:
        demo.write("# Of the engine's tests.\n")
    use_this_python(folder)
    return folder


def remove_program(folder: Path) -> None:
    """Remove what `copy_program` copied; the stack's state and settings stay."""
    for file in PROGRAM:
        (folder / file).unlink()
    for part in FOLDERS:
        # An older release has fewer folders.
        shutil.rmtree(folder / part, ignore_errors=True)


def update_program(folder: Path) -> None:
    """Put this version in place of the one in the folder."""
    remove_program(folder)
    copy_program(folder)


def use_this_python(folder: Path) -> None:
    """Let the program and its policy pack run in this process' environment."""
    for path in (folder / "Pulumi.yaml", folder / "policy" / "PulumiPolicy.yaml"):
        project = yaml.safe_load(path.read_text())
        project["runtime"]["options"]["virtualenv"] = sys.prefix
        path.write_text(yaml.safe_dump(project))


def make_stack(folder: Path, name: str) -> automation.Stack:
    state = folder / ".state"
    state.mkdir()
    return automation.create_stack(
        stack_name=name,
        work_dir=str(folder),
        opts=automation.LocalWorkspaceOptions(
            env_vars={
                "PULUMI_BACKEND_URL": f"file://{state}",
                "PULUMI_CONFIG_PASSPHRASE": "for-these-tests-only",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
            }
        ),
    )
