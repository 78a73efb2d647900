"""What a batch has paid for, on disk: written before each submission, after it, and at its end.

One SQLite file (WAL, ``synchronous=FULL``) may hold many batches; a batch belongs to one process at a time.
"""

import hashlib
import os
import platform
import secrets
import sqlite3
import time
from asyncio import CancelledError
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Self

from a2e_async._lock import held, seize
from a2e_async._rows import DAMAGED, Count, Done, Entry, Head, Owner, Phase, Summary, checked
from a2e_async._writer import UNUSABLE, Writer, complaint
from a2e_async.errors import JournalError

APPLICATION = 0x41324531
VERSION = 1
_BUSY = 30.0
_SCHEMA = (
    """CREATE TABLE batches(
        id INTEGER PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, salt BLOB NOT NULL, account BLOB NOT NULL,
        created REAL NOT NULL, holder TEXT NOT NULL DEFAULT '', UNIQUE(kind, name))""",
    """CREATE TABLE jobs(
        id INTEGER PRIMARY KEY, batch INTEGER NOT NULL REFERENCES batches(id), key TEXT NOT NULL,
        digest BLOB NOT NULL, request BLOB NOT NULL, phase TEXT NOT NULL, tag TEXT UNIQUE, anchor TEXT,
        task_id TEXT NOT NULL DEFAULT '', price REAL NOT NULL DEFAULT 0, coins REAL, intended REAL NOT NULL,
        doubted REAL, ended REAL, record BLOB, failure BLOB, path TEXT, twins TEXT NOT NULL DEFAULT '',
        lost REAL NOT NULL DEFAULT 0, UNIQUE(batch, key))""",
    "CREATE INDEX jobs_open ON jobs(batch, id) WHERE phase IN ('new', 'sending', 'sent')",
    f"PRAGMA application_id = {APPLICATION}",
    f"PRAGMA user_version = {VERSION}",
)


_COLUMNS = ", ".join(Entry._fields)


