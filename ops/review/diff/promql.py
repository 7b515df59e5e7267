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
_NAMED = ("__name__", str(promql.MatchOp.Equal))
_DURATIONS = {"rate_interval": "91y", "interval": "92y", "range": "93y"}

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
    found: set[str] = set()

    def visit(node: promql.Expr) -> None:
        if isinstance(node, promql.VectorSelector):
            found.update(name for *key, name in _matchers(node) if tuple(key) == _NAMED)

    promql.walk(tree, visit)
    return frozenset(found)


def thresholds(old: str, new: str) -> list[Threshold] | None:
    """Return the changed thresholds; None if anything else changed."""
    found = list(_thresholds(canonical(old), canonical(new), strict=True))
    return None if None in found else [one for one in found if one is not None]


def _parsed(text: str) -> Any:
    try:
        return promql.parse(_GRAFANA_DURATION.sub(_duration, text))
    except ValueError:
        return None


def _duration(found: re.Match[str]) -> str:
    return _DURATIONS[re.sub(r"[^a-z_]", "", found[0]).strip("_")]


def _node(tree: Any) -> Node:  # noqa: PLR0911 - one for each kind of expression
    match tree:
        case promql.ParenExpr():
            return _node(tree.expr)
        case promql.NumberLiteral():
            return ("number", repr(float(tree.val)))
        case promql.UnaryExpr():
            inner = _node(tree.expr)
            return ("number", repr(-float(inner[1]))) if inner[0] == "number" else ("-", inner)
        case promql.VectorSelector():
            return _selector(tree)
        case promql.MatrixSelector():
            return ("range", str(tree.range), _node(tree.vector_selector))
        case promql.SubqueryExpr():
            window = f"{tree.range} {tree.step} {tree.offset} {_at(tree)}"
            return ("subquery", window, _node(tree.expr))
        case promql.Call():
            return ("call", tree.func.name, *map(_node, tree.args))
        case promql.AggregateExpr():
            parameter = _node(tree.param) if tree.param else ()
            labels = _labels(tree.modifier)
            return ("aggregate", str(tree.op), labels, parameter, _node(tree.expr))
        case promql.BinaryExpr():
            sign = _OPERATORS.get(str(tree.op), str(tree.op))
            return ("binary", sign, _labels(tree.modifier), _node(tree.lhs), _node(tree.rhs))
    return ("text", str(tree))


def _matchers(selector: Any) -> set[tuple[str, str, str]]:
    """Return a selector's matchers, that of the metric's name among them."""
    found = {(one.name, str(one.op), one.value) for one in selector.matchers.matchers}
    return found | ({(*_NAMED, selector.name)} if selector.name else set())


def _selector(tree: Any) -> Node:
    either = [
        tuple(sorted((one.name, str(one.op), one.value) for one in some))
        for some in tree.matchers.or_matchers
    ]
    matchers = tuple(sorted(_matchers(tree)))
    return ("series", matchers, tuple(sorted(either)), str(tree.offset), _at(tree))


def _at(tree: Any) -> str:
    return f"{tree.at.type} {tree.at.at}" if tree.at else ""


def _labels(modifier: Any) -> str:
    """Return grouping or matching with sorted labels, less what changes nothing."""
    found = re.sub(r"\((.*?)\)", _sorted, str(modifier or ""))
    return re.sub(r"(by|ignoring) \(\)", "", found).strip()


def _sorted(labels: re.Match[str]) -> str:
    return f"({', '.join(sorted(set(labels[1].split(', '))))})"


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
    if sign not in _COMPARISONS or "bool" in node[2]:
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
