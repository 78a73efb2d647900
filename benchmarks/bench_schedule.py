"""Requests per job and lateness beside the schedules of other clients, for the same durations; all in simulated time.

python benchmarks/bench_schedule.py [--jobs 1000] [--json FILE]

Ours is the SDK's own code: one task after another in a session that has seen 100 before, and all tasks at once. The
others are their pauses, as their sources have them, with the same latency; none of them shares requests, so that one
job costs what a thousand do. Reading begins when a job has started: the submission is not counted.
"""

import asyncio
import math
import random
from collections.abc import Callable, Iterator
from itertools import repeat
from statistics import mean
from typing import Any

from _measure import parser, save, table
from _stepping import LATENCY, Memory

from a2e_async import FACE_SWAP, PollPolicy, TaskWatcher
from a2e_async._durations import durations_of
from a2e_async.groups.face_swap import Swap
from tests.stepping import stepped

SKIPPED = 100
Cost = dict[str, float]


def geometric(first: float, most: float, *before: float) -> Iterator[float]:
    yield from before
    while True:
        yield first
        first = min(first * 1.5, most)


def jittered() -> Iterator[float]:
    pauses = random.Random(6)
    while True:
        yield pauses.uniform(4.5, 7.5)


PEERS: dict[str, Callable[[], Iterator[float]]] = {
    "fal-client: 0.1 s": lambda: repeat(0.1),
    "replicate: 0.5 s": lambda: repeat(0.5),
    "openai: 1 s": lambda: repeat(1.0),
    "a loop: 2 s": lambda: repeat(2.0),
    "comfy-sdk: 0.5 to 5 s": lambda: geometric(0.5, 5.0),
    "runwayml: 4.5 to 7.5 s": jittered,
    "runware-sdk: 1, 0.5 to 10 s": lambda: geometric(0.5, 10.0, 1.0),
    "azure-core: 30 s": lambda: repeat(30.0),
}
DRAWS: dict[str, Callable[[random.Random], float]] = {
    "log-normal around 120 s": lambda chance: 120 * math.exp(chance.gauss(0, 0.25)),
    "uniform, 60 to 300 s": lambda chance: chance.uniform(60, 300),
}


def drawn(draw: str, jobs: int) -> list[float]:
    chance = random.Random(4)
    return [DRAWS[draw](chance) for _ in range(jobs)]


def peer(pauses: Callable[[], Iterator[float]], durations: list[float]) -> Cost:
    requests, late = 0, 0.0
    for duration in durations:
        at, schedule = 0.0, pauses()
        while at < duration:
            at += next(schedule) + LATENCY
            requests += 1
        late += at - duration
    return {"requests": requests / len(durations), "late": late / len(durations)}


async def follow(service: Memory, task_id: str, policy: PollPolicy | None = None, every: float | None = None) -> float:
    service.add([task_id])
    await TaskWatcher(service, FACE_SWAP, Swap(id=task_id, status="initialized"), policy=policy, every=every)
    return service.late(task_id)


def alone(durations: list[float]) -> Cost:
    """One task after another; the first teach, and are not counted."""
    service = Memory([*durations[:SKIPPED], *durations])

    async def main() -> Cost:
        late, before = [], 0
        for number, task_id in enumerate(service.durations):
            if number == SKIPPED:
                late, before = [], service.requests
            late.append(await follow(service, task_id))
        return {"requests": (service.requests - before) / len(durations), "late": mean(late)}

    return stepped(main())


def together(durations: list[float], policy: PollPolicy | None = None, every: float | None = None) -> Cost:
    service = Memory(durations)
    durations_of(service, FACE_SWAP.name).add(*durations[:SKIPPED])

    async def main() -> float:
        return mean(await asyncio.gather(*(follow(service, task_id, policy, every) for task_id in service.durations)))

    late = stepped(main())
    return {"requests": service.requests / len(durations), "late": late}


def measured(draw: str, jobs: int) -> dict[str, Cost]:
    durations = drawn(draw, jobs)
    random.seed(3)  # the phase of the grid
    ours = {
        "a2e, one at a time": alone(durations),
        "a2e, all at once": together(durations),
        "a2e, all at once, shortest=0.25": together(durations, PollPolicy(shortest=0.25)),
        "a2e, all at once, every=0.02": together(durations, PollPolicy(shortest=0.02), 0.02),
    }
    return ours | {name: peer(pauses, durations) for name, pauses in PEERS.items()}


def rows(found: dict[str, Cost]) -> Iterator[list[object]]:
    """Yield each way with its cost, and which of ours beats it on both axes."""
    for name, cost in found.items():
        better = [
            way.removeprefix("a2e, ")
            for way, its in found.items()
            if way.startswith("a2e") and its["requests"] < cost["requests"] and its["late"] < cost["late"]
        ]
        yield [name, *cost.values(), "" if name.startswith("a2e") else "; ".join(better) or "none"]


def told(found: dict[str, Cost]) -> str:
    """Name what none of ours beats on both axes."""
    left = [
        f"{name} ({late:.2g} s late, {asked:,.0f} requests)" for name, asked, late, by in rows(found) if by == "none"
    ]
    return f"\nNot beaten on both axes: {', '.join(left) or 'none'}."


HEAD = ("schedule", "requests a job", "late, s", "beaten on both by a2e")


def main() -> None:
    args_of = parser(__doc__)
    args_of.add_argument("--jobs", type=int, default=1000)
    args = args_of.parse_args()
    result: dict[str, Any] = {"jobs": args.jobs, "latency": LATENCY, "draws": {}}
    for draw in DRAWS:
        found = result["draws"][draw] = measured(draw, args.jobs)
        print(f"\n{draw}\n\n{table(HEAD, rows(found))}", flush=True)
    save(args.json, result)


if __name__ == "__main__":
    main()