class Journal:
    """The journal of one batch, a `Ledger`; from `open` to `aclose` it is this process's alone."""

    lease = inf

    def __init__(self, path: Path, writer: Writer) -> None:
        self.path = path
        self._writer = writer
        self._lock: sqlite3.Connection | None = None
        self._batch = 0

    @classmethod
    async def open(
        cls, path: str | os.PathLike[str], *, kind: str, account: str, name: str = "", rekey: bool = False
    ) -> Self:
        """Take up a batch. ``account`` is what tells accounts apart; only a salted hash of it is kept.

        Raises `JournalError` if the file is no journal, of a newer version, of another account (unless ``rekey`` says
        that it is the same one with a new key), held by another process, or cannot be written.
        """
        place = Path(path)
        journal = cls(place, Writer(place))
        try:
            connect = partial(journal._connect, kind, name, account, rekey=rekey)
            await journal._writer.open(connect, journal._leave)
        except BaseException:
            await journal.aclose()
            raise
        return journal

    async def aclose(self) -> None:
        """Write what is still to be written, and let others have the batch."""
        if self._lock is not None:
            self._writer.later(lambda db: db.execute("UPDATE batches SET holder = '' WHERE id = ?", (self._batch,)))
        await self._writer.aclose()

    async def find(self, key: str) -> Entry | None:
        """Return what is known of a job."""
        sql = f"SELECT {_COLUMNS} FROM jobs WHERE batch = ? AND key = ?"
        row = await self._writer.do(lambda db: db.execute(sql, (self._batch, key)).fetchone())
        return checked(self.path, row, Entry) if row else None

    async def intend(  # noqa: PLR0913 - what an intent consists of
        self, key: str, digest: bytes, request: bytes, tag: str | None, price: float, *, anchor: str | None = None
    ) -> int:
        """Note that a job is about to be sent, which must not happen before this returns its number."""
        sql = """INSERT INTO jobs(batch, key, digest, request, phase, tag, price, anchor, intended)
            VALUES (?, ?, ?, ?, 'sending', ?, ?, ?, ?) ON CONFLICT(batch, key) DO UPDATE SET
            digest = excluded.digest, request = excluded.request, phase = 'sending', tag = excluded.tag,
            price = excluded.price, anchor = excluded.anchor, intended = excluded.intended, task_id = '',
            coins = NULL, doubted = NULL, ended = NULL, record = NULL, failure = NULL, path = NULL,
            lost = lost + iif(phase = 'uncertain', price, 0) RETURNING id"""
        values = (self._batch, key, digest, request, tag, price, anchor, time.time())
        try:
            row = await self._writer.do(lambda db: db.execute(sql, values).fetchone())
        except CancelledError:
            # Written or not: it will not be sent.
            undo = "UPDATE jobs SET phase = 'new', tag = NULL WHERE batch = ? AND key = ?"
            self._writer.later(lambda db: db.execute(undo, (self._batch, key)))
            raise
        return int(row[0])

    async def started(self, job: int, task_id: str, coins: float | None) -> None:
        """Note the task that a job became."""
        await self._set(job, phase=Phase.SENT, task_id=task_id, coins=coins)

    async def adopted(self, job: int, task_id: str, coins: float | None, twins: str, lost: float) -> None:
        """Note the task that a job turned out to be, and further ones with what they cost."""
        sql = "UPDATE jobs SET phase = 'sent', task_id = ?, coins = ?, twins = ?, lost = lost + ? WHERE id = ?"
        await self._writer.do(lambda db: db.execute(sql, (task_id, coins, twins, lost, job)))

    async def withdrawn(self, job: int) -> None:
        """Note that a job was certainly not started, or taken back."""
        await self._set(job, phase=Phase.NEW, tag=None, task_id="", coins=None)

    async def doubted(self, job: int) -> Entry:
        """Note that a job was sent and its answer lost; return all that is known of it."""
        sql = f"UPDATE jobs SET doubted = ? WHERE id = ? RETURNING {_COLUMNS}"
        row = await self._writer.do(lambda db: db.execute(sql, (time.time(), job)).fetchone())
        return checked(self.path, row, Entry)

    async def ended(
        self, job: int, phase: Phase, coins: float | None, *, record: bytes | None = None, failure: bytes | None = None
    ) -> None:
        """Note how a job ended, which nobody must be told before this returns."""
        await self._set(job, phase=phase, coins=coins, record=record, failure=failure, ended=time.time())

    async def saved(self, job: int, path: str) -> None:
        """Note where a result lies."""
        await self._set(job, path=path)

    async def unfinished(self, after: int = 0, limit: int = 500) -> list[Entry]:
        """Return jobs without an end, in the order of their numbers."""
        sql = f"""SELECT {_COLUMNS} FROM jobs WHERE batch = ? AND id > ? AND phase IN ('new', 'sending', 'sent')
            ORDER BY id LIMIT ?"""
        rows = await self._writer.do(lambda db: db.execute(sql, (self._batch, after, limit)).fetchall())
        found = [checked(self.path, row, Entry) for row in rows]
        # Whoever goes on after the last one would come by here for ever.
        if any(one >= other for one, other in pairwise([after, *(entry.id for entry in found)])):
            raise JournalError(f"journal {self.path} {DAMAGED} (the index of its open jobs is out of order)")
        return found

    async def lately_done(self, limit: int) -> list[Done]:
        """Return the records of the tasks done last, the oldest first, and the seconds from intent to end."""
        sql = """SELECT record, max(0.0, ended - intended) FROM jobs WHERE batch = ? AND phase = 'done'
            ORDER BY id DESC LIMIT ?"""
        rows = await self._writer.do(lambda db: db.execute(sql, (self._batch, limit)).fetchall())
        return [checked(self.path, row, Done) for row in rows[::-1]]

    async def summary(self) -> Summary:
        """Return the batch's counts and coins."""
        return await self._writer.do(lambda db: next(_summaries(self.path, db, self._batch)))

    async def _set(self, job: int, **values: str | float | bytes | None) -> None:
        sql = f"UPDATE jobs SET {', '.join(f'{name} = ?' for name in values)} WHERE id = ?"
        await self._writer.do(lambda db: db.execute(sql, (*values.values(), job)))

    def _connect(self, kind: str, name: str, account: str, place: str, *, rekey: bool) -> sqlite3.Connection:
        # Inputs and results are nobody else's business. What is there already must not be opened on the side: closing
        # it would drop the locks that other batches of this process hold on it, and with them their notes.
        with suppress(FileExistsError):
            os.close(os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        db = sqlite3.connect(place, timeout=_BUSY, isolation_level=None, check_same_thread=False)
        try:
            check(self.path, db, fresh=True)
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            if not db.execute("PRAGMA application_id").fetchone()[0]:
                for statement in _SCHEMA:
                    db.execute(statement)
            self._batch, holder = self._enrol(db, kind, name, account, rekey=rekey)
            self._lock = self._locked(kind, name, holder, place)
            me = f"process {os.getpid()} on {platform.node()} since {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
            db.execute("UPDATE batches SET holder = ? WHERE id = ?", (me, self._batch))
            # Whoever was sending these has ended: what they did can only become visible from now on.
            sql = "UPDATE jobs SET doubted = ? WHERE batch = ? AND phase = 'sending' AND doubted IS NULL"
            db.execute(sql, (time.time(), self._batch))
            db.execute("COMMIT")
        except BaseException:
            db.close()
            raise
        return db

    def _enrol(self, db: sqlite3.Connection, kind: str, name: str, account: str, *, rekey: bool) -> tuple[int, str]:
        sql = "SELECT id, holder, salt, account FROM batches WHERE kind = ? AND name = ?"
        row = db.execute(sql, (kind, name)).fetchone()
        if row is None or rekey:
            salt = secrets.token_bytes(16)
            sql = """INSERT INTO batches(kind, name, salt, account, created) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT(kind, name) DO UPDATE SET salt = excluded.salt, account = excluded.account
                RETURNING id, holder"""
            row = db.execute(sql, (kind, name, salt, _hash(account, salt), time.time())).fetchone()
            return int(row[0]), str(row[1])
        number, holder, salt, known = checked(self.path, row, Owner)
        if _hash(account, salt) != known:
            raise JournalError(
                f"journal {self.path} belongs to another account, or to another key or base_url: use a journal for "
                "each account. If it is the same account with a new key, say so with rekey=True (a2e batch --rekey)."
            )
        return number, holder

    def _leave(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _locked(self, kind: str, name: str, holder: str, place: str) -> sqlite3.Connection:
        # One file has one lock, by whichever name it is opened.
        lock = seize(_lock_of(place, self._batch))
        if lock is None:
            batch = f"the {kind} batch {name!r}" if name else f"its {kind} batch"
            raise JournalError(
                f"journal {self.path}: {batch} is held by {holder or 'another process'}. Wait until that has ended, "
                "or give this batch a name of its own."
            )
        return lock


def _lock_of(place: str | Path, batch: int) -> str:
    return f"{place}.{batch}.lock"


def _hash(account: str, salt: bytes) -> bytes:
    return hashlib.blake2b(account.encode(), key=salt[:64], digest_size=16).digest()


def check(path: Path, db: sqlite3.Connection, *, fresh: bool) -> None:
    """Raise JournalError for what is no journal, or one that only a newer version can read."""
    db.execute("BEGIN")  # another process may be making it: all three are of the same moment
    try:
        application = db.execute("PRAGMA application_id").fetchone()[0]
        version = db.execute("PRAGMA user_version").fetchone()[0]
        empty = not db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    finally:
        db.rollback()
    if application != APPLICATION and not (fresh and empty and not application):
        raise JournalError(f"journal {path} is no journal of a2e-async: name another file.")
    if version > VERSION:
        raise JournalError(
            f"journal {path} was written by a newer a2e-async (layout {version}; this one knows {VERSION}): upgrade."
        )


def _summaries(path: Path, db: sqlite3.Connection, batch: int | None = None) -> Iterator[Summary]:
    rows = db.execute("SELECT id, kind, name, created, holder FROM batches WHERE ? IN (id, 0)", (batch or 0,))
    for head in [checked(path, row, Head) for row in rows]:
        sql = """SELECT phase, count(*), total(CASE phase WHEN 'new' THEN 0 WHEN 'failed' THEN coalesce(coins, 0)
            ELSE coalesce(coins, price) END) + total(lost) FROM jobs WHERE batch = ? GROUP BY phase"""
        found = [checked(path, row, Count) for row in db.execute(sql, (head.id,))]
        counts = {str(phase): 0 for phase in Phase} | {str(one.phase): one.jobs for one in found}
        yield Summary(*head, counts, sum(one.coins for one in found))


def read_summaries(path: str | os.PathLike[str]) -> list[Summary]:
    """Return what a journal holds, batch by batch; it may be in use meanwhile."""
    place = Path(path)
    with _reading(place) as db:
        found = list(_summaries(place, db))
        return [one if held(_lock_of(place.resolve(), one.id)) else one._replace(holder="") for one in found]


def read_entries(path: str | os.PathLike[str], batch: int) -> Iterator[Entry]:
    """Yield all jobs of a batch in the order of their numbers; it may be in use meanwhile."""
    with _reading(Path(path)) as db:
        for row in db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE batch = ? ORDER BY id", (batch,)):
            yield checked(Path(path), row, Entry)


@contextmanager
def _reading(path: Path) -> Generator[sqlite3.Connection]:
    if not path.is_file():
        raise JournalError(f"there is no journal {path}.")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=_BUSY)) as db:
            check(path, db, fresh=False)
            yield db
    except UNUSABLE as error:
        raise complaint(path, error) from None
