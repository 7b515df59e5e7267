"""Modules that importing a package loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROVIDERS = {"pulumi_docker", "pulumiverse_grafana"}
# 0.2 s of every `up`: only what talks to an engine or a bucket imports them.
CLIENTS = {"docker", "minio", "requests", "urllib3"}


def modules_after(code: str) -> set[str]:
    command = [sys.executable, "-c", f"import sys\n{code}\nprint(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["settings", "loader", "warnings"])
def test_settings_import_loads_no_docker_and_no_minio(module: str) -> None:
    assert (CLIENTS | PROVIDERS) & modules_after(f"import components.settings.{module}") == set()


def test_stack_import_loads_no_client_of_an_engine() -> None:
    assert CLIENTS & modules_after("import components.stack") == set()


def test_config_files_unchanged_loads_no_client_of_an_engine() -> None:
    code = (
        "from components.docker.config_files_provider import ConfigFilesProvider as P\n"
        "props = {'checker': ['promtool'], 'files': {}}\n"
        "assert P().check(props, props).failures == []\n"
        "assert not P().diff('', props, props).changes"
    )
    assert CLIENTS & modules_after(code) == set()


def test_dynamic_providers_in_use_load_no_settings_and_no_provider_sdk() -> None:
    """The engine starts a process for them in every `up`; the settings alone take 0.3 s there."""
    loaded = modules_after(
        "import components.preflight.provider, components.preflight.checks\n"
        "import components.docker.config_files_provider, components.docker.config_files_apply"
    )
    assert {"pydantic", "components.settings", "minio", *PROVIDERS} & loaded == set()
