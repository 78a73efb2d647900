"""`a2e worker`."""

import asyncio
from contextlib import suppress

from a2e_async._saying import say
from a2e_async._surely import outlast
from a2e_async.cli._inputs import database
from a2e_async.cli._terminal import told_to_stop
from a2e_async.integrations.procrastinate import Engine
from a2e_async.session import A2ESession


async def run(*, dsn: str | None, concurrency: int) -> int:
    """Work until Ctrl-C or SIGTERM; answers under way are waited for, for some seconds."""
    async with A2ESession() as a2e, Engine(database(dsn), a2e) as engine:
        work = asyncio.ensure_future(engine.work(concurrency))
        say(f"a2e: submits and watches the jobs in {engine.database.name}. Stop: Ctrl-C")
        stop = asyncio.ensure_future(told_to_stop())
        with suppress(asyncio.CancelledError):  # Ctrl-C
            await asyncio.wait([work, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if work.done():
            work.result()
        say("a2e: waits for answers under way, and leaves the rest to others.")
        work.cancel()
        await outlast(work)
    return 0
