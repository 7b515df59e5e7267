"""Timing of a block, a function or a generator; failures are counted, not timed."""

import asyncio
import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from time import perf_counter
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
R = TypeVar("R")

OUTCOMES = ("error", "timeout", "cancelled")
"""Outcomes of a failed call. `cancelled` is not a fault: the caller stopped waiting."""

_CANCELLED = (asyncio.CancelledError, GeneratorExit)
# Two classes before Python 3.11.
_TIMEOUT = (TimeoutError, asyncio.TimeoutError)


def outcome_of(error: BaseException) -> str:
    """Return which of `OUTCOMES` an exception is."""
    if isinstance(error, _CANCELLED):
        return "cancelled"
    return "timeout" if isinstance(error, _TIMEOUT) else "error"


class Timer:
    """Times a `with` or `async with` block, or as a decorator every call of a function.

    `def`, `async def`, generators and asynchronous generators can be decorated. A generator's time
    is what it ran itself, without its consumer's time between two items.

    A call that fails is counted by its outcome (`OUTCOMES`) and not timed: a failure within
    microseconds would make the quantiles look better. A block takes a Timer of its own; a decorated
    function may run concurrently.
    """

    __slots__ = ("_failed", "_observe", "_start")

    def __init__(self, observe: Callable[[float], None], failed: Callable[[str], None]) -> None:
        self._observe = observe
        self._failed = failed
        self._start = 0.0

    def __enter__(self) -> "Timer":
        self._start = perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._observe(perf_counter() - self._start)
        else:
            self._failed(outcome_of(error))

    async def __aenter__(self) -> "Timer":
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, func: Callable[P, R]) -> Callable[P, R]:
        function: Callable[..., Any] = func
        if inspect.isasyncgenfunction(func):
            wrap = _wrap_async_generator
        elif inspect.isgeneratorfunction(func):
            wrap = _wrap_generator
        elif inspect.iscoroutinefunction(func):
            wrap = _wrap_coroutine
        else:
            wrap = _wrap_function
        wrapper = functools.wraps(func)(wrap(function, self._observe, self._failed))
        return cast("Callable[P, R]", wrapper)


Function = Callable[..., Any]
Observe = Callable[[float], None]
Failed = Callable[[str], None]


def _wrap_function(function: Function, observe: Observe, failed: Failed) -> Function:
    def timed(*args: Any, **kwargs: Any) -> Any:
        with Timer(observe, failed):
            return function(*args, **kwargs)

    return timed


def _wrap_coroutine(function: Function, observe: Observe, failed: Failed) -> Function:
    async def timed(*args: Any, **kwargs: Any) -> Any:
        with Timer(observe, failed):
            return await function(*args, **kwargs)

    return timed


def _wrap_generator(function: Function, observe: Observe, failed: Failed) -> Function:
    def timed(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        generator = function(*args, **kwargs)
        spent = 0.0
        step, argument = generator.send, None
        while True:
            start = perf_counter()
            try:
                item = step(argument)
            except StopIteration as stop:
                observe(spent + perf_counter() - start)
                return stop.value
            except BaseException as error:
                failed(outcome_of(error))
                raise
            spent += perf_counter() - start
            try:
                step, argument = generator.send, (yield item)
            except GeneratorExit:
                failed("cancelled")
                generator.close()
                raise
            except BaseException as error:
                step, argument = generator.throw, error

    return timed


def _wrap_async_generator(function: Function, observe: Observe, failed: Failed) -> Function:
    async def timed(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        generator = function(*args, **kwargs)
        spent = 0.0
        step, argument = generator.asend, None
        while True:
            start = perf_counter()
            try:
                item = await step(argument)
            except StopAsyncIteration:
                observe(spent + perf_counter() - start)
                return
            except BaseException as error:
                failed(outcome_of(error))
                raise
            spent += perf_counter() - start
            try:
                step, argument = generator.asend, (yield item)
            except GeneratorExit:
                failed("cancelled")
                await generator.aclose()
                raise
            except BaseException as error:
                step, argument = generator.athrow, error

    return timed
