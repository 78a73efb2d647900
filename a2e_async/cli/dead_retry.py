"""`a2e dead retry`."""

from contextlib import aclosing

from a2e_async._saying import say
from a2e_async.cli._inputs import database, kind_named
from a2e_async.integrations._database import Database
from a2e_async.integrations._queue import retry


async def run(*, key: str, kind: str, name: str, dsn: str | None) -> int:
    """Hand the job out; RequestError where there is no such dead job, or moderation refused it."""
    async with aclosing(await Database(database(dsn)).open()) as shared:
        await retry(shared, kind_named(kind, "--kind").name, key, name=name)
    say(f"a2e: {key} is in the queue again.")
    return 0
