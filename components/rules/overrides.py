"""A stack's own values for the alerts of `rules/`: threshold, `for`, severity, what is left out."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from components.common import quantities
from components.common.problems import Problem
from components.rules import exclusions, traffic_floors
from components.rules.exclusions import SELECTED, Excluded
from components.rules.rule_file import TRAILING_NUMBER, Edit, Rule, Span
from components.rules.rule_set import Alert, RuleSet
from components.rules.traffic_floors import TRAFFIC

PROD = "prod"
"""The stack in which an alert that pages is not disabled without a reason: known by its name, so
that no other setting (`protectData`, say) opens the way."""

# Not Watchdog's `none`: without Watchdog nobody outside notices that Prometheus is dead.
_CAN_GO_WITHOUT_REASON = "warning"
_PERCENT = "100 *"


def _known_alert(name: str) -> str:
    known = RuleSet.shipped().alerts
    if name in known:
        return name
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"; did you mean {close[0]}?" if close else ""
    raise ValueError(f"is an unknown alert: rules/*.yml has none of that name{hint}")


def _delay(text: str) -> str:
    quantities.duration_seconds(text)
    return text


def _not_a_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("is not a number")
    return value


AlertName = Annotated[str, AfterValidator(_known_alert)]
# `pulumi config set --path` writes 2.5 as text: text is taken.
Threshold = Annotated[float, BeforeValidator(_not_a_boolean), Field(allow_inf_nan=False)]
Rate = Annotated[Threshold, Field(gt=0)]
Delay = Annotated[str, AfterValidator(_delay)]


class AlertOverride(BaseModel):
    """What is other than in the rule file; what is not given stays.

    `threshold` is in the unit of the alert's expression, `for` (`delay`) is a Prometheus duration,
    0s to fire at once. `minimumRate` is in requests per second. `exclude` has values, or regular
    expressions of whole values, by label. `reason` says why an alert is disabled.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    threshold: Threshold | None = None
    delay: Delay | None = Field(default=None, alias="for")
    severity: Literal["critical", "warning"] | None = None
    minimum_rate: Rate | None = Field(default=None, alias="minimumRate")
    exclude: dict[str, Excluded] = {}
    enabled: StrictBool = True
    reason: str = ""


def problems(stack: str, overrides: Mapping[str, AlertOverride]) -> list[Problem]:
    """What is wrong with overrides that are right each in itself."""
    if not overrides:
        return []
    known = RuleSet.shipped().alerts
    return [
        problem
        for name, override in overrides.items()
        for problem in _problems(stack, known[name], override)
    ]


def apply(rules: RuleSet, overrides: Mapping[str, AlertOverride]) -> RuleSet:
    """Return the rules with a stack's own values in their texts, and in nothing else of them.

    Raises KeyError where no alert has the name.
    """
    edits: dict[str, list[Edit]] = {}
    for file in {rules.alerts[name].file for name in overrides}:
        edits[file] = [
            edit
            for rule in rules.parsed[file].rules
            for edit in (*_edits(rule, overrides), *_edits_of_record(rule, overrides))
        ]
    return rules.edited(
        edits, (_overridden(rules.alerts[name], own) for name, own in overrides.items())
    )


def _problems(stack: str, alert: Alert, override: AlertOverride) -> Iterator[Problem]:
    if override.threshold is not None:
        path = (alert.name, "threshold")
        if alert.threshold is None:
            problem = f"is unknown here: the expression of {alert.name} has no threshold to set"
            yield Problem(path, problem, remove=True)
        elif problem := _never_or_always_fires(alert, override.threshold):
            yield Problem(path, problem)
    if override.minimum_rate is not None:
        yield from traffic_floors.problems(alert.name, override.minimum_rate)
    if override.exclude:
        yield from exclusions.problems(alert.name, override.exclude)
    if override.severity and alert.severity not in ("critical", "warning"):
        yield Problem(
            (alert.name, "severity"),
            f"is unknown here: {alert.name} always fires, for the heartbeat alone",
            remove=True,
        )
    if (
        stack == PROD
        and not override.enabled
        and alert.severity != _CAN_GO_WITHOUT_REASON
        and not override.reason.strip()
    ):
        what = "a critical alert" if alert.severity == "critical" else "the sign of life"
        yield Problem(
            (alert.name, "reason"),
            f"is missing: {alert.name} is {what}, and is disabled in {PROD} only with a reason",
        )


