"""The loop over the cases of a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.each import for_each


def test_for_each_names_every_case_that_fails() -> None:
    @for_each("number, limit", [(1, 3), (5, 3), (2, 3), (7, 3)])
    def is_below(number: int, limit: int) -> None:
        assert number < limit

    with pytest.raises(pytest.fail.Exception) as failure:
        is_below()
    assert str(failure.value).splitlines() == [
        "2 of 4 cases:",
        "(5, 3): AssertionError: assert 5 < 3",
        "",
        "(7, 3): AssertionError: assert 7 < 3",
    ]


def test_for_each_without_a_case_fails() -> None:
    @for_each("number", [])
    def passes(number: int) -> None:
        assert number

    with pytest.raises(AssertionError, match="no case"):
        passes()


@for_each("first", [1, 2])
@for_each("second", [3, 4])
def test_for_each_twice_gives_every_pair_with_the_fixtures(
    first: int, second: int, tmp_path: Path
) -> None:
    (tmp_path / f"{first}-{second}").touch()
    assert len(list(tmp_path.iterdir())) == (first - 1) * 2 + second - 2
