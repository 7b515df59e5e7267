"""The demo's backend on stores in memory."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any, TypeVar, cast

import httpx
import psycopg
from fastapi import FastAPI
from prometheus_client import REGISTRY
from psycopg_pool import PoolTimeout
from redis.exceptions import ConnectionError as RedisConnectionError

from demo import stores
from demo.backend import create_app
from demo.settings import Settings

T = TypeVar("T")


class FakePool:
    """Pool with one connection, whose answers depend on the start of a statement."""

    def __init__(self) -> None:
        self.closed = True
        self.away = False
        self.statements: list[str] = []

    async def open(self, wait: bool) -> None:
        self.closed = False

    async def close(self) -> None:
        self.closed = True

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator["FakePool"]:
        if self.away:
            raise PoolTimeout
        yield self

    async def execute(self, statement: str, parameters: Any = ()) -> SimpleNamespace:
        self.statements.append(statement)
        if "pg_sleep" in statement and parameters[0] > 0.4:
            raise psycopg.errors.QueryCanceled("canceling statement due to statement timeout")
        rows = [{"id": 1, "bed": "bed 1"}] if statement.startswith("SELECT id") else []

        async def fetchall() -> list[dict[str, Any]]:
            return rows

        return SimpleNamespace(description="SELECT" in statement, fetchall=fetchall)


class FakeRedis:
    """Redis with the commands that the demo uses, without expiry."""

    def __init__(self) -> None:
        self.away = False
        self.values: dict[str, str] = {}
        self.scores: dict[str, float] = {}

    def _reach(self) -> None:
        if self.away:
            raise RedisConnectionError("refused")

    async def get(self, key: str) -> str | None:
        self._reach()
        return self.values.get(key)

    async def set(self, key: str, value: str, ex: int) -> None:
        self._reach()
        self.values[key] = value

    async def zadd(self, key: str, scores: dict[str, float]) -> None:
        self._reach()
        self.scores.update(scores)

    async def zscore(self, key: str, member: str) -> float | None:
        self._reach()
        return self.scores.get(member)

    async def zremrangebyscore(self, key: str, low: float, high: float) -> None:
        self._reach()
        self.scores = {m: score for m, score in self.scores.items() if score > high}

    async def zcard(self, key: str) -> int:
        self._reach()
        return len(self.scores)

    async def aclose(self) -> None: ...


class Demo:
    """Backend on fakes, with a client."""

    def __init__(self, faults: bool = False) -> None:
        self.pool = FakePool()
        self.redis = FakeRedis()
        self.app: FastAPI = create_app(
            Settings.from_env({"DEMO_FAULTS": "1"} if faults else {}),
            stores.Database(cast("stores.Pool", self.pool)),
            stores.Cache(cast("Any", self.redis)),
        )

    def run(self, use: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
        async def started() -> T:
            transport = httpx.ASGITransport(self.app)
            client = httpx.AsyncClient(transport=transport, base_url="http://backend")
            async with self.app.router.lifespan_context(self.app), client:
                await asyncio.sleep(0.01)
                return await use(client)

        return asyncio.run(started())

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.run(lambda client: client.request(method, path, **options))


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0
