"""The sandbox's own ceiling: it runs in a process of its own, and bare aiohttp loads it as its tasks grow.

python benchmarks/bench_server.py [--tasks 10000] [--flight 64] [--db FILE] [--profile FILE]
"""

import argparse
import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager

import aiohttp
import msgspec

SWAPS = "/api/v1/userFaceSwapTask"
SERVER = ["a2e_async", "sandbox", "--port", "0", "--clock", "scaled:20", "--coins", "1e9"]
STEPS, READS = 4, 100


class _Started(msgspec.Struct):
    id: str = msgspec.field(name="_id")


class _Answer(msgspec.Struct):
    data: _Started


@contextmanager
def serving(db: str | None, profile: str | None) -> Iterator[str]:
    """Run `a2e sandbox` and yield its URL; with a profile, `python -m pstats FILE` tells what took its time."""
    how = ["-m", "cProfile", "-o", profile] if profile else []
    words = [sys.executable, *how, "-m", *SERVER, *(["--db", db] if db else [])]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield next(found[1] for line in process.stdout if (found := re.search(r"A2E_BASE_URL=(\S+)", line)))
        finally:
            process.terminate()
            process.stdout.read()


async def rate(flight: int, send: Callable[[int], Awaitable[None]], numbers: Iterable[int]) -> float:
    """Send so many at a time, and return how many were answered in a second."""
    left, done, began = iter(numbers), 0, time.perf_counter()

    async def worker() -> None:
        nonlocal done
        for number in left:
            await send(number)
            done += 1

    await asyncio.gather(*(worker() for _ in range(flight)))
    return done / (time.perf_counter() - began)


async def bench(base: str, tasks: int, flight: int) -> None:
    ids: list[str] = []
    samples = f"{base}/sandbox/samples"
    swap = {"face_url": f"{samples}/face.jpg", "video_url": f"{samples}/clip.mp4"}

    async def ask(method: str, path: str, **options) -> bytes:
        async with http.request(method, path, **options) as response:
            body = await response.read()
            if response.status != 200:
                raise SystemExit(f"{method} {path}: {response.status} {body[:200]!r}")
            return body

    async def add(number: int) -> None:
        body = await ask("POST", f"{SWAPS}/add", json={"name": f"clip {number}"} | swap)
        ids.append(msgspec.json.decode(body, type=_Answer).data.id)

    async def details(number: int) -> None:
        at = number * 200 % max(1, len(ids) - 199)
        await ask("POST", f"{SWAPS}/batchDetail", json={"ids": ids[at : at + 200]})

    async def records(number: int) -> None:
        page = number % max(1, len(ids) // 100) + 1
        await ask("GET", f"{SWAPS}/records", params={"pageNum": page, "pageSize": 100})

    async def seconds(path: str) -> float:
        began = time.perf_counter()
        await ask("GET", path)
        return time.perf_counter() - began

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(base, connector=connector, headers={"Authorization": "Bearer sk_bench"}) as http:
        print(f"{'tasks':>7}{'add/s':>8}{'batchDetail/s':>15}{'records/s':>11}{'ledger s':>10}{'tasks s':>9}")
        for step in range(STEPS):
            added = await rate(flight, add, range(tasks * step // STEPS, tasks * (step + 1) // STEPS))
            read = [await rate(8, send, range(READS)) for send in (details, records)]
            took = [await seconds(f"/sandbox/{path}") for path in ("ledger", "tasks")]
            print(f"{len(ids):7}{added:8.0f}{read[0]:15.0f}{read[1]:11.0f}{took[0]:10.2f}{took[1]:9.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--flight", type=int, default=64)
    parser.add_argument("--db")
    parser.add_argument("--profile", metavar="FILE")
    args = parser.parse_args()
    with serving(args.db, args.profile) as base:
        asyncio.run(bench(base, args.tasks, args.flight))


if __name__ == "__main__":
    main()
