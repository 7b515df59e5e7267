"""Fixtures of all tests: the Docker Engine, and locks between processes of `pytest -n`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import docker
import docker.errors
import pytest
from xdist.scheduler import LoadScopeScheduling

from tests import figures, ran_on

# Each in one process: the modules of the one share two stacks, and two Pulumi engines at once are
# more than a small machine's processors.
TOGETHER = ("tests/live/demo/", "tests/engine/")
# What waits most comes first: what computes fills the gaps.
ORDER = (*TOGETHER, "tests/live/")

# Files to be added to a copy of the project, where their tests run: tests/added_service.py.
collect_ignore = ["live/mysql"]

LOCAL_ENGINE = "unix:///var/run/docker.sock"


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.DockerClient]:
    """The Docker Engine of this machine. Where none answers, the test is skipped; with
    REQUIRE_DOCKER=1 it fails.
    """
    try:
        client = docker.DockerClient(base_url=LOCAL_ENGINE)
        client.ping()
    except (docker.errors.DockerException, OSError) as error:
        reason = f"no Docker Engine answers at {LOCAL_ENGINE}: {error}"
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail(f"REQUIRE_DOCKER=1, but {reason}", pytrace=False)
        pytest.skip(reason)
    yield client
    client.close()


class ByModule(LoadScopeScheduling):
    """Group the tests of a module in one process, for its fixtures."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return next((folder for folder in TOGETHER if module.startswith(folder)), module)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByModule:
    config.option.loadscopereorder = False
    return ByModule(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: [not item.nodeid.startswith(folder) for folder in ORDER])


def pytest_report_header(config: pytest.Config) -> list[str]:
    return [] if config.option.collectonly else ran_on.lines()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    figures.show(terminalreporter)
    terminalreporter.section("ran on")
    for line in ran_on.lines():
        terminalreporter.write_line(line)
