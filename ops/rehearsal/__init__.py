"""The rehearsal: the stack on real containers where no Pulumi engine can be had.

`__main__.py` runs under Pulumi's mocks (`ops.program`), and what it registers is really created,
through the Docker SDK and Grafana's HTTP API. It only creates and removes: differences, updates in
place and state are the engine's. It pulls no image.
"""

from ops.rehearsal.errors import RehearsalError, StaleNetworkError
from ops.rehearsal.local import local_images
from ops.rehearsal.removal import down
from ops.rehearsal.run import Result, up

__all__ = ["RehearsalError", "Result", "StaleNetworkError", "down", "local_images", "up"]
