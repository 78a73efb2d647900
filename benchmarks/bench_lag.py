"""Loop lag: how much later than it asked a task that sleeps 5 ms wakes, with 1,000 waits and downloads in flight.

python benchmarks/bench_lag.py [--jobs 1000] [--rounds 3] [--seconds 10] [--json FILE]

Each of the 1,000 starts a job, waits for its end (5 to 20 s), saves its result of 2 MB, and begins again. `idle` is the
same loop with nothing on it, `waits` saves nothing; `starting` is from the first start until all have started.
`aiohttp` is aiohttp by itself, with so many downloads on end that nobody keeps: what one loop pays for that many.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from _contenders import FACE, VIDEO
from _measure import Service, child, interleaved, parser, save, service, share, spread, table

from a2e_async import A2ESession, Limits

PAUSE, LOW, HIGH, FILES = 0.005, 5, 20, 64
WAYS = {"idle": 0, "aiohttp, 8": 8, "aiohttp, 32": 32, "waits": 0, "8 transfers": 8, "32 transfers": 32}
HEAD = ("load", "p50, ms", "p99, ms", "max, ms", "max while starting, ms", "CPU share", "jobs a second", "MB a second")


class Lag:
    """Milliseconds by which each sleep was too long."""

    def __init__(self) -> None:
        self.found: list[float] = []

    async def sample(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(PAUSE)
            self.found.append((time.perf_counter() - began - PAUSE) * 1e3)

    def told(self) -> list[float]:
        """Return what was found since the last time."""
        found, self.found = self.found, []
        return found


class Load:
    def __init__(self, session: A2ESession, jobs: int, folder: Path | None) -> None:
        self._session, self._jobs, self._folder = session, jobs, folder
        self._left, self.started = jobs, asyncio.Event()
        self.done = self.bytes = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(self._jobs):
                group.create_task(self._work(number))

    async def _work(self, number: int) -> None:
        session = self._session
        while True:
            task = await session.face_swap.tasks.add(name=f"clip-{number}", face_url=FACE, video_url=VIDEO)
            self._left -= 1
            if not self._left:
                self.started.set()
            await session.watch(task)
            if self._folder is not None:
                # The service's own results lie at a host that does not exist.
                url = f"{session.config.base_url}/results/{task.id}.mp4"
                path = await session.files.save(url, self._folder / f"clip-{number % FILES}.mp4")
                self.bytes += path.stat().st_size
            self.done += 1


async def bare(url: str, count: int) -> None:
    async def work() -> None:
        while True:
            async with http.get("/results/clip.mp4") as answer:
                while await answer.content.readany():
                    pass

    async with aiohttp.ClientSession(url) as http:
        await asyncio.gather(*(work() for _ in range(count)))


async def measure(way: str, url: str, jobs: int, seconds: float) -> dict[str, float]:
    Service(url).ask("reset", low=LOW, high=HIGH)
    limits = Limits(transfers=WAYS[way] or Limits().transfers)
    with tempfile.TemporaryDirectory() as folder:
        async with A2ESession("sk_bench", base_url=url, limits=limits) as session:
            await session.face_swap.tasks.processing()  # loads what is loaded late
            lag, load = Lag(), Load(session, jobs, Path(folder) if WAYS[way] else None)
            tasks = [asyncio.create_task(lag.sample())]
            await asyncio.sleep(PAUSE * 10)
            lag.told()
            if way.startswith("aiohttp"):
                tasks.append(asyncio.create_task(bare(url, WAYS[way])))
            elif way != "idle":
                tasks.append(asyncio.create_task(load.run()))
                await load.started.wait()
            starting = lag.told() if load.started.is_set() else []
            await asyncio.sleep(LOW if starting else 0.2)  # until the first may end
            lag.told()
            done, moved, cpu, wall = load.done, load.bytes, time.process_time(), time.monotonic()
            await asyncio.sleep(seconds)
            cpu, wall, found = time.process_time() - cpu, time.monotonic() - wall, lag.told()
            done, moved = load.done - done, load.bytes - moved
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks)
    return {
        "p50": share(found, 0.5),
        "p99": share(found, 0.99),
        "max": max(found),
        "starting": max(starting, default=float("nan")),
        "cpu_share": cpu / wall,
        "jobs_s": done / wall,
        "mb_s": moved / wall / 1e6,
    }


def main() -> None:
    if sys.argv[1:2] == ["part"]:
        way, url, jobs, seconds = sys.argv[2:]
        print(json.dumps(asyncio.run(measure(way, url, int(jobs), float(seconds)))))
        return
    args_of = parser(__doc__)
    args_of.add_argument("--jobs", type=int, default=1000)
    args_of.add_argument("--rounds", type=int, default=3)
    args_of.add_argument("--seconds", type=float, default=10.0)
    args = args_of.parse_args()
    with service() as running:

        def once(way: str, number: int) -> dict[str, float]:
            print(f"round {number + 1} of {args.rounds}: {way}", flush=True)
            return child("bench_lag.py", "part", way, running.url, args.jobs, args.seconds)

        found = interleaved(list(WAYS), args.rounds, once)
    ways: dict[str, Any] = {
        way: {key: spread(one[key] for one in ones) for key in ones[0]} for way, ones in found.items()
    }
    print(f"\n{args.jobs} jobs in flight\n\n{table(HEAD, rows(ways))}")
    save(args.json, {"jobs": args.jobs, "ways": ways})


def rows(ways: dict[str, Any]) -> list[list[object]]:
    return [[way, *(value[0] for value in row.values())] for way, row in ways.items()]


if __name__ == "__main__":
    main()
