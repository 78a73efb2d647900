"""Cancels a piece of work at each of its suspensions in turn, those of the tasks that it makes included."""

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import anyio

from a2e_async import A2ESession, PollPolicy, RetryPolicy
from a2e_async._pool import Pool
from a2e_async.sandbox import Sandbox
from tests.service import Scene

Work: TypeAlias = Coroutine[Any, Any, object]


class Case(NamedTuple):
    """Prepares, gives the work that is cancelled, and then looks at what is left of it."""

    make: Callable[[Scene, Path], AbstractAsyncContextManager[Work]]
    stride: int
    """Of so many suspensions one is tried, in all ways but the first; in each way another."""
    settings: dict[str, Any]


BRISK: dict[str, Any] = {
    "timeout": 10.0,
    "retry": RetryPolicy(base=0.002, longest=0.004, patience=5.0),
    "poll": PollPolicy(shortest=0.01, longest=0.02, grace=0.0),
}
_TURNS = 20
"""Turns of the loop after which nothing of the work may be left."""
_PATIENCE = 20.0
"""Seconds in which everything has to end, however it was cancelled."""


class _Told(Coroutine[Any, Any, Any]):
    """A coroutine that tells of each of its suspensions."""

    def __init__(self, coro: Coroutine[Any, Any, Any], tell: Callable[[Any, object], None]) -> None:
        self._coro, self._tell = coro, tell

    def send(self, value: Any) -> Any:
        awaited = self._coro.send(value)
        self._tell(self._coro, awaited)
        return awaited

    def throw(self, *error: Any) -> Any:
        awaited = self._coro.throw(*error)
        self._tell(self._coro, awaited)
        return awaited

    def close(self) -> None:
        self._coro.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._coro.__await__()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._coro, name)


class Cancelling:
    """Runs work and cancels it when it is suspended for the ``at``-th time."""

    def __init__(self, at: int) -> None:
        self._at = at
        self._count = 0
        self._task: asyncio.Task[object] | None = None
        self.reached = self.struck = False
        """Whether it was suspended so often, and cancelled before it had ended."""
        self.where = ""

    async def run(self, work: Work) -> None:
        """Return when the work has ended; fail if it was cancelled and does not say so."""
        loop = asyncio.get_running_loop()
        loop.set_task_factory(lambda loop, coro, **how: asyncio.Task(_Told(coro, self._tell), loop=loop, **how))
        self._task = asyncio.ensure_future(self._around(work))
        try:
            _, late = await asyncio.wait([self._task], timeout=_PATIENCE)
        finally:
            loop.set_task_factory(None)
        assert not late, "it does not end"
        assert self._said(self._task), "it was not told"

    async def _around(self, work: Work) -> None:
        await work

    def _said(self, task: asyncio.Task[object]) -> bool:
        if not task.cancelled():
            task.result()
        return task.cancelled() == self.struck

    def _tell(self, coro: Any, awaited: object) -> None:
        if self._task is None:
            return
        self._count += 1
        if self._count == self._at:
            self.reached = True
            self.where = f"{self._at}: {_stack(coro)}"
            self._strike(awaited)

    def _strike(self, _awaited: object) -> None:
        self._cancel()

    def _cancel(self) -> None:
        assert self._task is not None
        self.struck = self._task.cancel()


class Late(Cancelling):
    """Cancels when what was awaited has come, before that is told."""

    def _strike(self, awaited: Any) -> None:
        if awaited is None:
            asyncio.get_running_loop().call_soon(self._cancel)
        else:
            awaited.add_done_callback(lambda _: self._cancel())


class Again(Cancelling):
    """Cancels once more whenever the work is suspended afterwards."""

    def _tell(self, coro: Any, awaited: object) -> None:
        super()._tell(coro, awaited)
        if self.struck and self._count != self._at and asyncio.current_task() is self._task:
            self._cancel()


class Scoped(Cancelling):
    """Cancels a scope of anyio's around the work, which means all that it does from then on."""

    async def _around(self, work: Work) -> None:
        with anyio.CancelScope() as self._scope:
            await work

    def _strike(self, _awaited: object) -> None:
        self.struck = True
        self._scope.cancel()

    def _said(self, task: asyncio.Task[object]) -> bool:
        # Whoever awaits nothing more is not told.
        return task.result() is None


class Timed(Cancelling):
    """Lets a time-out around the work strike."""

    async def _around(self, work: Work) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(None) as self._limit:
                await work
                self._ended = True

    _ended = False

    def _strike(self, _awaited: object) -> None:
        self.struck = True
        self._limit.reschedule(0.0)

    def _said(self, task: asyncio.Task[object]) -> bool:
        return task.result() is None and self._ended != self._limit.expired()


