"""`a2e dead adopt`."""

from contextlib import aclosing

from a2e_async._saying import say
from a2e_async.cli._inputs import database, kind_named
from a2e_async.integrations._database import Database
from a2e_async.integrations._dead import adopt


async def run(*, key: str, task_id: str, kind: str, name: str, dsn: str | None) -> int:
    """Note the task; RequestError where there is no such uncertain job."""
    async with aclosing(await Database(database(dsn)).open()) as shared:
        await adopt(shared, kind_named(kind, "--kind").name, key, task_id, name=name)
    say(f"a2e: {key} is task {task_id}, and is watched to its end.")
    return 0
