"""An hour of an account's life, and more, with every fault on: memory, descriptors, threads and tasks stay flat.

python benchmarks/soak.py [--minutes 10] [--json benchmarks/results/soak.json] [--page docs/pages/faults.md]

The sandbox runs in a process of its own on a clock 20 times as fast as ours. This process is the client: batch after
batch with a journal and results on disk, watches beside each, every file of an upload new. A sample is taken after each
batch, when nothing is under way and what can be collected is. Memory held is what was allocated and not freed, by
Python and by libraries in C, as the C library counts it: Python is started with PYTHONMALLOC=malloc for that. Resident
memory stands beside it without a verdict: bodies of up to 64 MiB leave holes in it. The verdict is the slope over the
second half: what grows by more than chance explains fails it.
"""

import argparse
import asyncio
import contextlib
import ctypes
import gc
import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from math import inf
from pathlib import Path
from typing import Any

import aiohttp
from _measure import renew, resident, save, table
from _trial import PICTURE, descriptors
from chaos import A2E, served

from a2e_async import FACE_SWAP, A2EError, A2ESession, PollPolicy, RetryPolicy

KEY = "sk_soak"
SCALE, SHARE = 20, 0.005
JOBS, WATCHES = 40, 10
ALLOWED = {"held_kb": 8.0, "resident_kb": inf, "descriptors": 0.0, "threads": 0.0, "tasks": 0.0}
"""By how much each may grow with a batch, on the line through the second half, beyond two standard errors of it."""


@contextlib.asynccontextmanager
async def sandbox() -> AsyncIterator[str]:
    words = ("sandbox", "--port", "0", "--clock", f"scaled:{SCALE}", "--coins", "100000000", "--storm", str(SHARE))
    async with served((*A2E, *words)) as url:
        yield url


class _MallInfo(ctypes.Structure):
    NAMES = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = tuple((name, ctypes.c_size_t) for name in NAMES.split())


