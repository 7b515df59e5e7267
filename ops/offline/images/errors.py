"""User-facing error of the local images."""

from __future__ import annotations

from ops.errors import OpsError


class LocalImagesError(OpsError):
    """Reason why the images cannot be made, in one line."""
