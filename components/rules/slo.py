"""The share of requests that must be good, which `rules/slo.yml` works its burn rates out from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import AfterValidator

from components.common.problems import Problem
from components.rules.overrides import AlertOverride, number
from components.rules.rule_set import RuleSet

DEFAULT = "99.9"
RULE_FILE = "slo.yml"
_LEAST, _MOST = Decimal(90), Decimal("99.999")
_PERCENT = re.compile(r"[0-9]{2}(?:\.[0-9]{1,6})?")
_RULE = re.compile(r"(?P<before>record: slo:objective:ratio\n +expr: vector\()[0-9.]+(?=\))")
# `job:slo_*_burn:rate1h_5m > 14.4` of rules/slo.yml, without which a total outage is found late.
SHORTEST_WINDOWS = 14.4
_FAST = ("job:slo_availability_burn:fast", "job:slo_latency_burn:fast")
_BURN_RATE = re.compile(r"job:slo_\w+_burn:")


def _objective(text: str) -> str:
    if not _PERCENT.fullmatch(text) or not _LEAST <= Decimal(text) <= _MOST:
        raise ValueError(f"is not a percentage from {_LEAST} to {_MOST}, such as {DEFAULT}")
    return text


# Text, because Pulumi's config has no type for a number with a fraction.
SloObjective = Annotated[str, AfterValidator(_objective)]


def apply(rules: RuleSet, percent: str) -> RuleSet:
    """Return the rules with the objective, in percent, in `slo.yml`.

    Raises ValueError where the file has not exactly one place for it.
    """

    def with_objective(text: str) -> str:
        changed, places = _RULE.subn(rf"\g<before>{ratio}", text)
        if places != 1:
            raise ValueError(
                f"rules/{RULE_FILE} has {places} rules slo:objective:ratio = vector(...)"
            )
        return changed

    ratio = format((Decimal(percent) / 100).normalize(), "f")
    return rules.rewritten(RULE_FILE, with_objective)


def problems(percent: str, overrides: Mapping[str, AlertOverride]) -> list[Problem]:
    """The budget alerts that could not fire if every request failed.

    Every request failing burns the budget 1 / (1 - objective) times too fast, and never faster.
    """
    fastest = float(100 / (100 - Decimal(percent)))
    found = []
    for alert in RuleSet.shipped().alerts.values():
        override = overrides.get(alert.name, AlertOverride())
        if not override.enabled or not _BURN_RATE.match(alert.expr):
            continue
        bound = override.threshold
        if bound is None:
            # The alert on fast burns has its own factor for the shortest windows.
            bound = SHORTEST_WINDOWS if alert.expr.startswith(_FAST) else alert.threshold
        if bound is None:
            continue
        if bound >= fastest:
            problem = (
                f"is too low: {alert.name} could never fire; with {percent}% the budget "
                f"burns {fastest:.3g} times too fast at most, and it fires above {number(bound)}"
            )
            fix = f"set it higher, or alerts.{alert.name}.threshold lower"
            found.append(Problem((), problem, fix))
    return found
