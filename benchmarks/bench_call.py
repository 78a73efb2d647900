"""CPU of one status call and of one start beside bare aiohttp + msgspec: interleaved rounds, median of paired ratios.

python benchmarks/bench_call.py [--rounds 15] [--calls 600] [--concurrency 1 32 256] [--json FILE]
"""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any

import aiohttp
import msgspec
from _contenders import SWAPS, jobs
from _measure import Service, interleaved, paired, parser, save, service, spread, table

from a2e_async import A2ESession
from a2e_async._answer import Envelope
from a2e_async.groups.face_swap import Swap

(JOB,) = jobs(1)
Call = Callable[[], Awaitable[object]]


async def round_of(call: Call, calls: int, concurrency: int) -> float:
    """Return the microseconds of CPU that a call took."""

    async def worker() -> None:
        for _ in range(calls // concurrency):
            await call()

    began = time.process_time()
    await asyncio.gather(*(worker() for _ in range(concurrency)))
    return (time.process_time() - began) / (calls // concurrency * concurrency) * 1e6


def bench(running: Service, what: str, concurrency: int, args: argparse.Namespace) -> dict[str, list[float]]:
    url, calls = running.url, max(args.calls, 4 * concurrency)
    running.ask("reset", low=3600, high=3600)
    (task_id,) = running.ask("fill", count=1)
    decode = msgspec.json.Decoder(Envelope[Swap]).decode
    headers = {"Authorization": "Bearer sk_bench"}
    with asyncio.Runner() as runner:

        async def opened() -> tuple[A2ESession, aiohttp.ClientSession]:
            return A2ESession("sk_bench", base_url=url), aiohttp.ClientSession(headers=headers)

        async def status() -> object:
            return await a2e.face_swap.tasks.detail(id=task_id)

        async def bare_status() -> object:
            async with plain.get(f"{url}{SWAPS}/{task_id}") as response:
                return decode(await response.read()).data

        async def start() -> object:
            return await a2e.face_swap.tasks.add(**JOB)

        async def bare_start() -> object:
            async with plain.post(f"{url}{SWAPS}/add", json=JOB) as response:
                return decode(await response.read()).data

        a2e, plain = runner.run(opened())
        ways = {"status": {"bare": bare_status, "a2e": status}, "start": {"bare": bare_start, "a2e": start}}[what]

        def once(way: str, _number: int) -> float:
            return runner.run(round_of(ways[way], calls, concurrency))

        interleaved(list(ways), 1, once)  # warms up
        found = interleaved(list(ways), args.rounds, once)
        runner.run(a2e.aclose())
        runner.run(plain.close())
        return found


def main() -> None:
    args_of = parser(__doc__)
    args_of.add_argument("--rounds", type=int, default=15)
    args_of.add_argument("--calls", type=int, default=600)
    args_of.add_argument("--concurrency", type=int, nargs="+", default=[1, 32, 256])
    args = args_of.parse_args()
    result: dict[str, dict[str, Any]] = {"status": {}, "start": {}}
    rows = []
    with service() as running:
        for what, concurrency in product(result, args.concurrency):
            found = bench(running, what, concurrency, args)
            told = {name: spread(values) for name, values in found.items()}
            told["a2e / bare"] = paired(found["a2e"], found["bare"])
            result[what][str(concurrency)] = told
            rows.append((what, concurrency, *map(str, told.values())))
    print(table(("call", "concurrency", "bare, us of CPU", "a2e", "a2e / bare"), rows))
    save(args.json, result)


if __name__ == "__main__":
    main()
