"""What a user of backup and restore reads when one fails."""

from __future__ import annotations


class BackupError(Exception):
    """Nothing was kept, or nothing was brought back; the message says why and what to do."""
