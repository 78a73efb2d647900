"""What the processes of one account share through PostgreSQL: a rate, and the brake after a 429. Times are its own."""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import LiteralString, Self

from a2e_async._ledger import account_of
from a2e_async._surely import end
from a2e_async._telling import teller_of
from a2e_async.errors import ConfigError, JournalError
from a2e_async.integrations._database import PASSING, Database, Db
from a2e_async.observer import Braked, Event
from a2e_async.session import A2ESession

__all__ = ["SharedRate", "shared_brake"]

log = logging.getLogger("a2e_async.shared")
AGAIN = 1.0
"""Seconds until a lost connection is made anew."""
_QUIET = 60.0
_TAKE = """
INSERT INTO a2e_rates AS r(name, free) VALUES (%(name)s, clock_timestamp() + %(step)s * interval '1 s')
ON CONFLICT (name) DO UPDATE
SET free = greatest(r.free, clock_timestamp() - interval '0.1 s') + %(step)s * interval '1 s'
RETURNING extract(epoch FROM free - clock_timestamp())::float8 - %(step)s"""
_TELL = """
WITH brake AS (
    INSERT INTO a2e_brakes AS b(account, until) VALUES (%(account)s, clock_timestamp() + %(seconds)s * interval '1 s')
    ON CONFLICT (account) DO UPDATE SET until = greatest(b.until, excluded.until) RETURNING until)
SELECT pg_notify('a2e_brakes', json_build_array(
    encode(%(account)s, 'hex'), %(me)s::text, extract(epoch FROM until - clock_timestamp()))::text) FROM brake"""
_LEFT = """
SELECT extract(epoch FROM until - clock_timestamp())::float8 FROM a2e_brakes
WHERE account = %s AND until > clock_timestamp()"""


class SharedRate:
    """``rate`` requests a second on average, for all who give the same database and name: for `Limits(limiter=...)`.

    Use it with ``async with``, on one event loop. Each request costs one statement. Unused rate saves up for a tenth of
    a second. Raises `JournalError` where the tables are missing (`a2e migrate`); while the database is away, a session
    sends nothing, and tries again as it does where it cannot connect.
    """

    def __init__(self, dsn: str, rate: float, *, name: str = "a2e") -> None:
        if not rate > 0:
            raise ConfigError(f"SharedRate: rate must be a positive number of requests a second, not {rate!r}.")
        self._database, self._step, self._name = Database(dsn), 1 / rate, name
        self._db: Db | None = None
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        self._db = await self._database.enter()
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
                self._db = await self._database.enter()
            [(pause,)] = await (await self._db.execute(_TAKE, {"name": self._name, "step": step})).fetchall()
        if pause > 0:
            await asyncio.sleep(pause)


@asynccontextmanager
async def shared_brake(a2e: A2ESession, dsn: str) -> AsyncGenerator[None]:
    """Let a 429 that one process of an account meets hold back all that run this, for as long as this block does.

    The others learn of it at once; who comes later, or comes back after its connection was lost, finds the rest of the
    pause in the database. Raises `JournalError` if that cannot be used at first; later it is logged, and each process
    goes by its own 429s until it can.
    """
    database, me = Database(dsn), secrets.token_hex(8)
    met: asyncio.Queue[float] = asyncio.Queue()

    def account() -> bytes:
        return database.hashed(account_of(a2e.config))

    def observe(event: Event) -> None:
        if isinstance(event, Braked):
            met.put_nowait(event.seconds)

    def heard(text: str) -> None:
        whose, teller, seconds = json.loads(text)
        if whose == account().hex() and teller != me:
            a2e.brake(seconds)

    async def missed(db: Db) -> None:
        for (seconds,) in await (await db.execute(_LEFT, (account(),))).fetchall():
            a2e.brake(seconds)

    async def tell() -> None:
        while True:
            seconds = max([await met.get(), *(met.get_nowait() for _ in range(met.qsize()))])
            async with await database.enter() as db:
                await db.execute(_TELL, {"account": account(), "me": me, "seconds": seconds})

    async with hearing(database, "LISTEN a2e_brakes", heard, missed), going_on(tell):
        with teller_of(a2e).observed_by(observe):
            yield


@asynccontextmanager
async def hearing(
    database: Database, listen: LiteralString, heard: Callable[[str], None], missed: Callable[[Db], Awaitable[None]]
) -> AsyncGenerator[None]:
    """Hear what is told on a channel; after each connecting, the first included, ask what was told before."""
    ear = await database.enter(listen)

    async def hear() -> None:
        nonlocal ear
        ear = await database.enter(listen) if ear.closed else ear
        async with ear:
            await missed(ear)
            async for note in ear.notifies():
                heard(note.payload)

    try:
        await missed(ear)
        async with going_on(hear):
            yield
    finally:
        await ear.close()


@asynccontextmanager
async def going_on(work: Callable[[], Awaitable[None]]) -> AsyncGenerator[None]:
    """Have something done while the block runs; a second after it lost its database, anew."""
    task = asyncio.create_task(lasting(work), name="a2e-shared")
    try:
        yield
    finally:
        await end(task)


async def lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Do what never ends by itself until it is cancelled: a second after it lost its database, anew."""
    told = -_QUIET
    while True:
        try:
            await work()
        except (JournalError, *PASSING) as error:
            if (now := asyncio.get_running_loop().time()) - told >= _QUIET:
                told = now
                log.warning("No database for what is shared, tried again each second: %s", error)
        await asyncio.sleep(AGAIN)
