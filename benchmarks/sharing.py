"""What the workers of one account ask of the service together, as the sandbox counts it.

python benchmarks/sharing.py [--polling] [--rate 20] [--jobs 500]

`--polling`: the requests for watching the same jobs to their ends, with 1, 3 and 10 `a2e worker`; the sandbox's clock
is as fast as ours. Exits with 1 if the most are 20 % more than the fewest. `--rate`: the requests a second of 3 workers
under one `SharedRate`, from two seconds after the first submission to the last. Exits with 1 if that is 5 % off.
Without either, both.
"""

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path

import aiohttp
from _measure import HERE, table
from chaos import A2E, KEY, Server, served
from machines import OPEN, Machine, submit

from a2e_async import A2ESession, Limits
from a2e_async.integrations._database import migrate
from a2e_async.integrations._operations import read_status
from a2e_async.integrations.postgres_limits import SharedRate
from a2e_async.integrations.procrastinate import Engine
from tests.servers import PostgreSQL

COUNTS = (1, 3, 10)
LIMIT = 600.0
WORKER = (*A2E, "worker")
STATUS = ("batchDetail", "processing", "one task")


async def requests(jobs: int, workers: int, clock: str, command: tuple[str, ...] = WORKER) -> list[dict[str, object]]:
    """Run all jobs to their ends with so many workers, and return the requests that the sandbox saw of it."""
    async with AsyncExitStack() as stack:
        sandbox = served((*A2E, "sandbox", "--port", "0", "--clock", clock, "--coins", "1000000"))
        url = await stack.enter_async_context(sandbox)
        http = await stack.enter_async_context(aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}))
        dsn = stack.enter_context(PostgreSQL(settings={"max_connections": "200"})).create()
        await migrate(dsn)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for number in range(workers):
            await stack.enter_async_context(Machine(dsn, url, folder / f"{number}.log", command))
        while (await read_status(dsn)).workers < workers:  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(0.5)
        await submit(dsn, url, jobs)
        end = time.monotonic() + LIMIT
        while any(count for phase, count in (await read_status(dsn)).batches[0].counts.items() if phase in OPEN):
            if time.monotonic() > end:
                raise SystemExit(f"not done in {LIMIT:g} s; {(folder / '0.log').read_text(encoding='utf-8')[-2000:]}")
            await asyncio.sleep(0.5)
        return await Server(http, url).get("requests?brief=true")


async def polling(jobs: int) -> bool:
    rows, sums = [], []
    for workers in COUNTS:
        words = Counter(_word(one) for one in await requests(jobs, workers, "real"))
        sums.append(sum(words[word] for word in STATUS))
        rows.append((workers, words["add"], words["records"], *(words[word] for word in STATUS), sums[-1]))
        print(f"{workers} workers: {dict(words)}", file=sys.stderr)
    print(table(("workers", "starts", "looks for tags", *STATUS, "status requests"), rows))
    return max(sums) < 1.2 * min(sums)


def _word(request: dict[str, object]) -> str:
    word = str(request["path"]).rpartition("/")[2]
    return "one task" if re.fullmatch(r"[0-9a-f]{24}", word) else word


async def rated(jobs: int, rate: float, workers: int = 3) -> bool:
    command = (sys.executable, str(HERE / "sharing.py"), "--worker", str(rate))
    scale = 20
    seen = await requests(jobs, workers, f"scaled:{scale}", command)
    adds = [_moment(one) for one in seen if str(one["path"]).endswith("/add")]
    begin, end = min(adds) + scale * 2, max(adds)
    within = [at for one in seen if begin <= (at := _moment(one)) < end]
    seconds = (end - begin) / scale
    found = len(within) / seconds
    print(table(("rate", "workers", "seconds", "requests", "a second"), [(rate, workers, seconds, len(within), found)]))
    return abs(found / rate - 1) <= 0.05


def _moment(request: dict[str, object]) -> float:
    return datetime.fromisoformat(str(request["at"])).timestamp()


async def work(rate: float) -> None:
    """Work as `a2e worker` does, under a rate that is shared."""
    dsn = os.environ["A2E_DSN"]
    async with (
        SharedRate(dsn, rate) as limiter,
        A2ESession(limits=Limits(limiter=limiter)) as a2e,
        Engine(dsn, a2e) as engine,
    ):
        await engine.work()


async def main(given: argparse.Namespace) -> bool:
    both = not given.polling and given.rate is None
    good = await polling(given.jobs) if given.polling or both else True
    rate = given.rate or (20.0 if both else None)
    return (await rated(max(given.jobs, int(rate * 40)), rate) if rate else True) and good


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--polling", action="store_true")
    parser.add_argument("--rate", type=float)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--worker", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        asyncio.run(work(options.worker))
    sys.exit(0 if asyncio.run(main(options)) else 1)
