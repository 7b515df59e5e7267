"""Keeps what a stack cannot make anew, and brings it back: docs/operations/backup.md.

Prometheus' samples, Grafana's database, and Alertmanager's silences and notification log, by way of
their volumes and the Docker API alone: no service is asked over HTTP.
"""

from ops.backup.backup import backup
from ops.backup.errors import BackupError
from ops.backup.progress import Teller
from ops.backup.restore import restore
from ops.backup.stack import engine

__all__ = ["BackupError", "Teller", "backup", "engine", "restore"]
