"""Rules of relabelling as Prometheus has them, checked for what only its log would say.

Format: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#relabel_config.
Keys are taken as Prometheus writes them (`source_labels`) and as this project does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from components.common.model import Frozen
from components.common.problems import Problem
from components.promql.metrics import UnknownMetricsError, check_pattern

Action = Literal[
    "replace", "keep", "drop", "hashmod", "labelmap", "labeldrop", "labelkeep",
    "lowercase", "uppercase", "keepequal", "dropequal",
]  # fmt: skip
ACTIONS = get_args(Action)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_WITH_TARGET = ("replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal")
# What each of these actions takes besides itself; the others take anything.
_TAKES = {
    "labeldrop": {"regex"},
    "labelkeep": {"regex"},
    "keepequal": {"source_labels", "target_label"},
    "dropequal": {"source_labels", "target_label"},
    "lowercase": {"source_labels", "separator", "regex", "target_label"},
    "uppercase": {"source_labels", "separator", "regex", "target_label"},
}
_NAMES = {
    "source_labels": "sourceLabels",
    "target_label": "targetLabel",
}


def _action(text: Any) -> Any:
    if text not in ACTIONS:
        raise ValueError(f"is not an action of relabelling; there are: {', '.join(ACTIONS)}")
    return text


def _label(text: str) -> str:
    if not _LABEL.fullmatch(text):
        raise ValueError("is not the name of a label: letters, digits and `_`")
    return text


def pattern(text: str) -> str:
    """Check a regular expression as Prometheus would. Raises ValueError."""
    try:
        check_pattern(text)
    except UnknownMetricsError:
        raise ValueError("is not a regular expression that Prometheus takes (RE2)") from None
    return text


Label = Annotated[str, AfterValidator(_label)]
Pattern = Annotated[str, AfterValidator(pattern)]


class RelabelRule(Frozen):
    """Relabelling rule; fields that are not set have Prometheus' defaults."""

    action: Annotated[Action, BeforeValidator(_action)] = "replace"
    source_labels: tuple[Label, ...] | None = None
    separator: str | None = None
    regex: Pattern | None = None
    modulus: int | None = Field(default=None, ge=1)
    target_label: str | None = None
    replacement: str | None = None

    def problems(self, path: tuple[str, ...]) -> Iterator[Problem]:
        """Find invalid combinations of fields that are valid on their own."""
        given = self.model_dump(exclude_none=True, exclude={"action"})
        if self.action in _WITH_TARGET and not self.target_label:
            yield Problem((*path, "targetLabel"), f"is missing: {self.action} writes into one")
        if self.action == "hashmod" and self.modulus is None:
            yield Problem((*path, "modulus"), "is missing: hashmod divides by it")
        for key in sorted(given.keys() - _TAKES.get(self.action, given.keys())):
            yield Problem((*path, _NAMES.get(key, key)), f"is nothing that {self.action} reads")
        if (
            self.target_label
            and self.action != "replace"
            and not _LABEL.fullmatch(self.target_label)
        ):
            yield Problem((*path, "targetLabel"), "is not the name of a label")

    def rendered(self) -> dict[str, Any]:
        """Return the rule in the form of `prometheus.yml`."""
        found = self.model_dump(exclude_none=True)
        return found | (
            {"source_labels": list(self.source_labels)} if self.source_labels is not None else {}
        )
