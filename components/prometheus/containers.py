"""Labels of the job `container`: a container's short id, as `docker ps` prints it."""

from __future__ import annotations

from typing import Any, Final

LABEL: Final = "container"
_CONTAINER: Final = r"/(?:docker/|system\.slice/docker-)([0-9a-f]{12})[0-9a-f]{52}(?:\.scope)?"


def relabelling() -> list[dict[str, Any]]:
    """Return the rules: groups that are no container, or are inside one, are dropped."""
    return [
        {"source_labels": ["id"], "regex": _CONTAINER, "target_label": LABEL},
        {"source_labels": ["id", LABEL], "regex": ".+;", "action": "drop"},
        {"regex": "id", "action": "labeldrop"},
    ]
