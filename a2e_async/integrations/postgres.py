"""The journal of batches in PostgreSQL, for many processes on many machines: ``journal="postgresql://..."``.

No lock says who is at work on a job: each change names the state of the row that it was decided on, its ``fence``, and
comes to nothing where somebody else changed it since. Times are the database's, so clocks need not agree.
"""

import asyncio
import os
import platform
import secrets
import time
from collections.abc import Sequence
from typing import Any, LiteralString, Self, cast

import msgspec

from a2e_async._budget import WaitingError
from a2e_async._rows import LEASE, Count, Done, Entry, Head, Phase, Summary, checked
from a2e_async.errors import BudgetExceededError, JournalError
from a2e_async.integrations._database import LAYOUT, MARK, Database, Db, migrate

__all__ = ["LAYOUT", "Database", "PostgresJournal", "TakenError", "migrate"]

# Nobody can be sending it any more, once its lease is over and the answer cannot come.
_DOUBTED = f"CASE phase WHEN 'sending' THEN coalesce(doubted, intended + interval '{LEASE:g} s') ELSE doubted END"
_TIMES = {"created": "created", "intended": "intended", "doubted": _DOUBTED, "ended": "ended"}


def _columns(kind: type[tuple[Any, ...]]) -> str:
    ages = {name: f"extract(epoch FROM clock_timestamp() - ({column}))::float8" for name, column in _TIMES.items()}
    names: tuple[str, ...] = vars(kind)["_fields"]
    return ", ".join(ages.get(name) or name for name in names)


_ENTRY: LiteralString = cast("Any", _columns(Entry))
_HEAD: LiteralString = cast("Any", _columns(Head))


class TakenError(JournalError):
    """Somebody else went on with the job: nothing was written, and nothing more may be done on what was known."""


class _Fence(msgspec.Struct):
    job: int
    key: str
    value: str


class PostgresJournal:
    """The journal of one batch, a `Ledger`. What somebody else changed meanwhile raises `TakenError`."""

    lease = LEASE

    def __init__(self, database: Database, batch: int) -> None:
        self.database, self.batch = database, batch
        self._fences: dict[int | str, _Fence] = {}
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
        db = await database.connect()
        # The server is to find out as well, or a machine that is cut off would hold it for hours.
        await db.execute("SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 1; SET tcp_user_timeout = 9000")
        found = await (await db.execute("SELECT pg_try_advisory_lock(%s, %s::int)", (MARK, self.batch))).fetchone()
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
            self._keep(_Fence(entry.id, key, fence))
        return entry

    def forget(self, key: str | int) -> None:
        """Keep in memory nothing more of a job, named by its key or its number."""
        if known := self._fences.pop(key, None):
            for other in (known.job, known.key):
                self._fences.pop(other, None)

    def _keep(self, fence: "_Fence") -> None:
        self._fences[fence.job] = self._fences[fence.key] = fence

    async def intend(  # noqa: PLR0913 - what an intent consists of
        self, key: str, digest: bytes, request: bytes, tag: str | None, price: float, *, anchor: str | None = None
    ) -> int:
        """Note that a job is about to be sent, which must not happen before this returns its number.

        Raises `BudgetExceededError` where all workers together would spend more than the batch may, `WaitingError`
        where that is not certain yet.
        """
        old, new = self._fence(key), secrets.token_hex(8)
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
            self._keep(_Fence(int(job), key, new))
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
        self.forget(job)

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
        old, new = self._fence(job), secrets.token_hex(8)
        # Sent twice, the second finds the fence that the first has left.
        sql: LiteralString = f"""UPDATE a2e_jobs SET fence = %(new)s, {sets}
            WHERE id = %(job)s AND (fence IN (%(old)s, %(new)s) OR {or_else}) RETURNING {back}"""
        rows = await self.database.rows(sql, {"job": job, "old": old, "new": new} | values)
        if not rows:
            raise self._taken(str(job))
        if known := self._fences.get(job):
            known.value = new
        return rows[0]

    def _fence(self, job: int | str) -> str:
        known = self._fences.get(job)
        return known.value if known else ""

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
