"""What ten times more tasks costs: CPU, requests, memory and lateness per task with 100 to 100,000 in flight.

python benchmarks/bench_growth.py [--tasks 100 1000 10000 100000] [--rounds 3] [--json FILE]

All tasks begin at once and take from 60 to 300 s of simulated time; the service is in memory and its CPU is taken off,
so that what is left is watching and decoding. Bytes are the peak of tracemalloc, in a process of their own.
"""

import asyncio
import cProfile
import gc
import json
import pstats
import random
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

from _measure import HERE, child, interleaved, parser, save, share, spread, table
from _stepping import Memory

from a2e_async import FACE_SWAP, TaskWatcher
from a2e_async._reader import BATCH
from a2e_async.groups.face_swap import Swap
from a2e_async.poller import RATE
from tests.stepping import stepped

LOW, HIGH = 60, 300
HEAD = (
    "tasks",
    "requests a task",
    "readings a task",
    "µs of CPU a task",
    "of it collecting garbage",
    "µs of CPU a reading",
    "bytes a task",
    "late p50, s",
    "late p95, s",
)


class Garbage:
    """Seconds of CPU that the collector took."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self, phase: str, _info: dict[str, int]) -> None:
        self.seconds += time.process_time() * (1 if phase == "stop" else -1)


def filled(count: int) -> Memory:
    chance = random.Random(5)
    return Memory(chance.uniform(LOW, HIGH) for _ in range(count))


async def watch(service: Memory) -> list[float]:
    """Watch all tasks at once; return how late the end of each was seen."""

    async def follow(task_id: str) -> float:
        await TaskWatcher(service, FACE_SWAP, Swap(id=task_id, status="initialized"))
        return service.late(task_id)

    service.add(service.durations)
    return await asyncio.gather(*map(follow, service.durations))


def cpu(count: int) -> dict[str, float]:
    service, garbage = filled(count), Garbage()
    gc.collect()
    gc.callbacks.append(garbage)
    began = time.process_time()
    late = stepped(watch(service))
    taken = time.process_time() - began - service.cpu
    return {
        "requests": service.requests / count,
        "readings": service.readings / count,
        "cpu_us": taken / count * 1e6,
        "gc_us": garbage.seconds / count * 1e6,
        "reading_us": taken / service.readings * 1e6,
        "late_p50": share(late, 0.5),
        "late_p95": share(late, 0.95),
    }


def memory(count: int) -> dict[str, float]:
    service = filled(count)
    service.born = dict.fromkeys(service.durations, 0.0)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    stepped(watch(service))
    return {"bytes": (tracemalloc.get_traced_memory()[1] - before) / count}


def profile(count: int) -> dict[str, float]:
    """Return the share of each module in the CPU, as far as a profiler tells, without the service's."""
    profiler, service = cProfile.Profile(time.process_time, builtins=False), filled(count)
    profiler.runcall(stepped, watch(service))
    found: dict[str, float] = {}
    for (file, *_), (_, _, own, *_) in pstats.Stats(profiler).stats.items():
        if not file.startswith(str(HERE)):
            found[Path(file).name] = found.get(Path(file).name, 0.0) + own
    whole = sum(found.values())
    return {name: own / whole for name, own in sorted(found.items(), key=lambda item: -item[1])[:8]}


PARTS = {"cpu": cpu, "memory": memory, "profile": profile}


def main() -> None:
    if sys.argv[1:2] == ["part"]:
        part, count = sys.argv[2:]
        stepped(watch(filled(50)))  # loads what is loaded late
        print(json.dumps(PARTS[part](int(count))))
        return
    args_of = parser(__doc__)
    args_of.add_argument("--tasks", type=int, nargs="+", default=[100, 1000, 10_000, 100_000])
    args_of.add_argument("--rounds", type=int, default=3)
    args = args_of.parse_args()

    def once(count: str, number: int) -> dict[str, float]:
        print(f"{int(count):,} tasks, round {number + 1} of {args.rounds}", flush=True)
        return child("bench_growth.py", "part", "cpu", count)

    counts = [str(count) for count in args.tasks]
    result: dict[str, Any] = {}
    for count, ones in interleaved(counts, args.rounds, once).items():
        result[count] = {key: spread(one[key] for one in ones) for key in ones[0]}
        result[count] |= {part: child("bench_growth.py", "part", part, count) for part in ("memory", "profile")}
    print(f"\n{table(HEAD, rows(result))}")
    save(args.json, result)


def rows(found: dict[str, Any]) -> list[list[object]]:
    keys = "requests", "readings", "cpu_us", "gc_us", "reading_us"
    return [
        [
            int(count),
            *(one[key][0] for key in keys),
            one["memory"]["bytes"],
            *(one[key][0] for key in ("late_p50", "late_p95")),
        ]
        for count, one in found.items()
        if count.isdecimal()
    ]


def told(found: dict[str, Any]) -> str:
    """Say where it stops being linear, and why."""
    counts = sorted((count for count in found if count.isdecimal()), key=int)
    first, last = found[counts[0]], found[counts[-1]]
    shares = {count: _shares(found[count]["profile"]) for count in (counts[0], counts[-1])}
    return (
        f"\nRequests stop being linear where one a second for all tasks would be more than a poller asks: {RATE:g} a "
        f"second, {BATCH} tasks each, {RATE * BATCH:,.0f} tasks a second. Beyond, its rounds get rarer instead: "
        f"{first['readings'][0]:.0f} readings a task become {last['readings'][0]:.0f}, CPU a task falls with them, and "
        f"an end is seen {last['late_p50'][0]:.1f} instead of {first['late_p50'][0]:.1f} s late (median). One reading "
        f"costs {last['reading_us'][0]:.1f} instead of {first['reading_us'][0]:.1f} µs; probably because what a "
        f"task costs once, to begin, to end and to be collected, is shared by fewer readings: it does not explain "
        "all of it. By module, " + "; ".join(f"{int(count):,} tasks: {share}" for count, share in shares.items()) + "."
    )


def _shares(profile: dict[str, float]) -> str:
    return ", ".join(f"{name} {part:.0%}" for name, part in list(profile.items())[:5])


if __name__ == "__main__":
    main()
