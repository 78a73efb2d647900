"""Several workers on one database, killed again and again, its server restarted, its network cut: what was paid.

python benchmarks/machines.py [--jobs 5000] [--workers 3] [--kills 20] [--seed 1] [--quick] [--only on] [--page FILE]

The sandbox, PostgreSQL and each `a2e worker` are processes of their own, and each worker reaches the database through a
network of its own. At random instants a worker gets SIGKILL, and is started again a second later. When a third of the
jobs has ended, PostgreSQL is restarted; at two thirds, one worker's network carries nothing for ten seconds, and then
resets its connections. At the end the sandbox's books are held against the journal's. The same once more, with every
lost answer taken for nothing done, shows what reconciliation is worth. Exits with 1 unless, with it, every job has
ended, each was paid for once, and the totals agree.
"""

import argparse
import asyncio
import collections
import dataclasses
import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

from _machines import Wire, Worker
from _measure import HERE, renew, table
from chaos import A2E, FAULTS, KEY, sandbox

from a2e_async import FACE_SWAP, A2EError, A2ESession
from a2e_async.integrations._database import migrate
from a2e_async.integrations._operations import Standing, read_status
from a2e_async.integrations.procrastinate import Engine
from tests.servers import PostgreSQL

CUT = 10.0
LOOK = 0.5
UNRECONCILED = (sys.executable, str(HERE / "_unreconciled.py"))
OPEN = {"new", "sending", "sent"}


@dataclasses.dataclass(frozen=True)
class Plan:
    """How large a trial is; times are seconds."""

    jobs: int = 5000
    workers: int = 3
    kills: int = 20
    seed: int = 1
    apart: tuple[float, float] = (2.0, 8.0)
    """Between two kills."""
    limit: float = 1800.0


QUICK = Plan(jobs=200, workers=2, kills=3)


@dataclasses.dataclass
class Trial:
    """What happened in one trial."""

    plan: Plan
    reconciled: bool
    killed: int = 0
    ended: int = 0
    restarts: int = 0
    cuts: int = 0
    seconds: float = 0.0
    standing: Standing | None = None
    tasks: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    ledger: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    faults: list[dict[str, Any]] = dataclasses.field(default_factory=list)

    def rows(self) -> dict[str, object]:
        """Return what the table tells, the journal's word beside that of the sandbox."""
        paid = -sum(row["delta"] for row in self.ledger if row["reason"] != "grant")
        names = [match[0] for task in self.tasks if (match := re.search(r"job-\d+", task["name"]))]
        per_job = collections.Counter(names)
        counts = dict(self.standing.counts) if self.standing else {}
        told = ", ".join(f"{count:,} {phase}" for phase, count in counts.items() if count)
        return {
            "seconds": round(self.seconds),
            "workers killed with SIGKILL": self.killed,
            "workers that ended by themselves": self.ended,
            "restarts of PostgreSQL": self.restarts,
            f"cuts of a network for {CUT:g} s": self.cuts,
            **{f"faults: {_named(rule)}": rule["strikes"] for rule in self.faults},
            "jobs": self.plan.jobs,
            "jobs by the journal": told,
            "tasks on the server": len(self.tasks),
            "jobs without a task": self.plan.jobs - len(per_job),
            "jobs paid for more than once": sum(count > 1 for count in per_job.values()),
            "coins by the server's ledger": round(paid),
            "coins by the journal": round(self.standing.coins) if self.standing else 0,
        }

    @property
    def good(self) -> bool:
        rows = self.rows()
        ended = self.standing is not None and self.standing.counts["done"] == self.plan.jobs
        alike = rows["coins by the server's ledger"] == rows["coins by the journal"]
        return ended and alike and not (rows["jobs without a task"] or rows["jobs paid for more than once"])


def _named(rule: dict[str, Any]) -> str:
    return f"{rule['effect']} {rule['status']}" if rule["effect"] == "status" else str(rule["effect"])


