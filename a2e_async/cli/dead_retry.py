"""`a2e dead retry`."""

from contextlib import aclosing

from a2e_async._rows import Phase
from a2e_async._saying import say
from a2e_async.cli._inputs import database, kind_named
from a2e_async.errors import RequestError
from a2e_async.integrations._database import Database
from a2e_async.integrations._dead import dead, retry


async def run(*, keys: list[str], unsent: bool, kind: str, name: str, dsn: str | None) -> int:
    """Hand the jobs out; RequestError where there is no such dead job, or moderation refused it."""
    if not keys and not unsent:
        raise RequestError("name the jobs, or say --unsent for all that were never sent.", field="KEY")
    chosen = kind_named(kind, "--kind").name
    async with aclosing(await Database(database(dsn)).open()) as shared:
        if unsent:
            found = [job for job in await dead(shared) if (job.kind, job.name) == (chosen, name) and not job.final]
            keys = [*keys, *(job.key for job in found if job.phase == Phase.NEW)]
        for key in dict.fromkeys(keys):
            await retry(shared, chosen, key, name=name)
            say(f"a2e: {key} is in the queue again.")
    return 0
