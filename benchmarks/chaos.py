"""Ten thousand swaps, faults on every path, the client killed again and again: what was paid, and what was told.

python benchmarks/chaos.py [--jobs 10000] [--kills 20] [--without-journal] [--seed 1]

The sandbox runs in a process of its own, `a2e batch` in another that gets SIGKILL at random instants and is started
again. Without a journal the rows that have an outcome are taken out of the input before each new start, as a careful
person would do.
"""

import argparse
import asyncio
import collections
import contextlib
import csv
import json
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

KEY = "sk_chaos"
A2E = (sys.executable, "-m", "a2e_async")
ADD = "*/userFaceSwapTask/add"
FAULTS: list[dict[str, Any]] = [
    {"effect": "reset_after", "path": ADD, "share": 0.01},
    {"effect": "reset_before", "share": 0.01},
    {"effect": "status", "status": 503, "share": 0.02},
    {"effect": "status", "status": 429, "headers": {"Retry-After": "1"}, "every": 2000, "first": 40},
]


class Server:
    """The sandbox's own view."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self.url = http, url

    async def get(self, path: str) -> Any:
        async with self._http.get(f"{self.url}/sandbox/{path}") as response:
            return await response.json()

    async def fault(self, rule: dict[str, Any]) -> None:
        async with self._http.post(f"{self.url}/sandbox/faults", json=rule) as response:
            response.raise_for_status()


@contextlib.asynccontextmanager
async def served(command: tuple[str, ...]) -> AsyncIterator[str]:
    """Run a sandbox in a process of its own, and tell its URL."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        assert process.stdout
        text = ""
        while not (found := re.search(r"http://127\.0\.0\.1:\d+", text)):
            line = await process.stdout.readline()
            assert line, text
            text += line.decode()
        drain = asyncio.create_task(_drain(process.stdout))
        yield found[0]
        drain.cancel()
    finally:
        process.terminate()
        await process.wait()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(1 << 16):
        pass


@contextlib.asynccontextmanager
async def sandbox() -> AsyncIterator[Server]:
    command = (*A2E, "sandbox", "--port", "0", "--clock", "scaled:20", "--coins", "1000000")
    async with served(command) as url, aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as http:
        yield Server(http, url)


class Client:
    """Runs `a2e batch`, reads what it tells, and can be killed."""

    def __init__(self, folder: Path, url: str, keys: list[str], *, journal: bool) -> None:
        self.folder, self.journal, self.keys = folder, journal, keys
        self.env = os.environ | {"A2E_API_KEY": KEY, "A2E_BASE_URL": url}
        self.row = {"face_url": f"{url}/sandbox/samples/face.jpg", "video_url": f"{url}/sandbox/samples/clip.mp4"}
        self.told: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)

    async def run(self, kill_after: float | None) -> int:
        jobs = self.folder / "jobs.csv"
        with jobs.open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["key", "name", *self.row])
            out.writerows([key, key, *self.row.values()] for key in self.keys if self.journal or key not in self.told)
        command = [*A2E, "batch", str(jobs), "--json"]
        if self.journal:
            command += ["--journal", str(self.folder / "swaps.sqlite")]
        process = await asyncio.create_subprocess_exec(
            *command, env=self.env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        killer = asyncio.get_running_loop().call_later(kill_after, process.kill) if kill_after else None
        assert process.stdout
        run: dict[str, dict[str, Any]] = {}
        async for line in process.stdout:
            with contextlib.suppress(ValueError):  # the last line of a killed process
                outcome = json.loads(line)
                run[outcome["key"]] = outcome
        code = await process.wait()
        if killer:
            killer.cancel()
        for key, outcome in run.items():
            self.told[key].append(outcome)
        return code


async def main(jobs: int, kills: int, seed: int, *, journal: bool) -> bool:
    draw = random.Random(seed)
    keys = [f"job-{n:05}" for n in range(jobs)]
    began = time.monotonic()
    async with sandbox() as server:
        with tempfile.TemporaryDirectory() as folder:
            for rule in FAULTS:
                await server.fault(rule)
            client = Client(Path(folder), server.url, keys, journal=journal)
            killed = 0
            while True:
                code = await client.run(draw.uniform(1.0, 4.0) if killed < kills else None)
                if code >= 0:
                    break
                killed += 1
            last = {key: told[-1] for key, told in client.told.items()}
            tasks, ledger = await server.get("tasks"), await server.get("ledger")
            faults = await server.get("faults")
    seconds = time.monotonic() - began
    per_key = collections.Counter(match[0] for task in tasks if (match := re.search(r"job-\d+", task["name"])))
    paid = -sum(row["delta"] for row in ledger["rows"] if row["reason"] != "grant")
    own = sum(outcome["coins"] or 0 for outcome in last.values())
    states = collections.Counter(outcome["state"] for outcome in last.values())
    rows: dict[str, Any] = {
        "journal": "on" if journal else "off",
        "jobs": jobs,
        "client killed with SIGKILL": killed,
        "exit code of the last run": code,
        "seconds": round(seconds),
        "tasks on the server": len(tasks),
        "jobs without a task": jobs - len(per_key),
        "jobs with more than one task": sum(count > 1 for count in per_key.values()),
        "jobs with an outcome": len(last),
        "outcomes by state": dict(states),
        "coins by the server's ledger": paid,
        "coins by the batch": own,
    } | {f"faults: {rule['effect']} {rule['status']}": rule["strikes"] for rule in faults}
    print("| what | |\n| --- | --- |")
    for name, value in rows.items():
        print(f"| {name} | {value} |")
    return len(tasks) == len(per_key) == len(last) == jobs and paid == own


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-journal", action="store_true")
    given = parser.parse_args()
    whole = asyncio.run(main(given.jobs, given.kills, given.seed, journal=not given.without_journal))
    sys.exit(0 if whole else 1)
