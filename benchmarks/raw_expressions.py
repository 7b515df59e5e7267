"""The rules' recorded series as what they are recorded from."""

from __future__ import annotations

from collections.abc import Mapping

import promql_parser
import yaml

from benchmarks.projects import BenchmarkError


def recording_rules(files: Mapping[str, str]) -> dict[str, str]:
    """The expression of each recorded series, from the texts of rule files."""
    return {
        rule["record"]: str(rule["expr"])
        for text in files.values()
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
        if "record" in rule
    }


def recorded_in(expression: str, rules: Mapping[str, str]) -> set[str]:
    """The recorded series that an expression reads."""
    found: set[str] = set()

    def visit(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.VectorSelector) and node.name and node.name in rules:
            found.add(node.name)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found


def expanded(expression: str, rules: Mapping[str, str]) -> str:
    """The expression with every recorded series replaced by its rule's, down to raw series.

    Raises BenchmarkError where a recorded series is not read as a whole, at the time of the query:
    a matcher, an offset or a range would have to move into the rule's expression.
    """

    def visit(node: promql_parser.Expr) -> promql_parser.Expr | None:
        if isinstance(node, promql_parser.VectorSelector) and node.name in rules:
            if str(node).replace("{}", "") != node.name:
                raise BenchmarkError(f"{node} in `{expression}` cannot be replaced by its rule")
            return promql_parser.parse(f"({expanded(rules[node.name], rules)})")
        if isinstance(node, promql_parser.MatrixSelector) and node.vector_selector.name in rules:
            raise BenchmarkError(f"{node} in `{expression}` cannot be replaced by its rule")
        return None

    parsed = promql_parser.parse(expression)
    made = str(promql_parser.transform(parsed, pre_visit=visit))
    try:
        promql_parser.parse(made)
    except ValueError as error:
        # The parser writes a backslash in a string as it read it, unescaped.
        raise BenchmarkError(f"`{expression}` cannot be written out: {error}") from None
    return made
