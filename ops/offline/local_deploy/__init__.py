"""Local deploy: the stack on real containers without the Pulumi engine.

`__main__.py` runs under Pulumi's mocks (`ops.offline.program`), and what it registers is really
created, through the Docker SDK and Grafana's HTTP API. It only creates and removes: differences,
updates in place and state are the engine's. It pulls no image.
"""

from ops.offline.local_deploy.errors import LocalDeployError, StaleNetworkError
from ops.offline.local_deploy.local import local_images
from ops.offline.local_deploy.removal import down
from ops.offline.local_deploy.run import Result, up

__all__ = ["LocalDeployError", "Result", "StaleNetworkError", "down", "local_images", "up"]
