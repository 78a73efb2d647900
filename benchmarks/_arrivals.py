"""The poller under a steady stream of tasks: what it asks for, and how late it tells of an end. Time is simulated."""

import asyncio
import gc
import random
import time

from _measure import share
from _stepping import LATENCY, Memory

from a2e_async import FACE_SWAP, TaskWatcher
from a2e_async.groups.face_swap import Swap
from a2e_async.poller import hurry
from tests.stepping import stepped

SHORTEST, LONGEST = 60.0, 300.0
"""Seconds that a task takes, all as likely: 180 on average. Invented: the service publishes none."""
WARM = 420.0
"""Seconds until as many tasks end as begin, and the poller knows how long they take."""


def arrivals(rate: float, seconds: float, *, calls: bool) -> dict[str, float]:
    """Return what one poller asks for where ``rate`` tasks begin each second, with or without callbacks."""
    stepped(_stream(1.0, 5.0, 1.0, calls=calls))  # loads what is loaded late
    return stepped(_stream(rate, WARM, seconds, calls=calls))


async def _stream(rate: float, warm: float, seconds: float, *, calls: bool) -> dict[str, float]:
    loop, chance, service = asyncio.get_running_loop(), random.Random(5), Memory([])
    late: list[float] = []
    measuring = False

    async def follow(task_id: str) -> None:
        call = loop.call_later(service.durations[task_id] + LATENCY, hurry, service, task_id) if calls else None
        try:
            await TaskWatcher(service, FACE_SWAP, Swap(id=task_id, status="initialized"))
            if measuring:
                late.append(service.late(task_id))
        finally:
            if call:
                call.cancel()

    begun, number, watches = loop.time(), 0, set[asyncio.Task[None]]()
    before = 0, 0, 0.0, 0.0
    while (now := loop.time() - begun) < warm + seconds:
        if now >= warm and not measuring:
            measuring = True
            gc.collect()
            before = service.requests, service.readings, time.process_time(), service.cpu
        for _ in range(_poisson(chance, rate)):
            task_id = f"task{number:020}"
            number += 1
            service.durations[task_id] = chance.uniform(SHORTEST, LONGEST)
            service.add([task_id])
            watch = asyncio.create_task(follow(task_id))
            watches.add(watch)
            watch.add_done_callback(watches.discard)
        await asyncio.sleep(1.0)
    requests, readings, cpu, own = before
    taken = time.process_time() - cpu - (service.cpu - own)
    found = {
        "in_flight": len(watches),
        "requests_s": (service.requests - requests) / seconds,
        "readings_s": (service.readings - readings) / seconds,
        "late_p50": share(late, 0.5),
        "late_p95": share(late, 0.95),
        "cpu_us_task": taken / max(len(late), 1) * 1e6,
    }
    measuring = False
    for watch in tuple(watches):
        watch.cancel()
    await asyncio.gather(*watches, return_exceptions=True)
    return found


def _poisson(chance: random.Random, rate: float) -> int:
    """Draw how many begin in a second; beyond a hundred the bell is near enough."""
    if rate > 100:
        return max(0, round(chance.gauss(rate, rate**0.5)))
    count, left = -1, 1.0
    while left > 0:
        left -= chance.expovariate(rate)
        count += 1
    return count