async def trial(plan: Plan, *, reconciled: bool, folder: Path) -> Trial:
    """Run all jobs to their ends, or until the time is up."""
    found, draw = Trial(plan, reconciled), random.Random(plan.seed)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(sandbox())
        database = stack.enter_context(PostgreSQL(durable=True))
        dsn = database.create()
        await migrate(dsn)
        await submit(dsn, server.url, plan.jobs)
        for rule in FAULTS:
            await server.fault(rule)
        began = time.monotonic()
        command = (*(A2E if reconciled else UNRECONCILED), "worker")
        crew = [
            await stack.enter_async_context(Machine(dsn, server.url, folder / f"{number}.log", command))
            for number in range(plan.workers)
        ]
        killing = asyncio.create_task(_kill(found, crew, draw))
        try:
            await _follow(found, dsn, database, draw.choice(crew))
        finally:
            killing.cancel()
            await asyncio.wait([killing])
        found.seconds = time.monotonic() - began
        found.ended = sum(machine.worker.ended for machine in crew)
        found.tasks, ledger, found.faults = [await server.get(what) for what in ("tasks", "ledger", "faults")]
        found.ledger = ledger["rows"]
    return found


async def submit(dsn: str, url: str, jobs: int) -> None:
    """Write all jobs down and put them into the queue."""
    samples = f"{url}/sandbox/samples"
    media = {"face_url": f"{samples}/face.jpg", "video_url": f"{samples}/clip.mp4"}
    keys = [f"job-{number:05}" for number in range(jobs)]
    async with A2ESession(KEY, base_url=url) as a2e, Engine(dsn, a2e) as engine:
        await engine.submit_many(FACE_SWAP, [{"key": key, "name": key, **media} for key in keys])


class Machine:
    """A worker, and its network to the database."""

    def __init__(self, dsn: str, url: str, log: Path, command: Sequence[str] = (*A2E, "worker")) -> None:
        self._url, self._log, self._command = url, log, command
        self.wire = Wire(dsn)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.wire)
        env = {"A2E_API_KEY": KEY, "A2E_BASE_URL": self._url, "A2E_DSN": self.wire.dsn}
        self.worker = await self._stack.enter_async_context(Worker(self._command, env, self._log))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


async def _kill(found: Trial, crew: Sequence[Machine], draw: random.Random) -> None:
    while found.killed < found.plan.kills:
        await asyncio.sleep(draw.uniform(*found.plan.apart))
        found.killed += draw.choice(crew).worker.kill()


async def _follow(found: Trial, dsn: str, database: PostgreSQL, unlucky: Machine) -> None:
    end, jobs = time.monotonic() + found.plan.limit, found.plan.jobs
    while time.monotonic() < end:
        await asyncio.sleep(LOOK)
        try:
            [found.standing] = (await read_status(dsn)).batches
        except A2EError as error:
            print(f"no word from the database: {error}", file=sys.stderr)
            continue
        over = jobs - sum(count for phase, count in found.standing.counts.items() if phase in OPEN)
        if over >= jobs / 3 and not found.restarts:
            await asyncio.to_thread(database.restart)
            found.restarts += 1
        if over >= jobs * 2 / 3 and not found.cuts:
            await unlucky.wire.cut(CUT)
            found.cuts += 1
        if over == jobs:
            return


def told(trials: Sequence[Trial]) -> str:
    """Return the table, a column for each trial."""
    columns = [trial.rows() for trial in trials]
    head = ("", *("reconciled" if trial.reconciled else "taken for nothing done" for trial in trials))
    names = list(dict.fromkeys(name for column in columns for name in column))
    return table(head, [(name, *(column.get(name, 0) for column in columns)) for name in names])


def main(plan: Plan, only: str, page: Path | None) -> bool:
    trials = []
    for reconciled in (True, False):
        if only in {"", "on" if reconciled else "off"}:
            with tempfile.TemporaryDirectory() as folder:
                trials.append(asyncio.run(trial(plan, reconciled=reconciled, folder=Path(folder))))
            print(told(trials[-1:]), file=sys.stderr, flush=True)
    text = told(trials)
    print(text)
    if page is not None:
        renew(page, "machines", text)
    return all(trial.good for trial in trials if trial.reconciled)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few jobs, two workers")
    for field in dataclasses.fields(Plan):
        if field.type is int:
            parser.add_argument(f"--{field.name}", type=int)
    parser.add_argument("--only", choices=("on", "off"), default="", help="reconciliation on or off, not both")
    parser.add_argument("--page", type=Path, help="page whose table is to be replaced")
    given = parser.parse_args()
    chosen = {field.name: value for field in dataclasses.fields(Plan) if (value := getattr(given, field.name, None))}
    sys.exit(0 if main(dataclasses.replace(QUICK if given.quick else Plan(), **chosen), given.only, given.page) else 1)
