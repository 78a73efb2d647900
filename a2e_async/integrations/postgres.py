"""The journal of batches in PostgreSQL, for many processes on many machines: ``journal="postgresql://..."``.

No lock says who is at work on a job: each change names the state of the row that it was decided on, its ``fence``, and
comes to nothing where somebody else changed it since. Times are the database's, so clocks need not agree.
"""

import asyncio
import hashlib
import os
import platform
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import resources
from typing import Any, LiteralString, Self, TypeVar, cast

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo
    from psycopg_pool import AsyncConnectionPool, PoolTimeout
except ImportError as error:
    raise ImportError("this needs psycopg and procrastinate: pip install 'a2e-async[postgres]'") from error

from a2e_async._retry import waits
from a2e_async._rows import LEASE, Count, Done, Entry, Head, Phase, Summary, checked
from a2e_async._secret import Secret
from a2e_async.config import RetryPolicy
from a2e_async.errors import BudgetExceededError, JournalError, RequestError

T = TypeVar("T")
Db = psycopg.AsyncConnection[Any]

LAYOUT = 1
PATIENCE = 20.0
"""Seconds for which a statement is tried again while the database is away; less than a lease."""
_MARK = 0x41324531
_ONCE = 8.0
_AGAIN = RetryPolicy(attempts=1000, base=0.2, longest=1.0)
# A cut network says nothing: the kernel has to find out.
_LIVELY: dict[str, Any] = {
    "connect_timeout": 5, "keepalives_idle": 3, "keepalives_interval": 1, "keepalives_count": 3,
    "tcp_user_timeout": 5000, "application_name": "a2e-async",
}  # fmt: skip
_PASSING = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, TimeoutError)
# Nobody can be sending it any more, once its lease is over and the answer cannot come.
_DOUBTED = f"CASE phase WHEN 'sending' THEN coalesce(doubted, intended + interval '{LEASE:g} s') ELSE doubted END"
_TIMES = {"created": "created", "intended": "intended", "doubted": _DOUBTED, "ended": "ended"}


def _columns(kind: type[tuple[Any, ...]]) -> LiteralString:
    ages = {name: f"extract(epoch FROM clock_timestamp() - ({column}))::float8" for name, column in _TIMES.items()}
    names: tuple[str, ...] = vars(kind)["_fields"]
    return cast("Any", ", ".join(ages.get(name) or name for name in names))


_ENTRY, _HEAD = _columns(Entry), _columns(Head)


class TakenError(JournalError):
    """Somebody else went on with the job: nothing was written, and nothing more may be done on what was known."""


class WaitingError(BudgetExceededError):
    """It does not fit for now, as submissions without an answer count twice."""


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
        self._password = str(known.get("password") or "")
        self._pool: AsyncConnectionPool[Db] = AsyncConnectionPool(
            self.dsn, min_size=1, max_size=8, open=False, timeout=_ONCE, kwargs={"autocommit": True}, name="a2e"
        )
        self._salt = b""

    async def open(self) -> Self:
        """Look whether the tables are there; raise `JournalError` that says what is missing."""
        try:
            async with await self.connect() as db:
                self._salt = await _layout(db, self.name)
            await self._pool.open()
        except _PASSING as error:
            raise self.complaint(error) from None
        return self

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.close(timeout=_ONCE)

    async def connect(self) -> Db:
        """Open a connection of one's own."""
        return await psycopg.AsyncConnection.connect(self.dsn, autocommit=True)

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
        end = time.monotonic() + PATIENCE
        for pause in waits(_AGAIN):
            try:
                async with asyncio.timeout(_ONCE), self._pool.connection(timeout=_ONCE) as db:
                    return await work(db)
            except psycopg.DataError as error:
                raise RequestError(f"PostgreSQL cannot keep this: {error}") from None
            except psycopg.Error as error:
                if time.monotonic() >= end or not isinstance(error, _PASSING):
                    raise self.complaint(error) from None
            except TimeoutError as error:
                if time.monotonic() >= end:
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


