"""Backup and restore of the data that a stack cannot recreate: docs/operations/backup.md.

Prometheus' samples, Grafana's database, and Alertmanager's silences and notification log are read
from their volumes through the Docker API; no service is called over HTTP.
"""

from ops.backup.backup import backup
from ops.backup.errors import BackupError
from ops.backup.progress import Progress
from ops.backup.restore import restore
from ops.backup.stack import engine

__all__ = ["BackupError", "Progress", "backup", "engine", "restore"]
