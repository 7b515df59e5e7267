"""The backend's metrics: all of `vitalstream_metrics`, under the name that VitalStream imports."""

from vitalstream_metrics import *  # noqa: F403
