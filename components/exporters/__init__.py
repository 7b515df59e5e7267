"""One exporter a file: each module here with an `EXPORTER` is part of the stack.

A new exporter is such a file and its image's line in `components/images.py`; its scrape job,
port, limits and settings follow from them.
"""

from __future__ import annotations

import importlib
import pkgutil

from components.exporters.exporter import Exporter

EXPORTERS: tuple[Exporter, ...] = tuple(
    module.EXPORTER
    for name in sorted(info.name for info in pkgutil.iter_modules(__path__))
    if hasattr(module := importlib.import_module(f"{__name__}.{name}"), "EXPORTER")
)

__all__ = ["EXPORTERS", "Exporter"]
