"""Fixtures of the tests on running containers: images and the reporting of measured figures."""

from __future__ import annotations

import functools
from collections.abc import Callable

import docker
import pytest

from ops.offline.images import LocalImagesError
from tests.figures import DELAY, MEASURED, ReportFigure
from tests.live import stack as stacks


@pytest.fixture
def report_figure(record_property: Callable[[str, object], None]) -> ReportFigure:
    """Report a figure that a test measured."""
    return functools.partial(record_property, MEASURED)


@pytest.fixture
def report_delay(record_property: Callable[[str, object], None]) -> ReportFigure:
    """Report a row of the table of delays."""
    return functools.partial(record_property, DELAY)


@pytest.fixture(scope="session")
def images(docker_client: docker.DockerClient) -> dict[str, str]:
    try:
        return stacks.images(docker_client)
    except LocalImagesError as error:
        pytest.fail(
            f"no images to test with: {error}; LIVE_IMAGES=pinned pulls them", pytrace=False
        )
