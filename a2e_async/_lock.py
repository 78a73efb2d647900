"""Locks that the operating system lets go of when their process dies, however it dies: SQLite's, on an empty file."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

# Who only looks, holds it for microseconds.
_LOOK = 0.5


def seize(place: str) -> sqlite3.Connection | None:
    """Return a lock that is held until it is closed; None if another has it."""
    with suppress(FileExistsError):
        os.close(os.open(place, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    lock = sqlite3.connect(place, timeout=_LOOK, isolation_level=None, check_same_thread=False)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        if not str(error).startswith("database is locked"):
            raise
        return None
    return lock


def held(place: str) -> bool:
    """Tell whether some process has the lock now."""
    try:
        with closing(sqlite3.connect(f"{Path(place).absolute().as_uri()}?mode=ro", uri=True, timeout=0)) as lock:
            lock.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError as error:
        return str(error).startswith("database is locked")
    return False
