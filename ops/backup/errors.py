"""What a user of backup and restore reads when one fails."""

from __future__ import annotations

from ops.errors import OpsError


class BackupError(OpsError):
    """Nothing was kept, or nothing was brought back; the message says why and what to do."""
