"""One trial: a batch, watches and uploads against a sandbox with some rules, and what came of them by its own books."""

import asyncio
import contextlib
import hashlib
import logging
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from _measure import HERE
from aiohttp import web

from a2e_async import (
    FACE_SWAP,
    A2EError,
    A2ESession,
    BatchStoppedError,
    InsufficientCoinsError,
    Outcome,
    PollPolicy,
    RetryPolicy,
    TaskFailedError,
    TaskState,
    Webhooks,
)
from a2e_async.sandbox import Account, Rule, Sandbox, sandbox_thread

KEY = "sk_trial"
PICTURE = HERE.parent / "a2e_async" / "sandbox" / "samples" / "face.jpg"
COST = 1000.0
# A file that is wrong, and whose length is as told: there is no checksum by which any client could notice.
HIDDEN = frozenset({"corrupt", "short", "wrong_length"})
_RUNS = 4
_ORDER = {TaskState.QUEUED: 0, TaskState.RUNNING: 1, TaskState.DONE: 2, TaskState.FAILED: 2}
# The sandbox's server tells each connection that its client gave up on.
logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
logging.getLogger("a2e_async").setLevel(logging.ERROR)


@dataclass
class Result:
    """What one trial showed: `faults` tells each thing that is not as it must be."""

    jobs: int = 0
    watches: int = 0
    injected: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    damaged: int = 0
    hidden: int = 0
    leaks: int = 0
    put_off: int = 0
    seconds: float = 0.0
    told: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.wrong or self.damaged or self.leaks)


@dataclass
class Plan:
    """How large a trial is, and what its clients may take."""

    jobs: int
    watches: int
    timeout: float = 2.0
    deadline: float = 20.0
    limit: float = 240.0
    grace: float = 2.0
    scale: int = 100


def descriptors() -> list[str]:
    """Return what each open descriptor is of."""
    found = []
    with contextlib.suppress(OSError):  # only Linux tells
        for one in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):  # the one that reads the folder
                found.append(str(one.readlink()))
    return found


def trial(rules: Sequence[Rule], plan: Plan, beside: Sequence[Rule] = ()) -> Result:
    """Run one, in an event loop of its own, and look for what it left behind; what is `beside` is not counted."""
    before = len(descriptors()), threading.active_count()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, sandbox_thread(clock=f"scaled:{plan.scale}", coins=1e6) as sandbox:
        result = asyncio.run(_Trial(sandbox, rules, beside, plan, Path(folder)).run())
    until = time.monotonic() + 3
    while time.monotonic() < until and (len(descriptors()) > before[0] or threading.active_count() > before[1]):
        time.sleep(0.02)
    left = {"descriptors": descriptors(), "threads": [thread.name for thread in threading.enumerate()]}
    for was, (what, now) in zip(before, left.items(), strict=True):
        if len(now) > was:
            result.leaks += len(now) - was
            result.told.append(f"{len(now) - was} {what} left of {now}")
    result.seconds = time.monotonic() - began
    return result


