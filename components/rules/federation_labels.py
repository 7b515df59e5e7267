"""Keeps what a stack recorded itself apart from what it federates of others.

Both have the same names. Only the others' have the label `stack` where they are stored: a stack's
own is put on what leaves it.
"""

from __future__ import annotations

import re
from typing import Final

# level:metric:operation, and not the `1h:1m` of a subquery.
_RECORDED: Final = re.compile(
    r"(?<![\w:\[\"])[a-z][a-zA-Z0-9_]*:[a-zA-Z0-9_]+:[a-zA-Z0-9_]+(?P<selector>\{\s*)?(?P<empty>\})?"
)
_NOT_READ: Final = re.compile(r"\s*(?:- )?record:|\s*#")
_OWN: Final = 'stack=""'


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
