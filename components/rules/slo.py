"""The share of requests that must be good, which `rules/slo.yml` works its burn rates out from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator

from components.common.problems import Problem
from components.rules import rule_files
from components.rules.overrides import AlertOverride, number

DEFAULT = "99.9"
RULE_FILE = "slo.yml"
_LEAST, _MOST = Decimal(90), Decimal("99.999")
_PERCENT = re.compile(r"[0-9]{2}(?:\.[0-9]{1,6})?")
_RULE = re.compile(r"(?P<before>record: slo:objective:ratio\n +expr: vector\()[0-9.]+(?=\))")
_BURN_RATE = re.compile(r"job:slo_\w+_burn:")


def _objective(text: str) -> str:
    if not _PERCENT.fullmatch(text) or not _LEAST <= Decimal(text) <= _MOST:
        raise ValueError(f"is not a percentage from {_LEAST} to {_MOST}, such as {DEFAULT}")
    return text


# Text, because Pulumi's config has no type for a number with a fraction.
SloObjective = Annotated[str, AfterValidator(_objective)]


def applied(text: str, percent: str) -> str:
    """The text of `slo.yml` with the objective, in percent; all other text stays as it is.

    Raises ValueError where the text has not exactly one place for it.
    """
    ratio = format((Decimal(percent) / 100).normalize(), "f")
    changed, places = _RULE.subn(rf"\g<before>{ratio}", text)
    if places != 1:
        raise ValueError(f"rules/{RULE_FILE} has {places} rules slo:objective:ratio = vector(...)")
    return changed


def problems(percent: str, overrides: Mapping[str, AlertOverride]) -> list[Problem]:
    """The budget alerts that could not fire if every request failed.

    Every request failing burns the budget 1 / (1 - objective) times too fast, and never faster.
    """
    fastest = float(100 / (100 - Decimal(percent)))
    found = []
    for alert in rule_files.alerts_of(rule_files.load()[RULE_FILE]).values():
        override = overrides.get(alert.name, AlertOverride())
        if alert.bound is None or not override.enabled or not _BURN_RATE.match(alert.expr):
            continue
        bound = alert.bound.value if override.threshold is None else override.threshold
        if bound >= fastest:
            problem = (
                f"is too low: {alert.name} could never fire; with {percent}% the budget "
                f"burns {fastest:.3g} times too fast at most, and it fires above {number(bound)}"
            )
            fix = f"set it higher, or alerts.{alert.name}.threshold lower"
            found.append(Problem((), problem, fix))
    return found
