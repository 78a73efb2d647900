"""One thread that owns an SQLite connection and commits whatever has gathered meanwhile in one transaction."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from a2e_async._rows import DAMAGED
from a2e_async._surely import surely
from a2e_async.errors import JournalError

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]
Connect = Callable[[str], sqlite3.Connection]
_Item = tuple[Work[Any], asyncio.Future[Any] | None]
_Told = tuple[asyncio.Future[Any], Any]

_WHY = {
    "SQLITE_CANTOPEN": "cannot be opened: is the folder there, and may it be written to?",
    "SQLITE_READONLY": "cannot be written to: change its permissions, or name another file.",
    "SQLITE_FULL": "cannot grow, the disk is full: make room, then run again; nothing is lost.",
    "SQLITE_IOERR": "cannot be read or written: is the disk full, or gone? Run again when it is not; nothing is lost.",
    "SQLITE_NOTADB": "is no journal of a2e-async: name another file.",
    "SQLITE_CORRUPT": DAMAGED,
    "SQLITE_BUSY": "is kept busy by another process: try again when that has ended.",
}


UNUSABLE = (sqlite3.Error, UnicodeDecodeError)
"""What SQLite raises; UnicodeDecodeError where even what it has to say is damaged."""


def complaint(path: Path, error: sqlite3.Error | UnicodeDecodeError) -> JournalError:
    """Say what an error of SQLite's means to whoever uses the file."""
    if isinstance(error, UnicodeDecodeError):
        return JournalError(f"journal {path} {DAMAGED} ({error})")
    name = getattr(error, "sqlite_errorname", "")
    base = next((why for code, why in _WHY.items() if name.startswith(code)), f"cannot be used ({error}).")
    return JournalError(f"journal {path} {base}")


class Writer:
    """Runs work on the connection in the order in which it was given; what was awaited is on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = ""
        self._file: tuple[int, int] | None = None
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    async def open(self, connect: Connect, leave: Callable[[], None]) -> None:
        """Start the thread, which connects first, to where the path leads now, and leaves last.

        Raises what connecting raises.
        """
        ready: asyncio.Future[None] = self._loop.create_future()
        # A daemon: whoever forgets to close this must not find the interpreter hanging at its end.
        self._thread = threading.Thread(target=self._run, args=(connect, leave, ready), name="a2e-journal", daemon=True)
        self._thread.start()
        await ready

    async def aclose(self) -> None:
        """Do what is still to be done and end the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            try:
                await surely(asyncio.to_thread(thread.join))
            finally:
                # Nobody else may have the file before all is written, not even where a loop ends all of its tasks.
                thread.join()

    async def do(self, work: Work[T]) -> T:
        """Return what the work returned, once that is durable. Cancelling this does not undo it."""
        if self._thread is None:
            raise JournalError(f"journal {self._path} is not open: use the batch inside `async with`.")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((work, future))
        return await future

    def later(self, work: Work[object]) -> None:
        """Have work done of which nobody waits to hear."""
        self._queue.put((work, None))

    def _run(self, connect: Connect, leave: Callable[[], None], ready: asyncio.Future[None]) -> None:
        try:
            self._serve(connect, ready)
        finally:
            leave()

    def _serve(self, connect: Connect, ready: asyncio.Future[None]) -> None:
        try:
            self._place = os.path.realpath(self._path)
            db = connect(self._place)
            self._file = self._identity()
        except UNUSABLE as error:
            return self._tell([(ready, complaint(self._path, error))])
        except OSError as error:
            return self._tell([(ready, JournalError(f"journal {self._path} cannot be opened ({error.strerror})."))])
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
            return self._tell([(ready, error)])
        self._tell([(ready, None)])
        try:
            while group := self._gathered():
                self._commit(db, group)
        finally:
            db.close()
        return None

    def _gathered(self) -> list[_Item]:
        group: list[_Item] = []
        while not group or not self._queue.empty():
            item = self._queue.get()
            if item is None:
                self._queue.put(None)  # ends the next round, once this one is done
                break
            group.append(item)
        return group

    def _commit(self, db: sqlite3.Connection, group: list[_Item]) -> None:
        told: list[_Told] = []
        try:
            self._look()
            db.execute("BEGIN IMMEDIATE")
            results = [(future, work(db)) for work, future in group]
            db.execute("COMMIT")
            told = [(future, result) for future, result in results if future is not None]
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, and the next group be written
            with suppress(sqlite3.Error):
                db.execute("ROLLBACK")
            wrong = complaint(self._path, error) if isinstance(error, UNUSABLE) else error
            told = [(future, wrong) for _, future in group if future is not None]
        self._tell(told)

    def _look(self) -> None:
        # SQLite would go on writing into a file that has no name any more.
        if self._identity() != self._file:
            raise JournalError(f"journal {self._path} was removed or replaced while it was in use.")

    def _identity(self) -> tuple[int, int] | None:
        try:
            found = Path(self._place).stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def _tell(self, told: list[_Told]) -> None:
        with suppress(RuntimeError):  # the loop has ended without waiting
            self._loop.call_soon_threadsafe(_deliver, told)


def _deliver(told: list[_Told]) -> None:
    for future, result in told:
        if future.done():
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