def held() -> float:
    """Return the kB that are allocated and not freed; 0 where the C library does not tell."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError, TypeError):  # glibc alone has it
        return 0.0
    ask.restype = _MallInfo
    found = ask()
    return round((found.uordblks + found.hblkhd) / 1024, 1)


def sample(began: float) -> dict[str, float]:
    gc.collect()
    return {
        "seconds": round(time.monotonic() - began, 1),
        "held_kb": held(),
        "resident_kb": resident(),
        "descriptors": len(descriptors()),
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
        "objects": len(gc.get_objects()),
    }


async def round_of(a2e: A2ESession, url: str, folder: Path, number: int, ends: Counter[str]) -> None:
    """Run one batch and some watches, and count how each ended."""

    def job(place: int) -> dict[str, Any]:
        key = f"{number}-{place}"
        face: str | Path = f"{url}/sandbox/samples/face.jpg"
        if place % 8 == 0:
            face = folder / f"{key}.in.jpg"
            face.write_bytes(PICTURE.read_bytes() + key.encode())
        return {"key": key, "name": key, "face_url": face, "video_url": f"{url}/sandbox/samples/face.jpg"}

    async def watch(place: int) -> None:
        request = job(place * 8 + 1)
        del request["key"]
        try:
            await a2e.run(FACE_SWAP, **request)
            ends["watch done"] += 1
        except A2EError as error:
            ends[f"watch {type(error).__name__}"] += 1

    async def batch() -> None:
        async with a2e.batch(
            FACE_SWAP, journal=folder / "soak.sqlite", name=str(number), out=folder / "{key}.jpg", deadline=15
        ) as run:
            async for outcome in run.run(map(job, range(JOBS))):
                told = f" {type(outcome.error).__name__}" if outcome.error else ""
                ends[f"job {outcome.state.value}{told}"] += 1

    await asyncio.gather(batch(), *map(watch, range(WATCHES)))
    await asyncio.to_thread(_clear, folder)


def _clear(folder: Path) -> None:
    for path in folder.glob("*.jpg"):
        path.unlink()


async def soak(minutes: float) -> dict[str, Any]:
    ends: Counter[str] = Counter()
    samples: list[dict[str, float]] = []
    retry, poll = RetryPolicy(base=0.05, longest=1.0), PollPolicy(shortest=0.2, longest=1.0, grace=5.0)
    with tempfile.TemporaryDirectory() as name:
        async with sandbox() as url, A2ESession(KEY, base_url=url, timeout=3.0, retry=retry, poll=poll) as a2e:
            began = time.monotonic()
            while time.monotonic() - began < minutes * 60 or len(samples) < 4:
                await round_of(a2e, url, Path(name), len(samples), ends)
                samples.append(sample(began))
            parts = len(await asyncio.to_thread(lambda: list(Path(name).rglob("*.part"))))
            headers = {"Authorization": f"Bearer {KEY}"}
            async with aiohttp.ClientSession(headers=headers) as http, http.get(f"{url}/sandbox/faults") as response:
                struck = sum(rule["strikes"] for rule in await response.json(content_type=None))
    return {"ends": dict(ends), "parts": parts, "struck": struck, "samples": samples}


def verdict(samples: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return where each quantity was half-way and at the end, and its slope a batch in between."""
    half = samples[len(samples) // 2 :]
    found = {}
    for name in ALLOWED:
        values = [one[name] for one in half]
        slope, error = line(values)
        found[name] = {"first": values[0], "last": values[-1], "most": max(values), "slope": slope, "error": error}
    return found


def line(values: list[float]) -> tuple[float, float]:
    """Return the slope of the line through values one apart, and its standard error."""
    places = range(len(values))
    slope, start = statistics.linear_regression(places, values)
    squares = sum((value - start - slope * place) ** 2 for place, value in enumerate(values))
    spread = statistics.variance(places) * (len(values) - 1)
    return round(slope, 4), round((squares / max(1, len(values) - 2) / spread) ** 0.5, 4)


def told(result: dict[str, Any]) -> str:
    last, batches = result["samples"][-1], len(result["samples"])
    took = f"{last['seconds'] / 60:.0f} minutes, {last['seconds'] * SCALE / 3600:.1f} hours of the account's clock"
    done = f"{batches} batches of {JOBS} jobs with {WATCHES} watches beside each; {result['struck']:,} faults struck"
    ends = "; ".join(f"{name}: {count:,}" for name, count in sorted(result["ends"].items()))
    head = "what", "half-way", "at the end", "most", "a batch", "standard error"
    rows = [
        (
            name.replace("held_kb", "memory held, kB").replace("_kb", " memory, kB"),
            *(int(row[when]) for when in ("first", "last", "most")),
            row["slope"],
            row["error"],
        )
        for name, row in result["verdict"].items()
    ]
    return f"{took}: {done}.\n\nHow it ended: {ends}.\n\n{table(head, rows)}"


def main(minutes: float, path: Path | None, page: Path | None) -> bool:
    logging.getLogger("a2e_async").setLevel(logging.ERROR)
    result = asyncio.run(soak(minutes))
    result["verdict"] = verdict(result["samples"])
    save(path, result)
    text = told(result)
    print(text)
    if page is not None:
        renew(page, "soak", text)
    flat = {name: row["slope"] - 2 * row["error"] <= ALLOWED[name] for name, row in result["verdict"].items()}
    print(json.dumps({"flat": flat, "parts": result["parts"]}))
    return all(flat.values()) and not result["parts"]


if __name__ == "__main__":
    if os.environ.get("PYTHONMALLOC") != "malloc":
        env = os.environ | {"PYTHONMALLOC": "malloc"}
        sys.exit(subprocess.run([sys.executable, *sys.argv], env=env, check=False).returncode)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--json", type=Path, help="file for the samples")
    parser.add_argument("--page", type=Path, help="page whose lines are to be replaced")
    given = parser.parse_args()
    sys.exit(0 if main(given.minutes, given.json, given.page) else 1)