def _never_or_always_fires(alert: Alert, threshold: float) -> str:
    """Why the alert could never fire, or would always fire; empty where it is neither.

    Nothing that the alerts compare is ever negative, and what is in percent is at most 100.
    """
    most = 100 if alert.expr.startswith(_PERCENT) else float("inf")
    if alert.fires_below:
        never, always = threshold <= 0, threshold > most
    else:
        never, always = threshold >= most, threshold < 0
    unit = " (it is in percent)" if most == 100 else ""
    if never:
        return f"is wrong: {alert.name} could never fire with this threshold{unit}"
    return f"is wrong: {alert.name} would always fire with this threshold{unit}" if always else ""


def _edits(rule: Rule, overrides: Mapping[str, AlertOverride]) -> Iterator[Edit]:
    name = rule.name("alert") or ""
    override = overrides.get(name)
    if override is None:
        return
    if not override.enabled:
        yield Edit(rule.lines, "")
        return
    start, end = rule.expression
    before = rule.text[start:end]
    if (expr := _expression(name, before, override)) != before:
        yield Edit(rule.expression, expr)
    if override.delay is not None:
        if delay := rule.span("for"):
            yield Edit(delay, override.delay)
        else:
            labels = rule.key_mark("labels")
            place = Span(labels.index, labels.index)
            yield Edit(place, f"for: {override.delay}\n{' ' * labels.column}")
    if override.severity is not None and (severity := rule.span("labels", "severity")):
        yield Edit(severity, override.severity)


def _edits_of_record(rule: Rule, overrides: Mapping[str, AlertOverride]) -> Iterator[Edit]:
    name = rule.name("record")
    for alert, override in overrides.items():
        selected = SELECTED.get(alert)
        if name and selected and selected.record == name and override.enabled and override.exclude:
            start, end = rule.expression
            expr = exclusions.narrowed(rule.text[start:end], selected, override.exclude)
            yield Edit(rule.expression, expr)


def _expression(alert: str, expr: str, override: AlertOverride) -> str:
    """Return an alert's expression with the override's threshold, floor and exclusions."""
    found = TRAILING_NUMBER.search(expr)
    if found and override.threshold is not None:
        start, end = found.span("value")
        expr = f"{expr[:start]}{number(override.threshold)}{expr[end:]}"
    if found and override.minimum_rate is not None:
        condition = TRAFFIC[alert].condition(number(override.minimum_rate))
        start = found.start("sign")
        expr = f"({expr[:start]}{condition}) {expr[start:]}"
    selected = SELECTED.get(alert)
    if selected and override.exclude and not selected.record:
        expr = exclusions.narrowed(expr, selected, override.exclude)
    return expr


def _overridden(alert: Alert, override: AlertOverride) -> Alert:
    """Return the alert as `_edits` makes it."""
    if not override.enabled:
        return replace(alert, disabled=True)
    alert = replace(alert, expr=_expression(alert.name, alert.expr, override))
    if override.threshold is not None and alert.threshold is not None:
        alert = replace(alert, threshold=override.threshold)
    if override.delay is not None:
        alert = replace(alert, for_=override.delay)
    if override.severity is not None and alert.severity:
        labels = {**alert.labels, "severity": override.severity}
        alert = replace(alert, severity=override.severity, labels=labels)
    return alert


def number(value: float) -> str:
    """As a person writes it in an expression: `3`, `2.5`, `0.0000001`."""
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
