"""Status requests for the same tasks with 1, 3 and 10 processes that watch, and how soon another leads after a kill.

python benchmarks/shared_watch.py [--watchers 1 3 10] [--tasks 200] [--kills 3]

Each watcher is a process of its own, and each kill a SIGKILL of the one that leads. Its sandbox has a real clock, so
that a count takes about a minute. Starts its own PostgreSQL.
"""

import argparse
import asyncio
import logging
import subprocess
import sys
import time

from _measure import table

from a2e_async import FACE_SWAP, A2ESession
from a2e_async._ledger import account_of
from a2e_async.integrations._database import Database, migrate
from a2e_async.integrations.postgres import PostgresJournal
from a2e_async.integrations.postgres_watch import shared_watch
from a2e_async.sandbox import Sandbox
from tests.servers import PostgreSQL

KEY = "sk_bench"
OPEN = "SELECT count(*) FROM a2e_jobs WHERE phase = 'sent'"


async def child(url, dsn):
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    async with A2ESession(KEY, base_url=url) as a2e:
        await shared_watch(a2e, dsn, FACE_SWAP)


async def submit(a2e, sandbox, journal, count):
    async def one(key):
        await journal.find(key)
        job = await journal.intend(key, b"digest", b"{}", f"tag-{key}", 10.0)
        task = await a2e.face_swap.tasks.add(name=key, face_url=sandbox.face_url, video_url=sandbox.video_url)
        await journal.started(job, task.id, task.coins)

    await asyncio.gather(*(one(str(number)) for number in range(count)))


async def watchers(count, url, dsn):
    words = [sys.executable, "-u", __file__, "--child", url, dsn]
    made = [await asyncio.create_subprocess_exec(*words, stdout=subprocess.PIPE) for _ in range(count)]
    return {asyncio.ensure_future(one.stdout.readline()): one for one in made}


async def trial(postgres, count, tasks, kills):
    """Return the status requests for the tasks, or the seconds until another leads after each kill."""
    dsn = postgres.create()
    await migrate(dsn)
    async with Sandbox(coins=1e6) as sandbox, A2ESession(KEY, base_url=sandbox.url) as a2e:
        database = await Database(dsn).open()
        batch = await database.enrol("face_swap", "", account_of(a2e.config))
        waiting = await watchers(count, sandbox.url, dsn)
        took, killed = [], 0.0
        try:
            await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
            await asyncio.sleep(3)  # the others are to be there, too
            await submit(a2e, sandbox, PostgresJournal(database, batch), tasks)
            while len(took) < kills:
                (line,), _ = await asyncio.wait(waiting, return_when="FIRST_COMPLETED")
                took += [time.monotonic() - killed] if killed else []
                await asyncio.sleep(2)
                leader = waiting.pop(line)
                leader.kill()
                killed = time.monotonic()
                await leader.wait()
            while not kills and (await database.rows(OPEN))[0][0]:  # noqa: ASYNC110 - what happens elsewhere
                await asyncio.sleep(0.2)
        finally:
            for one in waiting.values():
                one.kill()
            await asyncio.gather(*waiting, *(one.wait() for one in waiting.values()))
            await database.aclose()
        asked = [entry for entry in sandbox.account(KEY).requests if "userFaceSwapTask" in entry.path]
        return took if kills else len(asked) - tasks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--watchers", type=int, nargs="*", default=[1, 3, 10])
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        asyncio.run(child(*args.child))
    with PostgreSQL() as postgres:
        rows = [(n, asyncio.run(trial(postgres, n, args.tasks, 0))) for n in args.watchers]
        print(table(("processes", f"status requests for {args.tasks} tasks"), rows))
        if args.kills:
            took = asyncio.run(trial(postgres, args.kills + 2, 20, args.kills))
            print("\nSeconds until another led after a kill:", ", ".join(f"{seconds:.2f}" for seconds in took))


if __name__ == "__main__":
    main()
