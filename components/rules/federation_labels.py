"""Keeps what a stack recorded itself apart from what it federates of others.

Both have the same names. Only the others' have the label `stack` where they are stored: a stack's
own is put on what leaves it.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from components.rules.rule_set import RuleSet

# level:metric:operation, and not the `1h:1m` of a subquery.
_RECORDED: Final = re.compile(
    r"(?<![\w:\[\"])[a-z][a-zA-Z0-9_]*:[a-zA-Z0-9_]+:[a-zA-Z0-9_]+(?P<selector>\{\s*)?(?P<empty>\})?"
)
_NOT_READ: Final = re.compile(r"\s*(?:- )?record:|\s*#")
_OWN: Final = 'stack=""'


def apply(rules: RuleSet) -> RuleSet:
    """Return the rules with every recorded name narrowed to the stack's own series."""
    alerts = (
        replace(
            alert,
            expr=of_expression(alert.expr),
            annotations={key: of_expression(text) for key, text in alert.annotations.items()},
        )
        for alert in rules.alerts.values()
    )
    changed = rules.edited({}, alerts)
    for name in rules.files:
        changed = changed.rewritten(name, of_rules)
    return changed


def of_expression(expr: str) -> str:
    """The PromQL with every recorded name narrowed to the stack's own series."""
    return _RECORDED.sub(_narrowed, expr)


def of_rules(text: str) -> str:
    """A rule file's text likewise, templates of annotations included; names and comments stay."""
    return "".join(
        line if _NOT_READ.match(line) else of_expression(line)
        for line in text.splitlines(keepends=True)
    )


def _narrowed(found: re.Match[str]) -> str:
    selector, empty = found["selector"], found["empty"]
    if selector is None:
        # A `}` right behind a name is not its selector's.
        return f"{found[0].removesuffix(empty or '')}{{{_OWN}}}{empty or ''}"
    separator = "" if empty else ","
    return found[0].removesuffix(empty or "") + _OWN + separator + (empty or "")
