"""Several of one service: how a change goes from one to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import pulumi

from components.service import Service

_Made = TypeVar("_Made", bound=Service)


def in_turn(
    names: Iterable[str], make: Callable[[str, Sequence[pulumi.Resource]], _Made]
) -> list[_Made]:
    """Makes each service by its name, and by what has to be healthy before it is touched: the one
    before it. A change that breaks the first never reaches the second.
    """
    made: list[_Made] = []
    for name in names:
        made.append(make(name, [made[-1].container] if made else []))
    return made
