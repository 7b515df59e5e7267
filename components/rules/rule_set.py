"""The rules of a stack: read once, overridden once, and what all others ask about them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from components.promql import rule_metrics
from components.promql.rule_metrics import RuleMetrics
from components.rules import rule_file
from components.rules.rule_file import Edit, Rule, RuleFile

RULES_DIR = Path(__file__).resolve().parents[2] / "rules"


@dataclass(frozen=True)
class Alert:
    """An alert, with a stack's own values.

    `threshold` is the number at the end of its expression, in the expression's unit; None where the
    expression ends otherwise. `for_` is a Prometheus duration. A `disabled` one is in no file.
    """

    name: str
    file: str
    expr: str
    for_: str
    severity: str
    threshold: float | None
    fires_below: bool
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    disabled: bool = False


@dataclass(frozen=True)
class RuleSet:
    """Rule files by name, as Prometheus gets them, and the alerts of all files by name.

    `alerts` has those of files that are not among `files` too: a dashboard may show the threshold
    of an alert that another stack evaluates.
    """

    files: Mapping[str, str]
    alerts: Mapping[str, Alert]
    parsed: Mapping[str, RuleFile] = field(repr=False)

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> RuleSet:
        """Read rule files. Raises what `rule_file.parse` raises."""
        return _read(tuple(texts.items()))

    @classmethod
    def shipped(cls) -> RuleSet:
        """Read the files of `rules/` as they are."""
        return cls.of(shipped_files())

    @cached_property
    def metrics_read(self) -> RuleMetrics:
        """Return what the rules of `files` read and record; edits of a stack change neither."""
        found = RuleMetrics()
        for name in self.files:
            left = (
                rule.content
                for rule in self.parsed[name].rules
                if not (alert := self.alerts.get(rule.name("alert") or "")) or not alert.disabled
            )
            found |= rule_metrics.read(left, f"rules/{name}")
        return found

    def edited(self, edits: Mapping[str, Iterable[Edit]], alerts: Iterable[Alert]) -> RuleSet:
        """Return it with edits by file, and with `alerts` as those edits make them.

        Raises ValueError where a file's text is no longer the one that was parsed.
        """
        files = dict(self.files)
        for name, found in edits.items():
            if files[name] != self.parsed[name].text:
                raise ValueError(f"rules/{name} was rewritten before its alerts were edited")
            files[name] = rule_file.edited(files[name], found)
        changed = {**self.alerts, **{alert.name: alert for alert in alerts}}
        return replace(self, files=files, alerts=changed)

    def rewritten(self, name: str, change: Callable[[str], str]) -> RuleSet:
        """Return it with another text of one file, whose alerts and metrics stay the same."""
        return replace(self, files={**self.files, name: change(self.files[name])})

    def only(self, names: Collection[str]) -> RuleSet:
        """Return it with these files alone."""
        files = {name: text for name, text in self.files.items() if name in names}
        return replace(self, files=files)

    def __or__(self, other: RuleSet) -> RuleSet:
        return RuleSet(
            {**self.files, **other.files},
            {**self.alerts, **other.alerts},
            {**self.parsed, **other.parsed},
        )


def shipped_files() -> dict[str, str]:
    """Return the text of each file of `rules/` by its name."""
    return {path.name: path.read_text("utf-8") for path in sorted(RULES_DIR.glob("*.yml"))}


@cache
def _read(texts: tuple[tuple[str, str], ...]) -> RuleSet:
    parsed = {name: rule_file.parse(text) for name, text in texts}
    alerts = {
        alert: _alert(alert, name, rule)
        for name, file in parsed.items()
        for rule in file.rules
        if (alert := rule.name("alert"))
    }
    return RuleSet(dict(texts), alerts, parsed)


def _alert(name: str, file: str, rule: Rule) -> Alert:
    labels = _texts(rule.part("labels"))
    threshold = rule.threshold
    return Alert(
        name=name,
        file=file,
        expr=str(rule.content.get("expr", "")).strip(),
        for_=str(rule.content.get("for", "0s")),
        severity=labels.get("severity", ""),
        threshold=threshold and threshold.value,
        fires_below=bool(threshold and threshold.fires_below),
        labels=labels,
        annotations=_texts(rule.part("annotations")),
    )


def _texts(part: Mapping[str, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in part.items()}
