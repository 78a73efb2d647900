"""Watching N tasks at once: requests, CPU, bytes and lateness, beside a plain loop per task in the same run.

python benchmarks/bench_watch.py [--tasks 100 1000 10000] [--rounds 3] [--interval 5] [--json FILE]

The server makes the tasks, so that nothing but the watching is measured; each end of a task is drawn from 5 to 20 s.
"""

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
import msgspec
from _contenders import SWAPS, Envelope, Swap
from _measure import Service, child, interleaved, paired, parser, resident, save, service, share, spread, table

from a2e_async import FACE_SWAP, A2ESession

WAYS = ("loop each", "a2e")
HEAD = ("tasks", "way", "requests", "us of CPU a task", "bytes a task", "late p50", "late p95", "CPU share")
SEED, LOW, HIGH = 7, 5, 20
Saw = Callable[[str], None]


async def loop_each(url: str, ids: list[str], interval: float, saw: Saw) -> None:
    decode = msgspec.json.Decoder(Envelope[Swap]).decode

    async def follow(task_id: str, number: int) -> None:
        await asyncio.sleep(interval * number / len(ids))  # as if they had been started one after the other
        while True:
            async with http.get(f"{SWAPS}/{task_id}") as answer:
                swap = decode(await answer.read()).data
            if swap.status in {"completed", "failed"}:
                return saw(task_id)
            await asyncio.sleep(interval)

    async with aiohttp.ClientSession(url, headers={"Authorization": "Bearer sk_bench"}) as http:
        await asyncio.gather(*(follow(task_id, number) for number, task_id in enumerate(ids)))


async def a2e(url: str, ids: list[str], interval: float, saw: Saw) -> None:
    async with A2ESession("sk_bench", base_url=url) as session:

        async def follow(task_id: str) -> None:
            saw((await session.watch(FACE_SWAP, task_id, every=interval)).id)

        await asyncio.gather(*(follow(task_id) for task_id in ids))


async def measure(way: str, url: str, count: int, interval: float) -> dict[str, float]:
    works: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"loop each": loop_each, "a2e": a2e}
    steer, seen, work = Service(url), {}, works[way]

    def saw(task_id: str) -> None:
        seen[task_id] = time.monotonic()

    steer.ask("reset", low=0, high=0)
    await work(url, steer.ask("fill", count=3), 0.01, saw)  # loads what is loaded late
    steer.ask("reset", seed=SEED, low=LOW, high=HIGH)
    ids = steer.ask("fill", count=count)
    seen.clear()
    gc.collect()
    memory, cpu, wall = resident(), time.process_time(), time.monotonic()
    await work(url, ids, interval, saw)
    cpu, wall, memory = time.process_time() - cpu, time.monotonic() - wall, resident("VmHWM") - memory
    stats, ends = steer.ask("stats"), steer.ask("ends")
    late = [(at - ends[key]) / interval for key, at in seen.items()]
    return {
        "requests": stats["requests"],
        "cpu_us": cpu / count * 1e6,
        "bytes": (stats["received"] + stats["sent"]) / count,
        "late_p50": share(late, 0.5),
        "late_p95": share(late, 0.95),
        "cpu_share": cpu / wall,
        "memory_kb_task": memory / count,
    }


def main() -> None:
    if sys.argv[1:2] == ["part"]:
        way, url, count, interval = sys.argv[2:]
        print(json.dumps(asyncio.run(measure(way, url, int(count), float(interval)))))
        return
    args_of = parser(__doc__)
    args_of.add_argument("--tasks", type=int, nargs="+", default=[100, 1000, 10_000])
    args_of.add_argument("--rounds", type=int, default=3)
    args_of.add_argument("--interval", type=float, default=5.0)
    args = args_of.parse_args()
    result: dict[str, Any] = {"interval": args.interval}
    rows = []
    with service() as running:
        for count in args.tasks:

            def once(way: str, number: int, count: int = count) -> dict[str, float]:
                print(f"{count} tasks, round {number + 1} of {args.rounds}: {way}", flush=True)
                return child("bench_watch.py", "part", way, running.url, count, args.interval)

            found = interleaved(WAYS, args.rounds, once)
            each = {way: {key: spread(one[key] for one in ones) for key in ones[0]} for way, ones in found.items()}
            for way in WAYS:
                requests, cpu, *others, _memory = each[way].values()
                rows.append([count, way, requests.median, str(cpu), *(other.median for other in others)])
            ratio = {
                f"{key} beside loop each": paired(
                    [one[key] for one in found["a2e"]], [one[key] for one in found["loop each"]]
                )
                for key in ("requests", "cpu_us", "bytes")
            }
            rows.append([count, "a2e / loop each", *map(str, ratio.values()), "", "", ""])
            result[str(count)] = each | {"ratio": ratio}
    print(f"\ninterval {args.interval:g} s; lateness as a share of it\n\n{table(HEAD, rows)}")
    save(args.json, result)


if __name__ == "__main__":
    main()
