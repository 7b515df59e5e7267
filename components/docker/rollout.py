"""Several replicas of one service: a change reaches them one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import pulumi

from components.docker.service import Service

_Made = TypeVar("_Made", bound=Service)


def create_sequentially(
    names: Iterable[str], make: Callable[[str, Sequence[pulumi.Resource]], _Made]
) -> list[_Made]:
    """Create each replica by its name, after the one before it is healthy.

    A change that breaks the first never reaches the second.
    """
    made: list[_Made] = []
    for name in names:
        made.append(make(name, [made[-1].container] if made else []))
    return made
