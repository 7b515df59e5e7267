"""YAML by the parser in C where there is one: the tests read the rules often."""

from __future__ import annotations

from typing import Any

import yaml

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def load(text: str) -> Any:
    return yaml.load(text, Loader=_LOADER)


def dump(content: Any) -> str:
    return str(yaml.dump(content, Dumper=_DUMPER, sort_keys=False))
