"""What the tests share: a Docker Engine, where there is one."""

from __future__ import annotations

import os
from collections.abc import Iterator

import docker
import docker.errors
import pytest

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
