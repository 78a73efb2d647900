"""PostgreSQL as journals and workers use it: a pool that outlives a restart of the server, and the tables."""

import asyncio
import hashlib
import secrets
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from importlib import resources
from math import inf
from typing import Any, LiteralString, Self, TypeVar

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
    from psycopg_pool import AsyncConnectionPool, PoolTimeout
except ImportError as error:
    raise ImportError("this needs psycopg and procrastinate: pip install 'a2e-async[postgres]'") from error

from a2e_async._retry import waits
from a2e_async._secret import Secret
from a2e_async._surely import see_out
from a2e_async.config import RetryPolicy
from a2e_async.errors import JournalError, RequestError

T = TypeVar("T")
Db = psycopg.AsyncConnection[Any]

LAYOUT = 1
MARK = 0x41324531
"""What our advisory locks begin with."""
PATIENCE = 20.0
"""Seconds for which a statement is tried again while the database is away; less than a lease."""
_ONCE, _MOMENT = 8.0, 1.0
AGAIN = RetryPolicy(attempts=1000, base=0.2, longest=1.0)
"""Pauses until a database that is away is asked again."""
# A cut network says nothing: the kernel has to find out.
_LIVELY: dict[str, Any] = {
    "connect_timeout": 5, "keepalives_idle": 3, "keepalives_interval": 1, "keepalives_count": 3,
    "tcp_user_timeout": 5000, "application_name": "a2e-async",
}  # fmt: skip
PASSING = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, TimeoutError)


class Database:
    """One pool of connections; each statement is tried again while the database is away, so it may arrive twice."""

    def __init__(self, dsn: str) -> None:
        try:
            known = {name: value for name, value in conninfo_to_dict(dsn).items() if value is not None}
        except psycopg.Error:  # its text is the whole of it
            raise JournalError("the dsn is not of the form postgresql://user:password@host:port/database.") from None
        self.dsn = Secret(make_conninfo("", **(_LIVELY | known)))
        """With what finds a dead connection."""
        self.name = f"postgresql://{known.get('host', '')}:{known.get('port', 5432)}/{known.get('dbname', '')}"
        self._password = Secret(known.get("password") or "")
        self._pool: AsyncConnectionPool[Db] = AsyncConnectionPool(
            self.dsn, min_size=1, max_size=8, open=False, timeout=_ONCE, kwargs={"autocommit": True}, name="a2e"
        )
        self._salt = b""

    async def open(self) -> Self:
        """Look whether the tables are there; raise `JournalError` that says what is missing."""
        async with await self.connect() as db:
            self._salt = await _layout(db, self.name)
        await self._pool.open()
        return self

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.close(timeout=_ONCE)

    async def connect(self) -> Db:
        """Open a connection of one's own."""
        try:
            return await psycopg.AsyncConnection.connect(self.dsn, autocommit=True)
        except psycopg.Error as error:
            raise self.complaint(error) from None

    async def enter(self, *statements: LiteralString) -> Db:
        """Open a connection of one's own, if the tables are there, and begin with these; `open` is not needed."""
        db = await self.connect()
        try:
            self._salt = await _layout(db, self.name)
            for statement in statements:
                await db.execute(statement)
        except BaseException:
            await db.close()
            raise
        return db

    async def rows(
        self, sql: LiteralString, values: Sequence[object] | dict[str, object] = ()
    ) -> list[tuple[Any, ...]]:
        """Return what a statement returns, once that is durable."""

        async def ask(db: Db) -> list[tuple[Any, ...]]:
            found = await db.execute(sql, values)
            return await found.fetchall() if found.description else []

        return await self.do(ask)

    async def do(self, work: Callable[[Db], Awaitable[T]]) -> T:
        """Return what the work returns, once it succeeds; it must do no harm if it is done twice."""
        # In a task of its own: the pool may lose a cancellation (see `end`), and whoever waits here must not.
        doing = asyncio.ensure_future(self._do(work))
        try:
            await asyncio.wait([doing])
        except asyncio.CancelledError as cancelled:
            doing.cancel()
            raise await see_out(doing, inf, cancelled) from None
        return doing.result()

    async def _do(self, work: Callable[[Db], Awaitable[T]]) -> T:
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE
        for pause in waits(AGAIN):
            once = loop.time() + _ONCE
            try:
                async with asyncio.timeout_at(once + _MOMENT), self._pool.connection(timeout=_ONCE) as db:
                    # Cancelled over a dead connection, psycopg would wait for its server for long.
                    cut = loop.call_at(once, _cut, db)
                    try:
                        return await work(db)
                    finally:
                        cut.cancel()
            except psycopg.DataError as error:
                raise RequestError(f"PostgreSQL cannot keep this: {error}") from None
            except psycopg.Error as error:
                if loop.time() >= end or not isinstance(error, PASSING):
                    raise self.complaint(error) from None
            except TimeoutError as error:
                if loop.time() >= end:
                    raise self.complaint(error) from None
            await asyncio.sleep(pause)
        raise AssertionError

    def complaint(self, error: Exception) -> JournalError:
        """Say what an error of the database means; its password is left out."""
        text = " ".join(str(error).split()) or "no answer in time"
        text = text.replace(self._password, "***") if self._password else text
        return JournalError(f"journal {self.name} cannot be used ({text}). Nothing is lost: run again when it is back.")

    def hashed(self, account: str) -> bytes:
        """Return what is kept of an account."""
        return hashlib.blake2b(account.encode(), key=self._salt, digest_size=16).digest()

    async def enrol(self, kind: str, name: str, account: str, *, rekey: bool = False) -> int:
        """Return the number of a batch, made if there is none; `JournalError` where it is another account's."""
        mine = self.hashed(account)
        sql = """INSERT INTO a2e_batches AS b(kind, name, account) VALUES (%s, %s, %s) ON CONFLICT(kind, name)
            DO UPDATE SET account = CASE WHEN %s THEN excluded.account ELSE b.account END RETURNING id, account"""
        [(number, known)] = await self.rows(sql, (kind, name, mine, rekey))
        if known != mine:
            raise JournalError(
                f"journal {self.name}: its {kind} batch {name!r} belongs to another account, or to another key or "
                "base_url: give this one a name of its own. If it is the same account with a new key, say so with "
                "rekey=True (a2e batch --rekey)."
            )
        return int(number)