class PostgresJournal:
    """The journal of one batch, a `Ledger`. What somebody else changed meanwhile raises `TakenError`."""

    lease = LEASE

    def __init__(self, database: Database, batch: int) -> None:
        self.database, self.batch = database, batch
        self._fences: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._holding: Db | None = None
        self._later: set[asyncio.Task[object]] = set()

    @classmethod
    async def open(cls, dsn: str, *, kind: str, account: str, name: str = "", rekey: bool = False) -> Self:
        """Take up a batch for this process alone; raise `JournalError` as `Journal.open` does."""
        database = await Database(dsn).open()
        try:
            journal = cls(database, await database.enrol(kind, name, account, rekey=rekey))
            await journal._hold(kind, name)
        except BaseException:
            await database.aclose()
            raise
        return journal

    async def _hold(self, kind: str, name: str) -> None:
        database, me = self.database, f"process {os.getpid()} on {platform.node()}"
        try:
            db = await database.connect()
            # The server is to find out as well, or a machine that is cut off would hold it for hours.
            await db.execute(
                "SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 1; SET tcp_user_timeout = 9000"
            )
            found = await (await db.execute("SELECT pg_try_advisory_lock(%s, %s::int)", (_MARK, self.batch))).fetchone()
        except psycopg.Error as error:
            raise database.complaint(error) from None
        if not (found and found[0]):
            await db.close()
            [(holder,)] = await database.rows("SELECT holder FROM a2e_batches WHERE id = %s", (self.batch,))
            batch = f"the {kind} batch {name!r}" if name else f"its {kind} batch"
            raise JournalError(
                f"journal {database.name}: {batch} is held by {holder or 'another process'}. Wait until that has "
                "ended, or give this batch a name of its own."
            )
        self._holding = db
        await database.rows("UPDATE a2e_batches SET holder = %s WHERE id = %s", (me, self.batch))

    async def aclose(self) -> None:
        """Write what is still to be written, and let others have the batch; only after `open`."""
        if self._later:
            await asyncio.wait(self._later)
        if self._holding is not None:
            await self._holding.close()
            await self.database.aclose()

    async def find(self, key: str) -> Entry | None:
        """Return what is known of a job; the changes of it that come next count on this."""
        sql: LiteralString = f"SELECT {_ENTRY}, fence FROM a2e_jobs WHERE batch = %s AND key = %s"
        rows = await self.database.rows(sql, (self.batch, key))
        if not rows:
            return None
        *row, fence = rows[0]
        entry = self._read(row)
        if entry.phase != Phase.DONE:
            self._numbers[key], self._fences[entry.id] = entry.id, str(fence)
        return entry

    async def intend(  # noqa: PLR0913 - what an intent consists of
        self, key: str, digest: bytes, request: bytes, tag: str | None, price: float, *, anchor: str | None = None
    ) -> int:
        """Note that a job is about to be sent, which must not happen before this returns its number.

        Raises `BudgetExceededError` where all workers together would spend more than the batch may.
        """
        old, new = self._fences.get(self._numbers.get(key, 0), ""), secrets.token_hex(8)
        values = (self.batch, key, digest, request, tag, price, anchor, old, new)
        try:
            sql = "SELECT * FROM a2e_intend(%s, %s, %s, %s, %s, %s, %s, %s, %s)"
            [(job, most, spent, waiting)] = await self.database.rows(sql, values)
        except asyncio.CancelledError:
            # Written or not: it will not be sent.
            undo = (
                "UPDATE a2e_jobs SET phase = 'new', tag = NULL, fence = %s WHERE batch = %s AND key = %s AND fence = %s"
            )
            task = asyncio.ensure_future(self.database.rows(undo, (secrets.token_hex(8), self.batch, key, new)))
            self._later.add(task)
            task.add_done_callback(self._later.discard)
            raise
        if job is not None:
            self._numbers[key], self._fences[int(job)] = int(job), new
            return int(job)
        if most is None:
            raise self._taken(repr(key))
        more = f", and the next job may cost {price:g}" if price else ""
        text = f"{spent:g} of max_coins={most:g} are spent{more}. Raise max_coins and run again to continue."
        raise WaitingError(text) if waiting else BudgetExceededError(text)

    async def started(self, job: int, task_id: str, coins: float | None) -> None:
        """Note the task that a job became."""
        await self._change(job, "phase = 'sent', task_id = %(task)s, coins = %(coins)s", task=task_id, coins=coins)

    async def adopted(self, job: int, task_id: str, coins: float | None, twins: str, lost: float) -> None:
        """Note the task that a job turned out to be, and further ones with what they cost."""
        sets = """phase = 'sent', task_id = %(task)s, coins = %(coins)s, twins = %(twins)s,
            lost = lost + CASE fence WHEN %(new)s THEN 0 ELSE %(lost)s END"""
        await self._change(job, sets, task=task_id, coins=coins, twins=twins, lost=lost)

    async def withdrawn(self, job: int) -> None:
        """Note that a job was certainly not started, or taken back."""
        await self._change(job, "phase = 'new', tag = NULL, task_id = '', coins = NULL")

    async def given_up(self, job: int, why: str) -> None:
        """Note why a job goes no further for now, though it has no end."""
        await self._change(job, "reason = %(why)s", why=why.replace("\0", " "))

    async def doubted(self, job: int) -> Entry:
        """Note that a job was sent and its answer lost; return all that is known of it."""
        return self._read(await self._change(job, "doubted = clock_timestamp()", _ENTRY))

    async def ended(
        self, job: int, phase: Phase, coins: float | None, *, record: bytes | None = None, failure: bytes | None = None
    ) -> None:
        """Note how a job ended, which nobody must be told before this returns; others may have noted the same."""
        sets = """phase = %(phase)s, coins = %(coins)s, record = %(record)s, failure = %(failure)s,
            ended = clock_timestamp(), reason = ''"""
        known: dict[str, Any] = {"phase": phase.value, "coins": coins, "record": record, "failure": failure}
        await self._change(job, sets, or_else="phase = %(phase)s", **known)
        self._fences.pop(job, None)

    async def saved(self, job: int, path: str) -> None:
        """Note where a result lies."""
        await self.database.rows("UPDATE a2e_jobs SET path = %s WHERE id = %s", (path, job))

    async def unfinished(self, after: int = 0, limit: int = 500) -> list[Entry]:
        """Return jobs without an end, in the order of their numbers."""
        sql: LiteralString = f"""SELECT {_ENTRY} FROM a2e_jobs WHERE batch = %s AND id > %s
            AND phase IN ('new', 'sending', 'sent') ORDER BY id LIMIT %s"""
        return [self._read(row) for row in await self.database.rows(sql, (self.batch, after, limit))]

    async def lately_done(self, limit: int) -> list[Done]:
        """Return the records of the tasks done last, the oldest first, and the seconds from intent to end."""
        sql = """SELECT record, greatest(0, extract(epoch FROM ended - intended))::float8 FROM a2e_jobs
            WHERE batch = %s AND phase = 'done' ORDER BY id DESC LIMIT %s"""
        rows = await self.database.rows(sql, (self.batch, limit))
        return [checked(self.database.name, row, Done) for row in rows[::-1]]

    async def summary(self) -> Summary:
        """Return the batch's counts and coins."""
        heads: LiteralString = f"SELECT {_HEAD} FROM a2e_batches WHERE id = %s"
        sql = "SELECT phase, count(*), sum(a2e_coins(j))::float8 FROM a2e_jobs j WHERE batch = %s GROUP BY phase"
        [row] = await self.database.rows(heads, (self.batch,))
        head = checked(self.database.name, _local(row, Head), Head)
        found = [checked(self.database.name, row, Count) for row in await self.database.rows(sql, (self.batch,))]
        counts = {phase.value: 0 for phase in Phase} | {one.phase.value: one.jobs for one in found}
        return Summary(*head, counts, sum(one.coins for one in found))

    async def _change(
        self,
        job: int,
        sets: LiteralString,
        back: LiteralString = "id",
        or_else: LiteralString = "false",
        **values: object,
    ) -> tuple[Any, ...]:
        old, new = self._fences.get(job, ""), secrets.token_hex(8)
        # Sent twice, the second finds the fence that the first has left.
        sql: LiteralString = f"""UPDATE a2e_jobs SET fence = %(new)s, {sets}
            WHERE id = %(job)s AND (fence IN (%(old)s, %(new)s) OR {or_else}) RETURNING {back}"""
        rows = await self.database.rows(sql, {"job": job, "old": old, "new": new} | values)
        if not rows:
            raise self._taken(str(job))
        self._fences[job] = new
        return rows[0]

    def _taken(self, job: str) -> TakenError:
        return TakenError(
            f"journal {self.database.name}: another worker went on with job {job}; it is left to that one."
        )

    def _read(self, row: Sequence[Any]) -> Entry:
        return checked(self.database.name, _local(row, Entry), Entry)


def _local(row: Sequence[Any], kind: type[tuple[Any, ...]]) -> tuple[Any, ...]:
    now, names = time.time(), vars(kind)["_fields"]
    return tuple(
        max(0.0, now - value) if name in _TIMES and value is not None else value
        for name, value in zip(names, row, strict=True)
    )


async def migrate(dsn: str) -> bool:
    """Make the tables that are missing, procrastinate's too; return whether there were any.

    Raises `JournalError` where a newer version has been here, or the database cannot be used.
    """
    from procrastinate.schema import SchemaManager  # noqa: PLC0415 - a journal alone does not need it

    database = Database(dsn)
    try:
        async with await database.connect() as db, db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock(%s, 0)", (_MARK,))
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
