"""User-facing error of backup and restore."""

from __future__ import annotations

from ops.errors import OpsError


class BackupError(OpsError):
    """Backup or restore failed and changed nothing; the message says why and how to fix it."""
