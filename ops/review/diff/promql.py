"""PromQL by its meaning: white space, brackets that change nothing and the order of labels do not
count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import promql_parser as promql

# The operators have no names in the parser's interface; as tokens they can be compared.
_SIGNS = "+ - * / % ^ == != > < >= <= and or unless atan2"
_TREES: dict[str, Any] = {sign: promql.parse(f"a {sign} b") for sign in _SIGNS.split()}
_OPERATORS = {str(tree.op): sign for sign, tree in _TREES.items()}
_COMPARISONS = frozenset({">", ">=", "<", "<=", "==", "!="})
_MIRRORED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
# Grafana puts durations in their place.
_GRAFANA_DURATION = re.compile(
    r"\$(?:__rate_interval|__interval|__range|\{__(?:rate_interval|interval|range)\})"
)
_STAND_IN = {"rate_interval": "91y", "interval": "92y", "range": "93y"}

Node = tuple[Any, ...]


@dataclass(frozen=True)
class Threshold:
    """Changed threshold: a comparison with a number.

    `weaker` is whether the expression is now true more rarely; None if that is unknown.
    """

    old: str
    new: str
    weaker: bool | None


@lru_cache(maxsize=4096)
def canonical(text: str) -> Node:
    """Return a normalized tree, equal for equivalent expressions; else the text."""
    tree = _parsed(text)
    return ("text", " ".join(text.split())) if tree is None else _node(tree)


def same(old: str, new: str) -> bool:
    return canonical(old) == canonical(new)


@lru_cache(maxsize=4096)
def pretty(text: str) -> str:
    """Return the parser's notation on one line."""
    tree = _parsed(text)
    if tree is None or _GRAFANA_DURATION.search(text):
        return " ".join(text.split())
    return " ".join(tree.prettify().split())


@lru_cache(maxsize=4096)
def metrics(text: str) -> frozenset[str]:
    """Return the names of the metrics that an expression reads."""
    tree = _parsed(text)
    if tree is None:
        return frozenset(re.findall(r"[A-Za-z_:][A-Za-z0-9_:]*", text))
    return frozenset(_names(_node(tree)))


def thresholds(old: str, new: str) -> list[Threshold] | None:
    """Return the changed thresholds; None if anything else changed."""
    found = list(_thresholds(canonical(old), canonical(new), strict=True))
    return None if None in found else [one for one in found if one is not None]


def _parsed(text: str) -> Any:
    try:
        return promql.parse(_GRAFANA_DURATION.sub(_stand_in, text))
    except ValueError:
        return None


def _stand_in(found: re.Match[str]) -> str:
    return _STAND_IN[re.sub(r"[^a-z_]", "", found[0]).strip("_")]


def _node(tree: Any) -> Node:  # noqa: PLR0911 - one for each kind of expression
    match tree:
        case promql.ParenExpr():
            return _node(tree.expr)
        case promql.NumberLiteral():
            return ("number", repr(float(tree.val)))
        case promql.StringLiteral():
            return ("string", tree.val)
        case promql.UnaryExpr():
            inner = _node(tree.expr)
            return ("number", repr(-float(inner[1]))) if inner[0] == "number" else ("-", inner)
        case promql.VectorSelector():
            return ("series", *_selector(tree))
        case promql.MatrixSelector():
            return ("range", str(tree.range), _node(tree.vector_selector))
        case promql.SubqueryExpr():
            return (
                "subquery", str(tree.range), str(tree.step), str(tree.offset), _at(tree.at),
                _node(tree.expr),
            )  # fmt: skip
        case promql.Call():
            return ("call", tree.func.name, *map(_node, tree.args))
        case promql.AggregateExpr():
            return ("aggregate", str(tree.op), _labels(tree.modifier), _param(tree.param),
                    _node(tree.expr))  # fmt: skip
        case promql.BinaryExpr():
            return ("binary", _OPERATORS.get(str(tree.op), str(tree.op)), _matching(tree.modifier),
                    _node(tree.lhs), _node(tree.rhs))  # fmt: skip
    return ("text", tree.prettify())


def _selector(tree: Any) -> Node:
    matchers = [(m.name, str(m.op), m.value) for m in tree.matchers.matchers]
    equal = str(promql.MatchOp.Equal)
    name = tree.name
    for matcher in matchers:
        if name is None and matcher[:2] == ("__name__", equal):
            name = matcher[2]
            matchers.remove(matcher)
            break
    either = [[(m.name, str(m.op), m.value) for m in some] for some in tree.matchers.or_matchers]
    return (
        name, tuple(sorted(set(matchers))), tuple(sorted(tuple(sorted(some)) for some in either)),
        str(tree.offset), _at(tree.at),
    )  # fmt: skip


def _at(modifier: Any) -> str:
    return "" if modifier is None else f"{modifier.type} {modifier.at}"


def _labels(modifier: Any) -> Node:
    if modifier is None:
        return ()
    kind, labels = str(modifier.type), tuple(sorted(set(modifier.labels)))
    # `sum by () (x)` is `sum(x)`, and `a + ignoring () b` is `a + b`.
    return () if kind.endswith(("By", "Exclude")) and not labels else (kind, labels)


def _param(param: Any) -> Any:
    if param is None:
        return ()
    return _node(param) if hasattr(param, "prettify") else str(param)


def _matching(modifier: Any) -> Node:
    if modifier is None:
        return ()
    fill = modifier.fill_values
    return (
        str(modifier.card),
        _labels(modifier.matching),
        tuple(sorted(modifier.group_labels or ())),
        (fill.lhs, fill.rhs),
        modifier.return_bool,
    )


def _names(node: Any) -> Iterator[str]:
    if not isinstance(node, tuple) or not node:
        return
    if node[0] == "series" and node[1]:
        yield node[1]
    for part in node[1:]:
        yield from _names(part)


def _thresholds(old: Node, new: Node, *, strict: bool) -> Iterator[Threshold | None]:
    """Yield None for another difference. `strict`: a higher value fires less often."""
    if old == new:
        return
    if old[0] != "binary" or new[0] != "binary" or old[2] != new[2]:
        yield None
        return
    was, now = _comparison(old), _comparison(new)
    if was and now and was[0] == now[0]:
        weaker = _weaker(was[1:], now[1:])
        if weaker is not None and not strict:
            weaker = not weaker
        yield Threshold(" ".join(was[1:]), " ".join(now[1:]), weaker)
    elif old[1] == new[1] and old[1] in ("and", "or", "unless"):
        yield from _thresholds(old[3], new[3], strict=strict)
        inverse = old[1] == "unless"
        yield from _thresholds(old[4], new[4], strict=strict is not inverse)
    else:
        yield None


def _comparison(node: Node) -> tuple[Node, str, str] | None:
    """Return compared expression, operator and number, with the number on the right."""
    sign, left, right = node[1], node[3], node[4]
    # With `bool` it does not filter: nothing becomes rarer.
    if sign not in _COMPARISONS or (node[2] and node[2][4]):
        return None
    if right[0] == "number":
        return left, sign, number(right[1])
    if left[0] == "number":
        return right, _MIRRORED[sign], number(left[1])
    return None


def _weaker(was: tuple[str, ...], now: tuple[str, ...]) -> bool | None:
    """Return whether fewer values pass, None if unknown."""
    (sign, text), (sign_now, text_now) = was, now
    old, new = float(text), float(text_now)
    if sign[0] != sign_now[0] or sign[0] not in "<>":
        return None
    if old != new:
        return (new > old) is (sign[0] == ">")
    return len(sign_now) < len(sign)


def number(text: str) -> str:
    value = float(text)
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
