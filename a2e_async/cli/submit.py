"""`a2e submit`."""

from pathlib import Path

from a2e_async.cli._inputs import database, kind_named
from a2e_async.cli._terminal import give
from a2e_async.integrations.procrastinate import Engine
from a2e_async.session import A2ESession


async def run(  # noqa: PLR0913 - the options of the command
    *, kind: str, jobs: str, dsn: str | None, name: str, max_coins: float | None, rekey: bool
) -> int:
    """Hand out the jobs of a file; the same ones once, however often this is run."""
    chosen = kind_named(kind, "KIND")
    async with A2ESession() as a2e, Engine(database(dsn), a2e) as engine:
        found = await engine.submit_many(chosen, Path(jobs), name=name, max_coins=max_coins, rekey=rekey)
    give(f"{found.new} jobs are in the queue; {found.known} were known from before")
    return 0
