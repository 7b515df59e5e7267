"""`Timer` around every kind of function and block."""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from vitalstream_metrics import Timer


class Recorded:
    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.outcomes: list[str] = []

    def timer(self) -> Timer:
        return Timer(self.seconds.append, self.outcomes.append)


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


def test_timer_of_an_async_function_times_it_to_its_end(recorded: Recorded) -> None:
    @recorded.timer()
    async def execute() -> str:
        await asyncio.sleep(0.02)
        return "done"

    assert inspect.iscoroutinefunction(execute)
    assert asyncio.run(execute()) == "done"
    assert recorded.seconds[0] >= 0.02


def test_timer_of_a_generator_times_it_without_its_consumer(recorded: Recorded) -> None:
    @recorded.timer()
    def chunks() -> Iterator[int]:
        for number in range(3):
            time.sleep(0.01)
            yield number

    assert inspect.isgeneratorfunction(chunks)
    for _ in chunks():
        time.sleep(0.1)
    assert 0.03 <= recorded.seconds[0] < 0.3


def test_timer_of_an_async_generator_times_it_without_its_consumer(recorded: Recorded) -> None:
    @recorded.timer()
    async def chunks() -> AsyncIterator[int]:
        for number in range(3):
            await asyncio.sleep(0.01)
            yield number

    async def consume() -> list[int]:
        found = []
        async for number in chunks():
            found.append(number)
            await asyncio.sleep(0.1)
        return found

    assert inspect.isasyncgenfunction(chunks)
    assert asyncio.run(consume()) == [0, 1, 2]
    assert 0.03 <= recorded.seconds[0] < 0.3


def test_timer_of_a_generator_passes_on_what_is_sent_thrown_and_returned(
    recorded: Recorded,
) -> None:
    @recorded.timer()
    def echo() -> Any:
        got = yield "first"
        try:
            yield got
        except KeyError:
            yield "caught"
        return "end"

    generator = echo()
    assert next(generator) == "first"
    assert generator.send("sent") == "sent"
    assert generator.throw(KeyError()) == "caught"
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == "end"
    assert (len(recorded.seconds), recorded.outcomes) == (1, [])


def test_timer_of_an_async_generator_passes_on_what_is_sent_and_thrown(recorded: Recorded) -> None:
    @recorded.timer()
    async def echo() -> Any:
        got = yield "first"
        try:
            yield got
        except KeyError:
            yield "caught"

    async def use() -> list[Any]:
        generator = echo()
        return [
            await anext(generator),
            await generator.asend("sent"),
            await generator.athrow(KeyError()),
            await anext(generator, "end"),
        ]

    assert asyncio.run(use()) == ["first", "sent", "caught", "end"]
    assert (len(recorded.seconds), recorded.outcomes) == (1, [])


def test_timer_of_a_generator_that_is_closed_early_counts_it_as_cancelled(
    recorded: Recorded,
) -> None:
    closed = []

    @recorded.timer()
    def chunks() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)

    generator: Any = chunks()
    next(generator)
    generator.close()
    assert (closed, recorded.seconds, recorded.outcomes) == ([True], [], ["cancelled"])


def test_timer_of_async_with_times_the_block(recorded: Recorded) -> None:
    async def block() -> None:
        async with recorded.timer():
            await asyncio.sleep(0.02)

    asyncio.run(block())
    assert recorded.seconds[0] >= 0.02


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (RuntimeError("unreachable executed"), "error"),
        (TimeoutError(), "timeout"),
        (asyncio.TimeoutError(), "timeout"),  # noqa: UP041 - another class before Python 3.11
        (asyncio.CancelledError(), "cancelled"),
    ],
)
@pytest.mark.parametrize("kind", ["function", "coroutine", "generator", "async generator"])
def test_timer_of_a_call_that_fails_counts_its_outcome_and_no_duration(
    recorded: Recorded, kind: str, error: BaseException, outcome: str
) -> None:
    def function() -> None:
        raise error

    async def coroutine() -> None:
        raise error

    def generator() -> Iterator[int]:
        yield 1
        raise error

    async def async_generator() -> AsyncIterator[int]:
        yield 1
        raise error

    async def consume(items: AsyncIterator[int]) -> None:
        async for _ in items:
            pass

    run: dict[str, Callable[[], Any]] = {
        "function": recorded.timer()(function),
        "coroutine": lambda: asyncio.run(recorded.timer()(coroutine)()),
        "generator": lambda: list(recorded.timer()(generator)()),
        "async generator": lambda: asyncio.run(consume(recorded.timer()(async_generator)())),
    }
    with pytest.raises(type(error)):
        run[kind]()
    assert (recorded.seconds, recorded.outcomes) == ([], [outcome])