class _Trial:
    def __init__(
        self, sandbox: Sandbox, rules: Sequence[Rule], beside: Sequence[Rule], plan: Plan, folder: Path
    ) -> None:
        self.sandbox, self.plan, self.folder = sandbox, plan, folder
        self.account: Account = sandbox.account(KEY)
        self.rules = [self.account.fault(rule) for rule in (*beside, *rules)]
        self.beside = {rule.id for rule in beside}
        self._enable(on=False)
        self.result = Result(plan.jobs, plan.watches)
        self.hooked = any(rule.effect.startswith("webhook") for rule in rules)

    def _enable(self, *, on: bool) -> None:
        for rule in self.rules:
            rule.enabled = on

    async def run(self) -> Result:
        token = Webhooks.new_token()
        try:
            async with asyncio.timeout(self.plan.limit), self._session() as a2e, _receiver(a2e, token) as url:
                hook = {"webhook_url": url, "webhook_token": token} if self.hooked else {}
                await self._everything(a2e, hook)
        except TimeoutError:
            self._wrong(f"something had not ended after {self.plan.limit:g} s")
        await asyncio.sleep(0.05)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        self.result.leaks += len(left)
        self.result.told += [f"still running: {task.get_name()}" for task in left]
        parts = [path.name for path in self.folder.rglob("*.part")]
        self.result.leaks += len(parts)
        self.result.told += [f"left behind: {name}" for name in parts]
        return self.result

    def _session(self) -> A2ESession:
        return A2ESession(
            KEY,
            base_url=self.sandbox.url,
            timeout=self.plan.timeout,
            retry=RetryPolicy(base=0.02, longest=0.1, patience=20.0),
            poll=PollPolicy(shortest=0.05, longest=0.2, grace=self.plan.grace),
        )

    async def _everything(self, a2e: A2ESession, hook: dict[str, str]) -> None:
        jobs = [self._job(number) | hook for number in range(self.plan.jobs)]
        watched = [
            await a2e.face_swap.tasks.add(
                name="fail:watch" if number % 8 == 7 else f"watch-{number}",
                face_url=self.sandbox.face_url,
                video_url=self.sandbox.face_url,
                **hook,
            )
            for number in range(self.plan.watches)
        ]
        self._enable(on=True)
        _, outcomes = await asyncio.gather(
            asyncio.gather(*(self._watch(a2e, task.id) for task in watched)), self._batch(a2e, jobs, runs=1)
        )
        self.result.injected = sum(rule.strikes for rule in self.rules if rule.id not in self.beside)
        self._enable(on=False)
        self._compare(outcomes)
        put_off = {key for key, outcome in outcomes.items() if not self._finished(outcome)}
        put_off |= {job["key"] for job in jobs} - outcomes.keys()
        self.result.put_off = len(put_off)
        if put_off:
            self._fill()
            outcomes |= await self._batch(a2e, jobs, runs=_RUNS)
            self._compare(outcomes)
        for key, outcome in outcomes.items():
            if not self._finished(outcome):
                self.result.lost += 1
                self.result.told.append(f"{key} did not end well once all was well: {outcome.error!r}")
        self._count({job["key"] for job in jobs}, outcomes)
        await self._files(outcomes)

    def _job(self, number: int) -> dict[str, Any]:
        key = f"job-{number:04}"
        face: str | Path = self.sandbox.face_url
        if number % 4 == 0:
            face = self.folder / f"{key}.in.jpg"
            face.write_bytes(PICTURE.read_bytes() + key.encode())
        name = f"fail:{key}" if number % 10 == 9 else key
        return {"key": key, "name": name, "face_url": face, "video_url": self.sandbox.face_url}

    async def _batch(self, a2e: A2ESession, jobs: list[dict[str, Any]], *, runs: int) -> dict[str, Outcome[Any]]:
        found: dict[str, Outcome[Any]] = {}
        for _ in range(runs):
            try:
                async with a2e.batch(
                    FACE_SWAP,
                    journal=self.folder / "swaps.sqlite",
                    out=self.folder / "{key}.jpg",
                    deadline=self.plan.deadline,
                    max_in_flight=64,
                    retry=() if runs == 1 else {TaskState.FAILED},
                ) as batch:
                    async for outcome in batch.run(jobs):
                        found |= {outcome.key: outcome}
            except (BatchStoppedError, InsufficientCoinsError) as stopped:
                self.result.told.append(f"stopped: {type(stopped).__name__}")
                continue
            return found
        return found

    async def _watch(self, a2e: A2ESession, task_id: str) -> None:
        seen: list[TaskState] = []
        try:
            async for change in a2e.watch(FACE_SWAP, task_id, deadline=self.plan.limit / 2):
                seen += [change.state]
            end = seen[-1]
        except TaskFailedError:
            end = TaskState.FAILED
        except A2EError as error:
            self._wrong(f"watch of {task_id}: {error!r}")
            return
        self._judge(f"watch of {task_id}", task_id, end)
        known = [_ORDER[state] for state in seen if state is not TaskState.UNKNOWN]
        if known != sorted(known):
            self._wrong(f"watch of {task_id} went {[state.value for state in seen]}")

    def _judge(self, what: str, task_id: str, end: TaskState) -> None:
        task = next(task for task in self.account.tasks if task.id == task_id)
        due = TaskState.FAILED if task.failure else TaskState.DONE
        if end is not due:
            self._wrong(f"{what}: told {end.value}, was {due.value}")
        if task.ends > self.account.clock.now():
            self._wrong(f"{what}: told {end.value} before its end")

    def _compare(self, outcomes: dict[str, Outcome[Any]]) -> None:
        """Hold what was told against the books, at the moment it was told."""
        started = Counter(self._key(task.wire_fields()["name"]) for task in self.account.tasks)
        for key, outcome in outcomes.items():
            if outcome.task is not None and outcome.state in {TaskState.DONE, TaskState.FAILED}:
                self._judge(key, outcome.task.id, outcome.state)
            elif outcome.state is TaskState.FAILED and started[key]:
                self._wrong(f"{key}: told as never started, but it was: {outcome.error!r}")

    def _count(self, keys: set[str], outcomes: dict[str, Outcome[Any]]) -> None:
        paid: Counter[str] = Counter()
        names = {task.id: self._key(task.wire_fields()["name"]) for task in self.account.tasks}
        for line in self.account.ledger:
            if line.reason in {"charge", "refund"} and line.task:
                paid[names[line.task]] += 1 if line.delta < 0 else -1
        twice = [key for key in keys if paid[key] > 1]
        missing = keys - outcomes.keys()
        self.result.doubled += len(twice)
        self.result.lost += len(missing)
        self.result.told += [f"paid twice: {key}" for key in twice] + [f"no outcome: {key}" for key in missing]

    async def _files(self, outcomes: dict[str, Outcome[Any]]) -> None:
        struck = {
            entry.path.rpartition("/")[2]: entry.effect for entry in self.account.requests if entry.effect in HIDDEN
        }
        tasks = {task.id: task for task in self.account.tasks}
        async with aiohttp.ClientSession() as http:
            for key, outcome in outcomes.items():
                if outcome.path is None or outcome.task is None:
                    continue
                async with http.get(outcome.task.result_url) as response:
                    right = await response.read()
                    name = response.url.name
                if await asyncio.to_thread(outcome.path.read_bytes) != right:
                    if name in struck:
                        self.result.hidden += 1
                    else:
                        self.result.damaged += 1
                        self.result.told.append(f"{key}: the result is not the server's")
                if (given := self.folder / f"{key}.in.jpg").exists():
                    sent = tasks[outcome.task.id].input_files()[0]
                    if _digest(given) != _digest(sent):
                        self.result.damaged += 1
                        self.result.told.append(f"{key}: the upload is not what was given")

    def _finished(self, outcome: Outcome[Any]) -> bool:
        if outcome.key.endswith("9"):
            return outcome.state is TaskState.FAILED and (outcome.known or isinstance(outcome.error, TaskFailedError))
        return outcome.state is TaskState.DONE and outcome.error is None

    def _fill(self) -> None:
        if self.account.coins < COST:
            self.account.bank.book(self.account.clock.now(), 1e6, "grant")

    @staticmethod
    def _key(name: object) -> str:
        return str(name).removeprefix("fail:")

    def _wrong(self, text: str) -> None:
        self.result.wrong += 1
        self.result.told.append(text)


@contextlib.asynccontextmanager
async def _receiver(a2e: A2ESession, token: str) -> AsyncIterator[str]:
    server = web.Server(Webhooks(a2e, token=token).aiohttp)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/a2e"
    finally:
        await runner.cleanup()


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
