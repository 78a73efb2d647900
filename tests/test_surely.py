"""Whoever waits is told of a cancellation when the work has ended, and not before."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from contextlib import suppress
from math import inf
from pathlib import Path
from typing import Any

import anyio
import pytest

from a2e_async._surely import end, opened, outlast, surely
from tests.stepping import stepped


async def cancelled_at(seconds: float, waiting: Coroutine[Any, Any, Any], times: int = 3) -> float:
    """Cancel a task once a second and return when it told of that."""
    loop = asyncio.get_running_loop()
    began, task = loop.time(), asyncio.ensure_future(waiting)
    for _ in range(times):
        await asyncio.sleep(seconds)
        task.cancel()
        seconds = 1.0
    with pytest.raises(asyncio.CancelledError):
        await task
    return loop.time() - began


def test_what_is_begun_is_ended() -> None:
    ended: list[str] = []

    async def work() -> None:
        await asyncio.sleep(10)
        ended.append("work")

    async def main() -> None:
        assert await surely(asyncio.sleep(1, "result")) == "result"
        assert await cancelled_at(1, surely(work())) == 10
        assert ended == ["work"]

    stepped(main())


def test_it_is_given_up_some_time_after_the_first_cancellation() -> None:
    async def main() -> None:
        assert await cancelled_at(3, surely(asyncio.sleep(100), 5)) == 8

    stepped(main())


def test_a_cancelled_scope_waits_without_spinning() -> None:
    """On this loop no time would ever pass if it did."""

    async def main() -> None:
        began = asyncio.get_running_loop().time()
        with anyio.move_on_after(2) as scope:
            await surely(asyncio.sleep(10))
        assert scope.cancelled_caught
        assert asyncio.get_running_loop().time() - began == 10

    stepped(main())


def test_an_error_of_the_work_is_raised_unless_a_cancellation_is() -> None:
    async def work() -> None:
        await asyncio.sleep(5)
        raise LookupError

    async def main() -> None:
        reported: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
        with pytest.raises(LookupError):
            await surely(work())
        assert await cancelled_at(1, surely(work())) == 5
        assert await cancelled_at(1, outlast(asyncio.ensure_future(work()))) == 5
        assert reported == []

    stepped(main())


@pytest.mark.anyio
@pytest.mark.parametrize("cancel", [lambda task, _: task.cancel(), lambda _, scope: scope.cancel()])
async def test_a_file_that_is_being_opened_is_closed(cancel: Callable[[Any, Any], object], tmp_path: Path) -> None:
    """The thread that opens it is held up; afterwards nothing may make the file again."""
    begun, go_on = asyncio.Event(), anyio.Event()
    loop = asyncio.get_running_loop()
    made: list[int] = []

    def opener(path: str, flags: int) -> int:
        loop.call_soon_threadsafe(begun.set)
        anyio.from_thread.run(go_on.wait)
        made.append(os.open(path, flags))
        return made[0]

    scope = anyio.CancelScope()

    async def work() -> None:
        with scope:
            async with opened(tmp_path / "file", "wb", opener):
                raise AssertionError

    task = asyncio.ensure_future(work())
    await begun.wait()
    cancel(task, scope)
    await asyncio.sleep(0.01)
    assert not task.done()
    go_on.set()
    await asyncio.wait([task])
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(made[0])


def test_what_lost_a_cancellation_is_told_again() -> None:
    async def deaf() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(inf)
        await asyncio.sleep(inf)

    async def main() -> None:
        loop, tasks = asyncio.get_running_loop(), [asyncio.ensure_future(deaf()), asyncio.ensure_future(deaf())]
        await asyncio.sleep(0)
        began = loop.time()
        await end(*tasks, again=3.0)
        assert loop.time() - began == 3.0
        assert all(task.cancelled() for task in tasks)
        await end()

    stepped(main())
