"""What the processes of one account share through PostgreSQL: a rate, and the brake after a 429. Times are its own."""

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from a2e_async._ledger import account_of
from a2e_async._surely import outlast
from a2e_async._telling import teller_of
from a2e_async.errors import ConfigError, JournalError
from a2e_async.integrations._database import PASSING, Database, Db
from a2e_async.observer import Braked, Event
from a2e_async.session import A2ESession

log = logging.getLogger("a2e_async.shared")
AGAIN = 1.0
"""Seconds until a lost connection is made anew."""
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
    brake = _Brake(a2e, dsn)
    await brake.listen()
    with teller_of(a2e).observed_by(brake.observe):
        work = asyncio.create_task(_together(brake.tell, brake.hear), name="a2e-brake")
        try:
            yield
        finally:
            work.cancel()
            await outlast(work)
            await brake.ear.close()


class _Brake:
    ear: Db

    def __init__(self, a2e: A2ESession, dsn: str) -> None:
        self._a2e, self._database, self._me = a2e, Database(dsn), secrets.token_hex(8)
        self._met: asyncio.Queue[float] = asyncio.Queue()

    @property
    def _account(self) -> bytes:
        return self._database.hashed(account_of(self._a2e.config))

    def observe(self, event: Event) -> None:
        if isinstance(event, Braked):
            self._met.put_nowait(event.seconds)

    async def tell(self) -> None:
        while True:
            seconds = max([await self._met.get(), *(self._met.get_nowait() for _ in range(self._met.qsize()))])
            async with await self._database.enter() as db:
                await db.execute(_TELL, {"account": self._account, "me": self._me, "seconds": seconds})

    async def listen(self) -> None:
        self.ear = await self._database.enter("LISTEN a2e_brakes")
        for (seconds,) in await (await self.ear.execute(_LEFT, (self._account,))).fetchall():
            self._a2e.brake(seconds)

    async def hear(self) -> None:
        if self.ear.closed:
            await self.listen()
        account = self._account.hex()
        async with self.ear:
            async for note in self.ear.notifies():
                whose, teller, seconds = json.loads(note.payload)
                if whose == account and teller != self._me:
                    self._a2e.brake(seconds)


async def lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Do what never ends by itself until it is cancelled: a second after it lost its database, anew."""
    while True:
        try:
            await work()
        except (JournalError, *PASSING) as error:
            log.warning("No database for what is shared, tried again each second: %s", error)
        await asyncio.sleep(AGAIN)


async def _together(*works: Callable[[], Awaitable[None]]) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(lasting(work))
