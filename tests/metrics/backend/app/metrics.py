"""Keeps `from app.metrics import ...` as VitalStream's document has it."""

from vitalstream_metrics import *  # noqa: F403
