"""Values compared by their parts."""

from __future__ import annotations

from typing import Any

import pytest

from ops.review.diff import values
from ops.review.diff.values import ABSENT


def where(old: Any, new: Any) -> list[str]:
    return [change.where for change in values.changes(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 1.0}, []),
        ({"a": 1}, {"a": True}, ["a"]),
        ({"a": None}, {}, ["a"]),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b"]),
        ({"a": {"b/c": 1}}, {"a": {"b/c": 2}}, ['a["b/c"]']),
        ([1, 2, 3], [1, 2, 3, 4], ["[3]"]),
        ([2, 3], [1, 2, 3], ["[0]"]),
        ([{"a": 1}, {"a": 2}], [{"a": 1}, {"a": 3}], ["[1].a"]),
        ([], {}, [""]),
        ({"a": {"$secret": "1"}}, {"a": {"$secret": "2"}}, ["a"]),
        ({"a": {"$secret": "1"}}, {"a": {"$secret": "1"}}, []),
        ({"a": {"$secret": "1"}}, {"a": {"b": "1"}}, ["a"]),
    ],
)
def test_changes_are_the_smallest_differing_parts(old: Any, new: Any, expected: list[str]) -> None:
    assert where(old, new) == expected


def test_changes_of_added_and_removed_values_are_absent_on_one_side() -> None:
    change = values.changes({"a": 1}, {"b": 2})
    assert [(one.old, one.new) for one in change] == [(1, ABSENT), (ABSENT, 2)]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "plain"),
        (None, "null"),
        (True, "true"),
        ({"b": 1, "a": [2]}, '{"a": [2], "b": 1}'),
        ({"$secret": "9c1e"}, "[secret]"),
        ([{"a": {"$secret": "9c1e"}}], '[{"a": "[secret]"}]'),
        ("url: [secret 0123456789abcdef]", "url: [secret]"),
        (["[secret 0123456789abcdef]"], '["[secret]"]'),
        ("04da6b54-80e4-46f7-96ec-b56ff0331ba9", "(known after up)"),
    ],
)
def test_value_is_printed_on_one_line_without_secrets(value: Any, text: str) -> None:
    assert values.shown(value) == text