def _cut(db: Db) -> None:
    wire = socket.socket(fileno=db.pgconn.socket)
    with suppress(OSError):
        wire.shutdown(socket.SHUT_RDWR)
    wire.detach()


async def migrate(dsn: str) -> bool:
    """Make the tables that are missing, procrastinate's too; return whether there were any.

    Raises `JournalError` where a newer version has been here, or the database cannot be used.
    """
    from procrastinate.schema import SchemaManager  # noqa: PLC0415 - a journal alone does not need it

    database = Database(dsn)
    try:
        async with await database.connect() as db, db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock(%s, 0)", (MARK,))
            found = [await _there(db, name) for name in ("a2e_layout", "procrastinate_jobs")]
            if found[0]:
                await _layout(db, database.name)
            else:
                await db.execute((resources.files("a2e_async.integrations") / "postgres.sql").read_bytes())
                await db.execute("INSERT INTO a2e_layout VALUES (%s, %s)", (LAYOUT, secrets.token_bytes(16)))
            if not found[1]:
                await db.execute(SchemaManager.get_schema())
    except psycopg.Error as error:
        raise database.complaint(error) from None
    return not all(found)


async def _there(db: Db, table: str) -> bool:
    row = await (await db.execute("SELECT to_regclass(%s) IS NOT NULL", (table,))).fetchone()
    return bool(row and row[0])


async def _layout(db: Db, name: str) -> bytes:
    if not await _there(db, "a2e_layout"):
        raise JournalError(f"{name} has no tables of a2e-async: make them with `a2e migrate`.")
    row = await (await db.execute("SELECT version, salt FROM a2e_layout")).fetchone()
    version, salt = row or (0, b"")
    if version > LAYOUT:
        raise JournalError(
            f"{name} was set up by a newer a2e-async (layout {version}; this one knows {LAYOUT}): upgrade."
        )
    return bytes(salt)
