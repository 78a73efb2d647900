"""`a2e dead`: what goes no further by itself, and why."""

from contextlib import aclosing
from importlib import import_module

from a2e_async.cli._inputs import database
from a2e_async.cli._terminal import give, one_line
from a2e_async.integrations._database import Database
from a2e_async.integrations._dead import dead


async def run(*, dsn: str | None, as_json: bool) -> int:
    """Tell each dead job, the oldest first."""
    import_module("a2e_async.groups")  # which fills KINDS
    async with aclosing(await Database(database(dsn)).open()) as shared:
        found = await dead(shared)
    for job in found:
        give(job._asdict() if as_json else one_line(f"{job.kind} {job.name or '-'} {job.key} {job.phase}: {job.why}"))
    return 0
