"""Maintenance windows: silences of a running stack's Alertmanager."""
