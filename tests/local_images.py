"""The images of Debian's packages, made by one of the processes of `pytest -n`."""

from __future__ import annotations

from ops import rehearsal
from tests.turns import turn

# The others wait for the first, and find what it made.
local_images = turn("images")(rehearsal.local_images)
