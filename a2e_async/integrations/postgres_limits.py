"""What the processes of one account share through PostgreSQL: a rate, and the brake after a 429. All times are its own.

Needs the extra ``postgres``: `pip install 'a2e-async[postgres]'`.
"""

import asyncio
import hashlib
import json
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, LiteralString, Self

try:
    from psycopg import AsyncConnection, Error
except ImportError as error:
    raise ImportError("a2e_async.integrations.postgres_limits needs: pip install 'a2e-async[postgres]'") from error

from a2e_async._surely import outlast
from a2e_async._telling import teller_of
from a2e_async.errors import ConfigError
from a2e_async.observer import Braked, Event
from a2e_async.session import A2ESession

log = logging.getLogger("a2e_async.postgres")
AGAIN = 1.0
"""Seconds until a lost connection is made anew."""
SLACK = 0.1
"""Seconds of unused rate that may be made up for, so that late timers do not lower the average."""
_ALIVE: dict[str, Any] = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3, "connect_timeout": 10}
_SCHEMA = """
SELECT pg_advisory_lock(4118921);
CREATE TABLE IF NOT EXISTS a2e_rates(name text PRIMARY KEY, free timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS a2e_brakes(account text PRIMARY KEY, until timestamptz NOT NULL);
SELECT pg_advisory_unlock(4118921)"""
_TAKE = """
INSERT INTO a2e_rates AS r(name, free) VALUES (%(name)s, clock_timestamp() + %(step)s * interval '1 s')
ON CONFLICT (name) DO UPDATE
SET free = greatest(r.free, clock_timestamp() - %(slack)s * interval '1 s') + %(step)s * interval '1 s'
RETURNING extract(epoch FROM free - clock_timestamp())::float8 - %(step)s"""
_TELL = """
WITH brake AS (
    INSERT INTO a2e_brakes AS b(account, until) VALUES (%(account)s, clock_timestamp() + %(seconds)s * interval '1 s')
    ON CONFLICT (account) DO UPDATE SET until = greatest(b.until, excluded.until) RETURNING until)
SELECT pg_notify('a2e_brakes', json_build_array(
    %(account)s::text, %(me)s::text, extract(epoch FROM until - clock_timestamp()))::text) FROM brake"""
_LEFT = """
SELECT extract(epoch FROM until - clock_timestamp())::float8 FROM a2e_brakes
WHERE account = %s AND until > clock_timestamp()"""


async def connect(dsn: str, *statements: LiteralString) -> AsyncConnection[Any]:
    """Return a connection with autocommit, which notices within seconds that the other side is gone."""
    db = await AsyncConnection.connect(dsn, autocommit=True, **_ALIVE)
    try:
        for statement in statements:
            await db.execute(statement)
    except BaseException:
        await db.close()
        raise
    return db


class SharedRate:
    """``rate`` requests a second on average, for all who give the same name and database: for `Limits(limiter=...)`.

    Use it with ``async with``, on one event loop. Each request costs one statement. Raises what psycopg does while the
    database cannot be reached: then the session sends nothing, and tries again as it does without a connection.
    """

    def __init__(self, dsn: str, rate: float, *, name: str = "a2e") -> None:
        if not rate > 0:
            raise ConfigError(f"SharedRate: rate must be a positive number of requests a second, not {rate!r}.")
        self._dsn, self._step, self._name = dsn, 1 / rate, name
        self._db: AsyncConnection[Any] | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._db = await connect(self._dsn, _SCHEMA)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._db is not None:
            await self._db.close()

    async def acquire(self, weight: int = 1, /) -> None:
        """Take the next free place, and wait for it; a cancelled wait uses its place up."""
        step = weight * self._step
        async with self._turn:
            if self._db is None or self._db.closed:
                self._db = await connect(self._dsn)
            cursor = await self._db.execute(_TAKE, {"name": self._name, "step": step, "slack": SLACK})
            ((pause,),) = await cursor.fetchall()
        if pause > 0:
            await asyncio.sleep(pause)


def account_of(a2e: A2ESession) -> str:
    """Return what tells accounts apart in the database, and tells nothing of the token."""
    said = f"{a2e.config.base_url} {a2e.config.api_key}"
    return hashlib.blake2b(said.encode(), digest_size=16, person=b"a2e account").hexdigest()


@asynccontextmanager
async def shared_brake(a2e: A2ESession, dsn: str) -> AsyncGenerator[None]:
    """Let a 429 that one process of an account meets hold back all that run this, for as long as this block does.

    The others learn of it at once; who comes later, or comes back after its connection was lost, finds the rest of the
    pause in the database. Raises what psycopg does if the database cannot be reached at first; later it is logged, and
    each process goes by its own 429s until it can.
    """
    account, me = account_of(a2e), secrets.token_hex(8)
    met: asyncio.Queue[float] = asyncio.Queue()

    def observe(event: Event) -> None:
        if isinstance(event, Braked):
            met.put_nowait(event.seconds)

    async def tell() -> None:
        while True:
            seconds = max([await met.get(), *(met.get_nowait() for _ in range(met.qsize()))])
            async with await connect(dsn) as db:
                await db.execute(_TELL, {"account": account, "me": me, "seconds": seconds})

    async def listening() -> AsyncConnection[Any]:
        db = await connect(dsn, _SCHEMA, "LISTEN a2e_brakes")
        for (seconds,) in await (await db.execute(_LEFT, (account,))).fetchall():
            a2e.brake(seconds)
        return db

    ear = await listening()

    async def hear() -> None:
        nonlocal ear
        ear = await listening() if ear.closed else ear
        async with ear:
            async for note in ear.notifies():
                whose, teller, seconds = json.loads(note.payload)
                if whose == account and teller != me:
                    a2e.brake(seconds)

    with teller_of(a2e).observed_by(observe):
        work = asyncio.gather(lasting(tell), lasting(hear))
        try:
            yield
        finally:
            work.cancel()
            await outlast(work)


async def lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Do what never ends by itself until it is cancelled: a second after it lost its database, anew."""
    while True:
        try:
            await work()
        except (Error, OSError) as error:
            log.warning("No database for what is shared, tried again each second: %s", error)
        await asyncio.sleep(AGAIN)
