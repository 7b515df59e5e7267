"""VitalStream's own side of its monitoring, under the name that its document uses.

The code is the package `vitalstream-metrics` in `metrics/`. Where that is not installed, as in a
checkout of this repository, it is imported from there.
"""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("vitalstream_metrics") is None:
    sys.path.append(str(Path(__file__).parents[1] / "metrics" / "src"))
