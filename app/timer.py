"""Timing a block or a function into a histogram."""

import functools
import inspect
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")


class Timer:
    """Times a `with` block, or as a decorator every call of a function, `async def` too.

    What raises is timed as well. A `with` block takes a Timer of its own; a decorated function may
    run concurrently.
    """

    __slots__ = ("_observe", "_start")

    def __init__(self, observe: Callable[[float], None]) -> None:
        self._observe = observe
        self._start = 0.0

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._observe(time.perf_counter() - self._start)

    def __call__(self, func: Callable[P, R]) -> Callable[P, R]:
        function: Callable[..., Any] = func

        @functools.wraps(func)
        async def timed_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            with Timer(self._observe):
                return await function(*args, **kwargs)

        @functools.wraps(func)
        def timed(*args: P.args, **kwargs: P.kwargs) -> R:
            with Timer(self._observe):
                return func(*args, **kwargs)

        is_async = inspect.iscoroutinefunction(func)
        return cast("Callable[P, R]", timed_async) if is_async else timed
