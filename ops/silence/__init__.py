"""Maintenance windows: silences of a running stack's Alertmanager."""

from ops.silence.command import app

__all__ = ["app"]
