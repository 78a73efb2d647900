"""For scripts that are not asynchronous themselves."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from a2e_async.session import A2ESession

R = TypeVar("R")


def run(work: Callable[[A2ESession], Awaitable[R]]) -> R:
    """Open a session, return what ``work`` makes of it, close it: ``run(lambda a2e: a2e.account.coins())``.

    Settings come from A2E_API_KEY and A2E_BASE_URL. Ctrl-C cancels the work, and no job. Raises RuntimeError where an
    event loop runs already, as in a notebook: await there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(_main(work))
    raise RuntimeError(
        "an event loop runs already, as it does in a notebook: write `a2e = A2ESession()`, and `await` what you call."
    )


async def _main(work: Callable[[A2ESession], Awaitable[R]]) -> R:
    async with A2ESession() as a2e:
        return await work(a2e)
