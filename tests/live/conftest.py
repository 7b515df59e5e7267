"""What the tests on running containers share: the images, and what they measured."""

from __future__ import annotations

import functools
from collections.abc import Callable

import docker
import pytest

from ops.local_images import LocalImagesError
from tests.live import stack as stacks
from tests.live.delivery import AIM_SECONDS, HEADER
from tests.live.figures import DELAY, MEASURED, Tell


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured, also where every test passed."""
    if lines := _properties(terminalreporter, MEASURED):
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.write_line(line)
    if lines := _properties(terminalreporter, DELAY):
        terminalreporter.section("from fault to message, in seconds")
        terminalreporter.write_line(
            "floor: scrape interval + for + evaluation interval + group_wait; the aim is at most "
            f"{AIM_SECONDS} above it. over: from the mending to the message of it"
        )
        for line in (HEADER, *lines):
            terminalreporter.write_line(line)


def _properties(terminalreporter: pytest.TerminalReporter, name: str) -> list[str]:
    """Of all tests, in a process of its own each or not."""
    return [
        str(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
        for key, value in report.user_properties
        if key == name
    ]


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Says a figure that a test measured."""
    return functools.partial(record_property, MEASURED)


@pytest.fixture
def tell_delay(record_property: Callable[[str, object], None]) -> Tell:
    """Says a line of the table of delays."""
    return functools.partial(record_property, DELAY)


@pytest.fixture(scope="session")
def images(docker_client: docker.DockerClient) -> dict[str, str]:
    try:
        return stacks.images(docker_client)
    except LocalImagesError as error:
        pytest.fail(
            f"no images to test with: {error}; LIVE_IMAGES=pinned pulls them", pytrace=False
        )
