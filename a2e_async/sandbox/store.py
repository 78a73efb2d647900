"""SQLite below the sandbox: one connection, short transactions, each committed before the answer leaves."""

import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

Value: TypeAlias = str | int | float | bytes | None
Record: TypeAlias = tuple[str | int | float | bytes | None, ...]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts(
    id INTEGER PRIMARY KEY, key_hash TEXT UNIQUE, user_id TEXT UNIQUE, seed INTEGER, coins REAL,
    diamonds INTEGER, ordinal INTEGER, rate REAL, step REAL, anchor INTEGER, real INTEGER);
CREATE TABLE IF NOT EXISTS tasks(
    id TEXT PRIMARY KEY, account INTEGER, noun TEXT, ordinal INTEGER, created INTEGER, sent INTEGER,
    pending INTEGER, processing INTEGER, ends INTEGER, failure TEXT, coins REAL, fields TEXT,
    inputs TEXT, suffix TEXT, owed REAL);
CREATE INDEX IF NOT EXISTS tasks_listed ON tasks(account, noun, ordinal);
DROP INDEX IF EXISTS tasks_running;
CREATE INDEX IF NOT EXISTS tasks_ending ON tasks(account, noun, ends, failure);
CREATE INDEX IF NOT EXISTS tasks_owed ON tasks(account, ends) WHERE owed > 0;
CREATE TABLE IF NOT EXISTS ledger(
    id INTEGER PRIMARY KEY, account INTEGER, at INTEGER, delta REAL, balance REAL, reason TEXT, task TEXT);
CREATE UNIQUE INDEX IF NOT EXISTS ledger_once ON ledger(task, reason, at) WHERE task <> '';
CREATE INDEX IF NOT EXISTS ledger_listed ON ledger(account, id);
CREATE TABLE IF NOT EXISTS documents(
    id TEXT PRIMARY KEY, account INTEGER, noun TEXT, ordinal INTEGER, created INTEGER, fields TEXT);
CREATE INDEX IF NOT EXISTS documents_listed ON documents(account, noun, ordinal);
CREATE TABLE IF NOT EXISTS objects(path TEXT PRIMARY KEY, file TEXT, mime TEXT) WITHOUT ROWID;
"""


class Store:
    """A database in memory (`:memory:`) or in a file; any thread may call it."""

    def __init__(self, path: str | Path) -> None:
        self._lock = threading.RLock()
        if str(path) != ":memory:":
            with suppress(OSError):  # SQLite says better what is wrong with the path
                Path(path).touch(mode=0o600)
        self._link = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # WAL with synchronous=NORMAL outlives a killed process; only a power cut may cost the last commits.
        self._link.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {_SCHEMA}")

    @contextmanager
    def transaction(self) -> Generator[None]:
        """Hold the database for one unit of work: all of it is committed, or none."""
        with self._lock:
            if self._link.in_transaction:
                yield
                return
            self._link.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._link.execute("ROLLBACK")
                raise
            self._link.execute("COMMIT")

    def rows(self, sql: str, *values: Value) -> list[Record]:
        """Run one statement and return all its rows."""
        with self._lock:
            return self._link.execute(sql, values).fetchall()

    def row(self, sql: str, *values: Value) -> Record | None:
        """Run one statement and return its first row, if any."""
        found = self.rows(sql, *values)
        return found[0] if found else None

    def change(self, sql: str, *values: Value) -> int:
        """Run one statement and return how many rows it changed."""
        with self._lock:
            return self._link.execute(sql, values).rowcount

    def meta(self, name: str, fresh: bytes) -> bytes:
        """Return the value kept under a name; a fresh one is kept if there was none."""
        with self.transaction():
            self.change("INSERT OR IGNORE INTO meta VALUES (?, ?)", name, fresh)
            found = self.row("SELECT value FROM meta WHERE name = ?", name)
        return found[0] if found and isinstance(found[0], bytes) else fresh

    def close(self) -> None:
        """Close the database; a file stays readable by the next sandbox."""
        with self._lock:
            self._link.close()
