"""Memory: of a watched task, of a batch of 1,000 at its peak beside peers, of a batch over a million jobs.

python benchmarks/bench_memory.py [--tasks 10000] [--rounds 3] [--outcomes 8000] [--json FILE]

Bytes are tracemalloc's; kB are resident memory above what the process had before. Each figure is of a new process.
"""

import asyncio
import gc
import json
import math
import os
import sys
import time
import tracemalloc
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from _contenders import FACE, VIDEO, version
from _measure import Service, Spread, child, interleaved, paired, parser, resident, save, service, spread, table

from a2e_async import FACE_SWAP, A2ESession

PEAK = ("by hand", "a2e", "a2e journal", "runway+aiohttp", "openai+aiohttp", "runware")
JOBS = 1000
WATCHED = {
    "handle": "handle",
    "waited": "handle and future, waited for without an asyncio task",
    "task": "with a waiting asyncio task",
    "read": "the same, once its record was read",
}


async def watched(url: str, form: str, count: int) -> dict[str, float]:
    """Return what one watched task takes in one of the forms of `WATCHED`."""
    steer = Service(url)
    steer.ask("reset", low=3600, high=3600)
    ids: list[str] = steer.ask("fill", count=count)
    async with A2ESession("sk_bench", base_url=url) as a2e:
        await a2e.face_swap.tasks.details(ids=ids[:2])  # loads what is loaded late
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        watchers = [a2e.watch(FACE_SWAP, task_id) for task_id in ids]
        waits: list[Any] = []
        if form == "waited":
            waits = [watcher.__await__() for watcher in watchers]
            for wait in waits:
                next(wait)  # up to its future, in this very task
        elif form != "handle":
            waits = [asyncio.ensure_future(_result(watcher)) for watcher in watchers]
            await asyncio.sleep(0)  # all wait now, and nothing was read yet
        while form == "read" and any(watcher.task is None for watcher in watchers):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.1)
        gc.collect()
        taken = (tracemalloc.get_traced_memory()[0] - before) / count
        print(json.dumps({"bytes": taken, "waits": len(waits)}), flush=True)
        os._exit(0)  # what hangs in the middle cannot be ended in order


async def _result(watcher: Awaitable[object]) -> object:
    return await watcher


async def stream(url: str, count: int, outcomes: int) -> dict[str, Any]:
    """Take so many outcomes of an input of ``count`` jobs that is made as it is asked for."""
    Service(url).ask("reset", low=0.2, high=0.5)
    taken = done = 0
    found: dict[str, Any] = {}
    marks = {outcomes // 8, outcomes // 2, outcomes}

    def jobs() -> Iterator[dict[str, str]]:
        nonlocal taken
        for number in range(count):
            taken += 1
            yield {"name": f"clip-{number}", "face_url": FACE, "video_url": VIDEO}

    async with A2ESession("sk_bench", base_url=url) as a2e, a2e.batch(FACE_SWAP) as batch:
        await a2e.face_swap.tasks.processing()  # loads what is loaded late
        memory, began = resident(), time.monotonic()
        async for _ in batch.run(jobs()):
            done += 1
            if done == 1:
                found |= {"first_s": time.monotonic() - began, "taken_at_first": taken}
            if done in marks:
                found[f"kb_at_{done}"] = resident() - memory
            if done == outcomes:
                break
        wall = time.monotonic() - began
        return found | {"outcomes_s": done / wall, "taken": taken, "peak_kb": resident("VmHWM") - memory}


def watched_rows(url: str, count: int, rounds: int) -> dict[str, Spread]:
    def once(form: str, _number: int) -> dict[str, float]:
        return child("bench_memory.py", "part", "watched", url, form, count)

    found = interleaved(list(WATCHED), rounds, once)
    return {WATCHED[form]: spread(one["bytes"] for one in rows) for form, rows in found.items()}


def peak_rows(url: str, names: list[str], rounds: int) -> dict[str, dict[str, Any]]:
    def once(name: str, number: int) -> dict[str, Any]:
        return child("_contenders.py", name, url, "--jobs", JOBS, "--limit", 90, "--seed", number)

    found = interleaved(names, rounds, once)
    told: dict[str, dict[str, Any]] = {}
    for name, rows in found.items():
        kb = [row.get("memory_kb_job", math.nan) for row in rows]
        told[name] = {"kb_job": spread(kb), "done": min(row.get("done", 0) for row in rows)}
        told[name]["a2e beside it"] = paired([row["memory_kb_job"] for row in found["a2e"]], kb)
    return told


def main() -> None:
    if sys.argv[1:2] == ["part"]:
        work: Callable[..., Awaitable[dict[str, Any]]] = {"watched": watched, "stream": stream}[sys.argv[2]]
        words = [int(word) if word.isdecimal() else word for word in sys.argv[3:]]
        print(json.dumps(asyncio.run(work(*words))))
        return
    args_of = parser(__doc__)
    args_of.add_argument("--tasks", type=int, default=10_000)
    args_of.add_argument("--rounds", type=int, default=3)
    args_of.add_argument("--outcomes", type=int, default=8000)
    args = args_of.parse_args()
    names = [name for name in PEAK if version(name)]
    missing = [name for name in PEAK if name not in names]
    with service() as running:
        print(f"{args.tasks} watched tasks, bytes each\n")
        each = watched_rows(running.url, args.tasks, args.rounds)
        print(table(("form", "bytes"), [(form, str(row)) for form, row in each.items()]))
        print(f"\npeak growth of a batch of {JOBS}, kB a job\n", flush=True)
        peak = peak_rows(running.url, names, args.rounds)
        rows = [(name, str(row["kb_job"]), row["done"], str(row["a2e beside it"])) for name, row in peak.items()]
        print(table(("client", "kB/job", "done", "a2e beside it"), rows))
        print(f"\nbatch over an input that is made as it is asked for, first {args.outcomes} outcomes\n", flush=True)
        sizes = args.outcomes + 2000, 1_000_000
        flow = {size: child("bench_memory.py", "part", "stream", running.url, size, args.outcomes) for size in sizes}
        print(table(("input", *flow[sizes[0]]), [(f"{size:,}", *row.values()) for size, row in flow.items()]))
    if missing:
        print("\nnot installed, left out:", ", ".join(missing))
    save(args.json, {"watched": each, "peak": peak, "stream": flow, "missing": missing})


if __name__ == "__main__":
    main()
