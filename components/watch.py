"""What a stack watches: which rule files, exporters and dashboards that brings.

What is not watched has none of them: a rule that asks for it would page for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, get_args

from components import rule_files

if TYPE_CHECKING:
    from components.settings import Settings

Watchable = Literal["backend", "postgresql", "redis", "host"]
EVERYTHING: Final[tuple[Watchable, ...]] = get_args(Watchable)

# The monitoring itself is watched by every stack. The age of backups is known by way of the host.
_OF_RULES: Final[Mapping[str, Watchable]] = {
    "backend.yml": "backend",
    "slo.yml": "backend",
    "postgresql.yml": "postgresql",
    "redis.yml": "redis",
    "host.yml": "host",
    "backup.yml": "host",
}


def rules(shipped: Mapping[str, str], watched: Sequence[Watchable]) -> dict[str, str]:
    """Those of the rule files by name that ask for what is watched, or for nothing of the sort."""
    return {
        name: text
        for name, text in shipped.items()
        if name not in _OF_RULES or _OF_RULES[name] in watched
    }


def unwatched(watched: Sequence[Watchable]) -> list[Watchable]:
    return [what for what in EVERYTHING if what not in watched]


def warnings(settings: Settings) -> Iterator[str]:
    """Settings of what is not watched, which nothing reads."""
    if "backend" not in settings.watch:
        for key, value in (
            ("backendDns", settings.backend_dns),
            ("backendTargetFiles", settings.backend_target_files),
        ):
            if value:
                yield f"vitalstream:{key} is set, and the backend is not watched: nothing reads it."
    loaded = {
        alert
        for text in rules(rule_files.load(), settings.watch).values()
        for alert in rule_files.alert_names(text)
    }
    if left_out := [name for name in settings.alerts if name not in loaded]:
        yield (
            f"vitalstream:alerts: {', '.join(left_out)} would be of what is not watched "
            f"({', '.join(unwatched(settings.watch))}), and is not loaded."
        )
