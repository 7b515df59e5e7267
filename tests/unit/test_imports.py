"""Modules that importing a package loads."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIST_MODULES = "import sys, components.settings.{}; print(*sys.modules)"
HEAVY = {"docker", "minio", "pulumi_docker", "pulumiverse_grafana"}


@pytest.mark.parametrize("module", ["settings", "loader", "warnings"])
def test_settings_import_loads_no_docker_and_no_minio(module: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIST_MODULES.format(module)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert HEAVY & set(done.stdout.split()) == set()
