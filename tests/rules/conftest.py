"""What judges the rules."""

from __future__ import annotations

import os
import shutil

import pytest


@pytest.fixture(scope="session")
def promtool() -> str:
    """Where it is. On CI its absence is a failure, elsewhere a reason to skip."""
    found = shutil.which("promtool")
    if found is None:
        message = "promtool is not on PATH: install Debian's prometheus package"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return found
