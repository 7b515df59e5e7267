"""Demo clients of PostgreSQL and Redis that record metrics and survive an outage."""

import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.credentials import CredentialProvider
from redis.exceptions import RedisError

from app.metrics import (
    record_cache_hit,
    record_cache_miss,
    set_db_connections,
    track_db_query,
    update_active_sessions,
)
from demo.settings import PATIENTS, Settings, Store

T = TypeVar("T")
Row = dict[str, Any]

POOL_SIZE = 8
SESSION_SECONDS = 300
_SESSIONS = "sessions"

# The pool would write two lines at each try; the backend says once that PostgreSQL is away.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

_SCHEMA: tuple[LiteralString, ...] = (
    "CREATE TABLE IF NOT EXISTS patients (id int PRIMARY KEY, bed text NOT NULL)",
    "CREATE TABLE IF NOT EXISTS clinicians (name text PRIMARY KEY, last_login timestamptz)",
    "INSERT INTO clinicians (name) VALUES ('nurse'), ('doctor') ON CONFLICT DO NOTHING",
    "CREATE TABLE IF NOT EXISTS vitals (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " patient_id int NOT NULL, heart_rate real NOT NULL,"
    " recorded_at timestamptz NOT NULL DEFAULT now())",
    "CREATE INDEX IF NOT EXISTS vitals_of_patient ON vitals (patient_id, recorded_at)",
    "CREATE INDEX IF NOT EXISTS vitals_by_time ON vitals (recorded_at)",
    "CREATE TABLE IF NOT EXISTS anomalies (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " patient_id int NOT NULL, anomaly_type text NOT NULL, severity text NOT NULL,"
    " found_at timestamptz NOT NULL DEFAULT now())",
)
_BEDS: LiteralString = (
    "INSERT INTO patients SELECT n, 'bed ' || n FROM generate_series(1, %s) AS n"
    " ON CONFLICT DO NOTHING"
)
_PRUNE: tuple[LiteralString, ...] = (
    "DELETE FROM vitals WHERE recorded_at < now() - interval '1 hour'",
    "DELETE FROM anomalies WHERE found_at < now() - interval '1 hour'",
)


class StoreAwayError(Exception):
    """PostgreSQL or Redis did not answer; the backend says 503."""


Pool = AsyncConnectionPool[psycopg.AsyncConnection[DictRow]]


def postgres_pool(settings: Settings) -> Pool:
    """Connections to PostgreSQL, none of them opened yet; they come back after it was away."""

    async def parameters() -> dict[str, Any]:
        return {
            "host": settings.postgres.host,
            "port": settings.postgres.port,
            "user": settings.postgres_user,
            "dbname": settings.postgres_database,
            "password": settings.postgres.password(),
            "application_name": "vitalstream-demo",
            "connect_timeout": 3,
            # A report over a whole year runs into this, as such reports do.
            "options": "-c statement_timeout=400",
            "autocommit": True,
            "row_factory": dict_row,
        }

    return AsyncConnectionPool(
        kwargs=parameters,
        min_size=2,
        max_size=POOL_SIZE,
        timeout=2.0,
        # After this, the next request tries anew: at once, not at the end of a long back-off.
        reconnect_timeout=3.0,
        check=AsyncConnectionPool.check_connection,
        open=False,
    )


class Database:
    """PostgreSQL, every query timed. All but `close` raise `StoreAwayError`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._ready = False
        self._in_use = 0
        set_db_connections(0, POOL_SIZE)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[psycopg.AsyncConnection[DictRow]]:
        if self._pool.closed:
            await self._pool.open(wait=False)
        try:
            async with self._pool.connection() as connection:
                self._in_use += 1
                set_db_connections(self._in_use, POOL_SIZE)
                try:
                    yield connection
                finally:
                    self._in_use -= 1
                    set_db_connections(self._in_use, POOL_SIZE)
        except PoolTimeout as error:
            raise StoreAwayError("PostgreSQL gave no connection in time") from error
        except psycopg.Error as error:
            if isinstance(error, psycopg.errors.UndefinedTable):
                self._ready = False
            reason = str(error).partition("\n")[0]
            raise StoreAwayError(f"PostgreSQL: {reason}") from error

    async def query(
        self, query_type: str, statement: LiteralString, parameters: Sequence[Any] = ()
    ) -> list[Row]:
        """Return the rows of one statement."""
        async with self._connection() as connection:
            with track_db_query(query_type):
                cursor = await connection.execute(statement, parameters)
                return await cursor.fetchall() if cursor.description else []

    async def maintain(self) -> None:
        """Make the tables where they are missing, drop rows older than an hour."""
        async with self._connection() as connection:
            if not self._ready:
                for statement in _SCHEMA:
                    await connection.execute(statement)
                await connection.execute(_BEDS, (PATIENTS,))
                self._ready = True
            for statement in _PRUNE:
                with track_db_query("delete"):
                    await connection.execute(statement)

    async def close(self) -> None:
        await self._pool.close()


class _PasswordFile(CredentialProvider):
    def __init__(self, store: Store) -> None:
        self._store = store

    def get_credentials(self) -> tuple[str]:
        return (self._store.password() or "",)

    async def get_credentials_async(self) -> tuple[str]:
        return self.get_credentials()


def redis_client(settings: Settings) -> Redis:
    """A client of Redis, not connected yet."""
    store = settings.redis
    return Redis(
        host=store.host,
        port=store.port,
        credential_provider=_PasswordFile(store) if store.password_file else None,
        decode_responses=True,
        socket_timeout=1.0,
        socket_connect_timeout=1.0,
        # The client's own ten tries would keep a request for eight seconds.
        retry=Retry(NoBackoff(), 1),
    )


class Cache:
    """Cached answers and sessions in Redis, in keys that all expire; every look-up is counted.

    Without Redis nothing is kept and nothing found; sessions raise `StoreAwayError`.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def look_up(self, cache_type: str, key: str) -> str | None:
        """Return the value of a key, or None: a miss."""
        found = None
        with contextlib.suppress(RedisError, OSError):
            found = await self._redis.get(f"{cache_type}:{key}")
        (record_cache_miss if found is None else record_cache_hit)(cache_type)
        return None if found is None else str(found)

    async def keep(self, cache_type: str, key: str, value: str, seconds: int) -> None:
        """Keep a value for some seconds."""
        with contextlib.suppress(RedisError, OSError):
            await self._redis.set(f"{cache_type}:{key}", value, ex=seconds)

    async def add_session(self, token: str) -> None:
        """Open a session of `SESSION_SECONDS`."""
        await _answer(lambda: self._redis.zadd(_SESSIONS, {token: time.time() + SESSION_SECONDS}))
        await self.maintain()

    async def has_session(self, token: str) -> bool:
        """Return whether a session is open."""
        expires = await _answer(lambda: self._redis.zscore(_SESSIONS, token))
        found = expires is not None and float(expires) > time.time()
        (record_cache_hit if found else record_cache_miss)("sessions")
        return found

    async def maintain(self) -> None:
        """Forget expired sessions and count the others."""
        await _answer(lambda: self._redis.zremrangebyscore(_SESSIONS, 0, time.time()))
        count = await _answer(lambda: self._redis.zcard(_SESSIONS))
        # Redis has the sessions of all backends.
        update_active_sessions(count, scope="ward")

    async def close(self) -> None:
        await self._redis.aclose()


async def _answer(command: Callable[[], Awaitable[T]]) -> T:
    try:
        return await command()
    except (RedisError, OSError) as error:
        raise StoreAwayError(f"Redis: {error}") from error
