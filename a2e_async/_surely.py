"""What has to come to its end although whoever waits for it is cancelled."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    import anyio

T = TypeVar("T")


async def see_out(
    work: asyncio.Future[Any], seconds: float, cancelled: asyncio.CancelledError
) -> asyncio.CancelledError:
    """Return when the work has ended, though whoever waits was cancelled: what to raise then, the last cancellation.

    After ``seconds`` the work is cancelled too.
    """
    import anyio  # noqa: PLC0415 - not needed to name kinds of tasks, which brings this module

    giving_up = asyncio.get_running_loop().call_later(seconds, work.cancel) if seconds < inf else None
    # A cancelled scope of anyio's would cancel again at each turn of the loop.
    with anyio.CancelScope(shield=True):
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as error:
                cancelled = error
    if giving_up is not None:
        giving_up.cancel()
    if not work.cancelled():
        work.exception()  # or asyncio would report that nobody looked
    return cancelled


async def outlast(work: asyncio.Future[Any], seconds: float = inf) -> None:
    """Return when the work has ended, however. It is not cancelled with whoever waits, unless `see_out` does."""
    try:
        await asyncio.wait([work])
    except asyncio.CancelledError as error:
        cancelled = error
    else:
        return
    raise await see_out(work, seconds, cancelled)


async def surely(work: Coroutine[Any, Any, T], seconds: float = inf) -> T:
    """Return what the work returns, as `outlast` waits for it."""
    task = asyncio.ensure_future(work)
    await outlast(task, seconds)
    return task.result()


async def end(*tasks: asyncio.Task[Any], again: float = 15.0) -> None:
    """Cancel tasks, and return when they have ended: after so many seconds anew, as libraries may lose a cancellation.

    Before Python 3.12 `asyncio.wait_for` does, where it comes together with what is waited for.
    """
    await surely(_end(set(tasks), again))


async def _end(left: set[asyncio.Task[Any]], again: float) -> None:
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=again)


@asynccontextmanager
async def opened(
    path: Path, mode: Literal["rb", "wb", "ab"], opener: Callable[[str, int], int] | None = None
) -> AsyncGenerator["anyio.AsyncFile[bytes]"]:
    """Have a file open for a while. When this is left, no thread opens it, writes to it or closes it any more."""
    import anyio  # noqa: PLC0415 - as above

    opening = asyncio.ensure_future(anyio.open_file(path, mode, opener=opener))
    try:
        await outlast(opening)
        yield opening.result()
    finally:
        if opening.exception() is None:
            await surely(opening.result().aclose())