WAYS: list[type[Cancelling]] = [Cancelling, Late, Again, Scoped, Timed]


def _stack(coro: Any) -> str:
    names: list[str] = []
    while coro is not None:
        code = getattr(coro, "cr_code", None) or getattr(coro, "ag_code", None) or getattr(coro, "gi_code", None)
        frame = getattr(coro, "cr_frame", None) or getattr(coro, "ag_frame", None) or getattr(coro, "gi_frame", None)
        if code is not None:
            names.append(f"{code.co_qualname}:{frame.f_lineno if frame else '?'}")
        coro = getattr(coro, "cr_await", None) or getattr(coro, "ag_await", None) or getattr(coro, "gi_yieldfrom", None)
    return " > ".join(names)


def walk(case: Case, way: type[Cancelling], sandbox: Sandbox, folder: Path) -> None:
    """Run a case again and again, cancelled at a later suspension each time, until it has ended before."""
    first = WAYS.index(way)
    stride = case.stride if first else 1
    gc.collect()
    with _complaints() as complaints:
        for at in count(1 + first % stride, stride):
            room = folder / str(at)
            room.mkdir()
            cancelling = way(at)
            with (
                _told_where(cancelling),
                _nothing_left(room, complaints),
                asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner,
            ):
                runner.get_loop().set_exception_handler(lambda _, context: complaints.append(str(context)))
                runner.run(_step(case, cancelling, _scene(sandbox, f"sk_{folder.name}_{at}", case.settings), room))
            if not cancelling.reached:
                break
        gc.collect()
        assert complaints == [], complaints


@contextmanager
def _told_where(cancelling: Cancelling) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(f"{type(cancelling).__name__} at {cancelling.where}")
        raise


@contextmanager
def _nothing_left(room: Path, complaints: list[str]) -> Iterator[None]:
    """Fail where more threads or files are open afterwards, which the server may take a moment to notice."""
    threads, files = _threads(), _open_files()
    yield
    end = time.monotonic() + 5
    # One look decides: at a second one the server may be opening what it makes for a caller that is gone.
    while (left := (_threads() - threads, _open_files() > files)) != (set(), False) and time.monotonic() < end:
        time.sleep(0.001)
    assert left == (set(), False)
    assert not list(room.rglob("*.part"))
    assert complaints == [], complaints


def _scene(sandbox: Sandbox, key: str, settings: dict[str, Any]) -> Scene:
    account = sandbox.account(key, clock=settings.get("clock", "per-poll:30"))
    settings = {name: value for name, value in settings.items() if name != "clock"}
    return Scene(sandbox, account, A2ESession(key, **{"base_url": sandbox.url, **BRISK, **settings}))


async def _step(case: Case, cancelling: Cancelling, s: Scene, room: Path) -> None:
    async with case.make(s, room) as work:
        await s.a2e.aclose()  # so that connecting is walked too
        pool = s.a2e._transport.pool()
        await cancelling.run(work)
        await _all_ended()
        _unused(s.a2e, pool)
    await s.a2e.account.coins()
    await s.a2e.aclose()
    await _all_ended()
    loop: Any = asyncio.get_running_loop()
    assert len(loop._selector.get_map()) == 1, "a socket besides the loop's own"


async def _all_ended() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def _unused(a2e: A2ESession, pool: Pool) -> None:
    gate = pool.gate
    for http in (pool._api, pool._plain):
        connector: Any = http.connector
        assert connector is None or not connector._acquired
    assert (gate._busy, gate._waiting) == (0, 0)
    assert gate._slots._value == gate._most
    assert pool.transfers._value == a2e.config.limits.transfers
    assert not any(lock.locked() for lock in pool.uploads.values())


@contextmanager
def _complaints() -> Iterator[list[str]]:
    found: list[str] = []
    usual = sys.unraisablehook
    sys.unraisablehook = lambda about: found.append(f"{about.exc_value!r} {about.err_msg} {about.object!r}")
    try:
        yield found
    finally:
        sys.unraisablehook = usual


def _threads() -> set[threading.Thread]:
    # Those of the server's loop are none of ours: anyio's know theirs, and asyncio waits for those of a loop it closes.
    return {t for t in threading.enumerate() if "asyncio_" not in t.name and not _elsewhere(getattr(t, "loop", None))}


def _elsewhere(loop: asyncio.AbstractEventLoop | None) -> bool:
    return loop is not None and not loop.is_closed()


def _open_files() -> int:
    place = Path("/proc/self/fd")
    return len(list(place.iterdir())) if place.is_dir() else 0
