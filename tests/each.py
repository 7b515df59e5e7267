"""One test of many cases: one loop, and one message that names every case that fails."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import pytest


def for_each(
    names: str, cases: Iterable[Any], called: Callable[[Any], str] = str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test for each of the cases, whose parts are the arguments `names`, as
    `pytest.mark.parametrize` would, but as one test: its fixtures are made once for all.
    """
    parts, found = names.split(", "), list(cases)

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def run(**fixtures: Any) -> None:
            assert found, "no case"
            failed = []
            for case in found:
                given = dict(zip(parts, case if len(parts) > 1 else (case,), strict=True))
                try:
                    test(**fixtures, **given)
                except (Exception, pytest.fail.Exception) as error:
                    failed.append(f"{called(case)}: {type(error).__name__}: {error}")
            if failed:
                pytest.fail(
                    f"{len(failed)} of {len(found)} cases:\n" + "\n\n".join(failed), pytrace=False
                )

        taken = inspect.signature(test)
        kept = [one for name, one in taken.parameters.items() if name not in parts]
        run.__signature__ = taken.replace(parameters=kept)  # type: ignore[attr-defined]
        return run

    return decorate
