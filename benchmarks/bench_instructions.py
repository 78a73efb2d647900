"""Instructions of a status call, a start and a page of 100 beside bare aiohttp + msgspec, for gates.

python benchmarks/bench_instructions.py [--calls 200] [--only status start page] [--json FILE]

Needs valgrind. Counted is user space alone, as what a run of N calls takes above a run of none, without collections of
garbage.
"""

import argparse
import asyncio
import gc
import os
import re
import subprocess
import sys
from typing import Any

import aiohttp
import msgspec
from _contenders import SWAPS, jobs
from _measure import Service, parser, save, service, table
from bench_decode import Rows, body

from a2e_async import A2ESession
from a2e_async._answer import Envelope, page
from a2e_async.groups.face_swap import Swap

(JOB,) = jobs(1)
CALLS = ("status", "start", "page")


async def calls(what: str, way: str, url: str, task_id: str, count: int) -> None:
    """Make so many calls one after the other, over one connection."""
    headers = {"Authorization": "Bearer sk_bench"}
    async with A2ESession("sk_bench", base_url=url) as a2e, aiohttp.ClientSession(headers=headers) as plain:
        decode = msgspec.json.Decoder(Envelope[Swap]).decode
        pages, answer = msgspec.json.Decoder(Envelope[Rows], strict=False).decode, page(Swap)
        rows = body()

        async def bare_status() -> object:
            async with plain.get(f"{url}{SWAPS}/{task_id}") as response:
                return decode(await response.read()).data

        async def bare_start() -> object:
            async with plain.post(f"{url}{SWAPS}/add", json=JOB) as response:
                return decode(await response.read()).data

        async def bare_page() -> object:
            return pages(rows).data

        async def a2e_page() -> object:
            return answer.read("bench", 200, {}, rows)

        call = {
            "bare status": bare_status,
            "a2e status": lambda: a2e.face_swap.tasks.detail(id=task_id),
            "bare start": bare_start,
            "a2e start": lambda: a2e.face_swap.tasks.add(**JOB),
            "bare page": bare_page,
            "a2e page": a2e_page,
        }[f"{way} {what}"]
        for _ in range(20 + count):  # 20 to warm up
            await call()


def counted(running: Service, what: str, way: str, task_id: str, count: int) -> int:
    words = [sys.executable, "-W", "ignore", __file__, "--child", what, way, running.url, task_id, str(count)]
    tool = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}"]
    env = dict(os.environ, PYTHONHASHSEED="0")
    done = subprocess.run(tool + words, env=env, capture_output=True, text=True, check=True)
    return int(re.search(r"Collected : (\d+)", done.stderr)[1])


def compare(running: Service, what: str, args: argparse.Namespace) -> dict[str, Any]:
    running.ask("reset", low=3600, high=3600)
    (task_id,) = running.ask("fill", count=1)
    found = {}
    for way in ("bare", "a2e"):
        none, all_ = (counted(running, what, way, task_id, count) for count in (0, args.calls))
        found[way] = (all_ - none) / args.calls
    return found | {"a2e / bare": found["a2e"] / found["bare"]}


def main() -> None:
    args_of = parser(__doc__)
    args_of.add_argument("--calls", type=int, default=200)
    args_of.add_argument("--only", nargs="+", choices=CALLS, default=CALLS)
    args_of.add_argument("--child", nargs=5, help=argparse.SUPPRESS)
    args = args_of.parse_args()
    if args.child:
        gc.disable()
        *where, count = args.child
        asyncio.run(calls(*where, int(count)))
        return
    with service() as running:
        result = {what: compare(running, what, args) for what in args.only}
    rows = [(what, *(f"{value:,.4g}" for value in row.values())) for what, row in result.items()]
    print(table(("call", "bare, instructions", "a2e", "a2e / bare"), rows))
    save(args.json, result)


if __name__ == "__main__":
    main()
