"""The images of Debian's packages, made by one of the processes of `pytest -n`."""

from __future__ import annotations

from ops.offline import local_deploy
from tests.turns import turn

# The others wait for the first, and find what it made.
local_images = turn("images")(local_deploy.local_images)
