"""The kinds of monitored services, one module each: adding a module adds a kind."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Collection
from typing import Final

from components.catalog.integration import Integration


def _find() -> tuple[Integration, ...]:
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__, f"{__name__}."))
    return tuple(importlib.import_module(name).INTEGRATION for name in modules)


INTEGRATIONS: Final = _find()
"""All kinds, in the order of their names."""


def with_defaults(monitored: Collection[str]) -> tuple[Integration, ...]:
    """Return those that are monitored and those that are by default.

    Alertmanager is configured for these, so that its configuration is the same in every stack that
    names no further kind.
    """
    return tuple(found for found in INTEGRATIONS if found.default or found.kind in monitored)
