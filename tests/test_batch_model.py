"""A batch, its journal and a faulty service, walked at random beside a model that counts jobs and coins.

Time jumps (`LeapingLoop`), so that a walk of hours takes a moment; connections and the journal's disk are real. A crash
is what `kill -9` leaves: the journal's files as they are at some instant, and nothing of the process. More and longer
walks: A2E_MODEL_EXAMPLES=2000 A2E_MODEL_STEPS=60 pytest -s tests/test_batch_model.py
"""

import asyncio
import hashlib
import os
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import aclosing, closing, suppress
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Walk
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from a2e_async import (
    FACE_SWAP,
    A2EError,
    A2ESession,
    JournalError,
    Limits,
    ModerationError,
    RequestError,
    SubmissionUncertainError,
    TaskFailedError,
    TaskState,
)
from a2e_async._frozen import freeze
from a2e_async._rows import Entry, Phase
from a2e_async._writer import Writer
from a2e_async.batch import Batch
from a2e_async.groups.face_swap import AddSwap
from a2e_async.journal import read_entries, read_summaries
from a2e_async.outcomes import Outcome
from a2e_async.sandbox import Account, Rule, Sandbox
from a2e_async.sandbox.wire import Refusal
from tests.leaping import MOMENT, LeapingLoop

KEY = "sk_model"
API = "/api/v1/userFaceSwapTask"
ADD, LIST, DETAIL, DETAILS = f"{API}/add", f"{API}/records", f"{API}/[0-9a-f]*", f"{API}/batchDetail"
PRICE = 10.0
LONG = 4 * 3600.0
"""Seconds after which whatever still goes on hangs."""
WALKED: Counter[str] = Counter()


class _OrderlyWriter(Writer):
    """Lets no time pass while the disk is waited for, and works in its turn only."""

    _loop: LeapingLoop
    _asked = _taken = _done = 0

    async def open(self, *args: Any) -> None:
        self._ask()
        self._taken = 1
        await super().open(*args)

    async def do(self, work: Any) -> Any:
        if self._thread is not None:
            self._ask()
        return await super().do(work)

    def later(self, work: Any) -> None:
        self._ask()
        super().later(work)

    def _ask(self) -> None:
        self._asked += 1
        self._loop.count(1)

    def _commit(self, db: Any, group: Any) -> None:
        self._loop.turn.wait()
        while not self._queue.empty():
            item = self._queue.get()
            if item is None:
                self._queue.put(None)
                break
            group.append(item)
        self._taken += len(group)
        super()._commit(db, group)

    def _tell(self, told: Any) -> None:
        # Before the loop hears of it, or it would wait for more.
        self._loop.count(self._done - self._taken)
        self._done = self._taken
        super()._tell(told)

    def catch_up(self) -> None:
        """Let all be written of which nobody has heard yet."""
        self._loop.turn.set()
        while self._done < self._asked:
            time.sleep(0.0002)
        self._loop.turn.clear()


# A start may be held for 50 s, no longer: later than its time-out and the grace together, no client could know of it.
FAULTS: dict[str, Any] = {
    "lost before": lambda share: Rule("reset_before", share=share),
    "lost after": lambda share: Rule("reset_after", path=ADD, share=share),
    "reads lost": lambda share: Rule("reset_after", method="GET", share=share),
    "down": lambda share: Rule("status", status=503, share=share),
    "down for starts": lambda share: Rule("status", status=502, path=ADD, share=share),
    "gateway": lambda share: Rule("status", status=504, path=ADD, after=True, share=share),
    "too late": lambda share: Rule("status", status=408, path=ADD, after=True, share=share),
    "too many": lambda share: Rule("status", status=429, share=share),
    "wait": lambda share: Rule("status", status=429, retry_after=50, share=share),
    "page": lambda share: Rule("html", share=share),
    "page after": lambda share: Rule("html", path=ADD, after=True, share=share),
    "elsewhere": lambda share: Rule("redirect", share=share),
    "cut": lambda share: Rule("truncated", path=ADD, share=share),
    "cut lists": lambda share: Rule("truncated", path=LIST, share=share),
    "half": lambda share: Rule("invalid_json", share=share),
    "letters": lambda share: Rule("invalid_utf8", share=share),
    "long": lambda share: Rule("wrong_length", off=8, path=ADD, share=share),
    "type": lambda share: Rule("content_type", share=share),
    "slow": lambda share: Rule("delay", seconds=0.5, longest=50, path=ADD, share=share),
    "slow reads": lambda share: Rule("delay", seconds=5, longest=100, path=f"{API}/[!a]*", share=share),
    "word": lambda share: Rule("word", share=share),
    "back": lambda share: Rule("backwards", share=share),
    "young missing": lambda share: Rule("missing", age=20, share=share),
    "twice shown": lambda share: Rule("duplicate", share=share),
    "other clock": lambda share: Rule("clock_skew", skew=-7200, share=share),
    "no lists": lambda share: Rule("status", status=500, path=LIST, share=share),
    "no batch": lambda share: Rule("status", status=404, path=DETAILS, share=share),
}
_JOB = re.compile(r"([ka]\d)/(\d)")
JOBS = st.sampled_from(["k0", "k1", "k2", "k3", "k4", "k5", "a0", "a1"])
"""k4 fails, k5 is stopped by moderation; those that begin with an a have no key of their own."""
_SOME = st.lists(JOBS, min_size=1, max_size=8)


_DOUBLED: dict[Account, dict[str, str]] = {}
"""The accounts for which each submission becomes two tasks, and which."""
_start = Account.start


def _start_twice(account: Account, draft: Any) -> Any:
    task = _start(account, draft)
    if account in _DOUBLED and not draft.failure:
        with suppress(Refusal):
            _DOUBLED[account][task.id] = _start(account, draft).id
    return task


class BatchMachine(RuleBasedStateMachine):
    """Does what users, services and machines do; rules that make no sense at the moment do nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=lambda: LeapingLoop(self._leapt))
        self.folder = Path(tempfile.mkdtemp(prefix="a2e-model-"))
        self.journals = 0
        self.account: Any = None
        self.live: asyncio.Task[None] | None = None
        self.batch: Batch[Any] | None = None
        self.feed: asyncio.Queue[dict[str, str] | None] = asyncio.Queue()
        self.handed: dict[str, int] = {}
        """Job -> the content that counts: that which was handed in first."""
        self.told: dict[str, Outcome[Any]] = {}
        self.retried: Counter[str] = Counter()
        self.retry: frozenset[TaskState] = frozenset()
        self.cap: float | None = 0.0
        self.unsteady = self.forgotten = False
        self.twins: dict[str, str] = {}
        """Task -> the one that the service made besides of the same submission."""
        self.run(self._begin())

    def run(self, main: Any) -> Any:
        return self.runner.run(main)

    def _leapt(self, seconds: float) -> None:
        if self.account is not None:
            self.account.clock.advance(seconds)
        WALKED["seconds"] += int(seconds)

    async def _begin(self) -> None:
        self.sandbox = Sandbox(clock="stepped", coins=1e6)
        await self.sandbox.start()
        account = self.sandbox.account(KEY)
        loop = cast("LeapingLoop", asyncio.get_running_loop())
        loop.moment = 10.0  # a thread looks into the inputs, once
        async with A2ESession(KEY, base_url=self.sandbox.url) as a2e:
            await a2e.face_swap.tasks.add(**self._job("k9", 0))
        loop.moment = MOMENT
        self.account = account
        await self._open()

    def _job(self, name: str, content: int) -> dict[str, str]:
        fate = {"k4": " fail:no face", "k5": " moderation:no"}.get(name, "")
        urls = {"face_url": self.sandbox.face_url, "video_url": self.sandbox.video_url}
        return {"name": f"{name}/{content}{fate}"} | urls

    @property
    def path(self) -> Path:
        return self.folder / f"journal-{self.journals}"

    @property
    def alive(self) -> bool:
        return self.live is not None and not self.live.done()

    # --- The client ---------------------------------------------------------------------------------------------------

    async def _open(self, *, resume: bool = False, **settings: Any) -> None:
        self.http = aiohttp.ClientSession()
        self.a2e = A2ESession(KEY, base_url=self.sandbox.url, http=self.http, limits=Limits(submissions=4))
        self.batch = self.a2e.batch(FACE_SWAP, journal=self.path, **settings)
        self.retry = frozenset(settings.get("retry", ()))
        limit = settings.get("max_coins")
        self.cap = None if limit is None or self.cap is None else max(self.cap, limit)
        self.feed = asyncio.Queue()
        self.live = asyncio.create_task(self._live(self.batch, self.feed, resume=resume))

    async def _live(self, batch: Batch[Any], feed: Any, *, resume: bool) -> None:
        async def source() -> AsyncIterator[dict[str, str]]:
            while (job := await feed.get()) is not None:
                yield job

        async with batch:
            outcomes = batch.resume() if resume else batch.run(source())
            try:
                async with aclosing(outcomes):
                    async for outcome in outcomes:
                        self._hear(outcome)
            except A2EError as error:
                WALKED[f"stopped: {type(error).__name__}"] += 1

    def _hear(self, outcome: Outcome[Any]) -> None:
        """Compare what is told with what is so at the server."""
        WALKED[f"outcome: {outcome.state}"] += 1
        assert outcome.error is None or isinstance(outcome.error, A2EError), repr(outcome.error)
        if isinstance(outcome.error, RequestError):  # another content under a known key
            return
        before = self.told.get(outcome.key)
        if outcome.known and before is not None and before.state.final:
            assert (outcome.state, outcome.coins) == (before.state, before.coins)
        self.told[outcome.key] = outcome
        tasks = {task.id: task for task in self.account.tasks}
        if outcome.state is TaskState.DONE:
            assert outcome.task is not None
            assert outcome.error is None
            task = tasks[outcome.task.id]
            assert (task.state(self.account.clock.now()), task.coins) == ("completed", outcome.coins)
        elif isinstance(outcome.error, TaskFailedError):
            assert tasks[outcome.error.task_id].failure == "no face"
            assert outcome.coins == 0
        elif isinstance(outcome.error, ModerationError):
            assert outcome.key == "k5"
        elif isinstance(outcome.error, SubmissionUncertainError):
            assert self.forgotten or "cannot be read" in str(outcome.error), str(outcome.error)
        else:
            WALKED[f"error: {type(outcome.error).__name__}"] += 1

    async def _close(self) -> None:
        if self.live is not None:
            self.live.cancel()
            with suppress(asyncio.CancelledError):
                await self.live
            self.live = None
            await self.a2e.aclose()
            await self.http.close()

    async def _kill(self, *, late: bool) -> None:
        """Leave of the process nothing but the files of its journal; ``late``: with what was just to be written."""
        if self.live is None or self.batch is None:
            return
        if late and self.batch._journal is not None:
            cast("_OrderlyWriter", self.batch._journal._writer).catch_up()
        old, self.journals = self.path, self.journals + 1
        if old.exists():
            with closing(sqlite3.connect(old)) as reader:
                # As long as somebody reads, what has been written is not moved from one file to the other.
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
                shutil.copyfile(old, self.path)
                with suppress(FileNotFoundError):
                    shutil.copyfile(f"{old}-wal", f"{self.path}-wal")
        self.live.cancel()
        await self.http.close()  # its first step cuts every connection
        await self._close()

    # --- What happens -------------------------------------------------------------------------------------------------

    @rule(names=_SOME, content=st.sampled_from([0, 0, 0, 0, 1]))
    def hand_in(self, names: list[str], content: int) -> None:
        if not self.alive:
            self.run(self._close())
            self.run(self._open())
        for name in names:
            content = 0 if name == "k4" else content
            self.handed.setdefault(name if name[0] == "k" else f"{name}/{content}", content)
            self.retried[name] += TaskState.FAILED in self.retry
            job = self._job(name, content)
            self.feed.put_nowait(job | {"key": name} if name[0] == "k" else job)
        self.run(asyncio.sleep(0))

    @rule(name=st.sampled_from(sorted(FAULTS)), names=_SOME, steps=st.integers(5, 200), late=st.booleans())
    def hand_in_and_crash(self, name: str, names: list[str], steps: int, late: bool) -> None:
        self.fault(name, 0.5)
        self.hand_in(names, 0)
        self.crash(steps, late)

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 5.0, 20.0, 70.0, 200.0]))
    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @rule(steps=st.integers(1, 60))
    def breathe(self, steps: int) -> None:
        self.run(_steps(steps))

    @rule(name=st.sampled_from(sorted(FAULTS)), share=st.sampled_from([0.2, 0.5, 1.0]))
    def fault(self, name: str, share: float) -> None:
        self.account.fault(FAULTS[name](share))

    @rule()
    def mend(self) -> None:
        self.account.rules.clear()
        self.account.lag(0)

    @rule(seconds=st.sampled_from([3.0, 20.0]))
    def lag(self, seconds: float) -> None:
        self.account.lag(seconds)

    @rule(coins=st.sampled_from([5.0, 20.0]))
    def reprice(self, coins: float) -> None:
        self.unsteady = True
        self.account.price("face_swap", coins)

    @rule(on=st.booleans())
    def double(self, on: bool) -> None:
        """A gateway of the service passes each submission on twice, and one answer back."""
        self.unsteady = True
        if on:
            _DOUBLED[self.account] = self.twins
        else:
            _DOUBLED.pop(self.account, None)

    @rule(coins=st.sampled_from([0.0, 25.0, 1e6]))
    def fund(self, coins: float) -> None:
        self.account.bank.book(self.account.clock.now(), coins - self.account.coins, "grant")

    @rule(steps=st.integers(0, 80), late=st.booleans())
    def crash(self, steps: int, late: bool) -> None:
        WALKED["crashes"] += self.alive
        self.run(self._crash(steps, late=late))

    async def _crash(self, steps: int, *, late: bool) -> None:
        await _steps(steps)
        await self._kill(late=late)

    @rule()
    def close(self) -> None:
        self.run(self._close())

    @rule(remove=st.booleans())
    def cancel(self, remove: bool) -> None:
        if self.alive and self.batch is not None:
            # Whether a lost removal was carried out nobody can tell: it would be looked for in vain.
            self.mend()
            self.run(self.batch.cancel(remove=remove))
            self.run(self._close())

    @rule(
        resume=st.booleans(),
        limit=st.sampled_from([None, None, 0.0, 35.0, 60.0]),
        retry=st.sets(st.sampled_from([TaskState.FAILED, TaskState.UNCERTAIN])),
        away=st.sampled_from([0.0, 0.0, 0.0, 50.0, 200.0, 90_000.0]),
    )
    def reopen(self, resume: bool, limit: float | None, retry: set[TaskState], away: float) -> None:
        if self.alive:
            return
        self.run(self._close())
        self.run(asyncio.sleep(away))
        self._age(away)
        if resume and TaskState.FAILED in retry:
            self.retried.update(self.handed)
        self.run(self._open(resume=resume, max_coins=limit, retry=retry))

    def _age(self, seconds: float) -> None:
        """Let the clock of the client's machine have gone on as well."""
        self.forgotten = self.forgotten or seconds > 80_000
        if seconds and self.path.exists():
            with closing(sqlite3.connect(self.path)) as db, db:
                times = ", ".join(f"{name} = {name} - {seconds}" for name in ("intended", "doubted", "ended"))
                with suppress(sqlite3.OperationalError):  # killed before there was a table
                    db.execute(f"UPDATE jobs SET {times}")

    # --- What must be so ----------------------------------------------------------------------------------------------

    def _made(self) -> dict[str, list[Any]]:
        """The tasks at the server by job."""
        found = defaultdict(list)
        for task in self.account.tasks:
            [(name, content)] = _JOB.findall(str(task.wire_fields()["name"]))
            if task.id not in self.twins.values():
                found[name if name[0] == "k" else f"{name}/{content}"].append(task)
        del found["k9"]
        return found

    @property
    def spent(self) -> float:
        ours = [charge.delta for charge in self.account.ledger if charge.reason in {"charge", "refund"}]
        return -sum(ours) - PRICE

    @invariant()
    def nothing_is_paid_twice(self) -> None:
        WALKED["steps"] += 1
        for name, tasks in self._made().items():
            good = [task for task in tasks if not task.failure]
            assert len(good) <= 1 + self.forgotten, f"{name}: {tasks}"
            assert len(tasks) - len(good) <= 1 + self.retried[name] + self.forgotten, f"{name}: {tasks}"
        assert "k5" not in self._made()

    @invariant()
    def limits_hold(self) -> None:
        if self.cap is not None and not self.unsteady:
            assert self.spent <= self.cap

    def teardown(self) -> None:
        try:
            self.run(self._settle())
        finally:
            self.run(self._end())
            self.runner.close()
            shutil.rmtree(self.folder, ignore_errors=True)
            WALKED["walks"] += 1

    async def _settle(self) -> None:
        """Let all be well again, hand in everything once more, and look at what has become of it."""
        await self._close()
        _DOUBLED.clear()
        self.account.rules.clear()
        self.account.lag(0)
        self.account.price("face_swap", None)
        self.account.bank.book(self.account.clock.now(), 1e6, "grant")
        wanted = self._wanted()
        await self._open()
        for name, content in wanted.items():
            job = self._job(name[:2], content)
            self.feed.put_nowait(job | {"key": name} if name[0] == "k" else job)
        self.feed.put_nowait(None)
        assert self.live is not None
        assert self.batch is not None
        done, _ = await asyncio.wait([self.live], timeout=LONG)
        assert done, f"hangs: {self.batch.status()}"
        self.live.result()
        made = self._made()
        for name, content in wanted.items():
            outcome, tasks = self.told[self._key(name, content)], made[name]
            good = sum(not task.failure for task in tasks)
            if self.forgotten and outcome.state is TaskState.UNCERTAIN:
                continue
            if name == "k5":
                assert isinstance(outcome.error, ModerationError)
            elif name == "k4":
                assert isinstance(outcome.error, TaskFailedError)
                assert tasks
            else:
                assert (outcome.state, good) == (TaskState.DONE, 1), (name, outcome, tasks)
        coins = self.batch.status().coins
        await self._close()
        assert coins == sum(summary.coins for summary in read_summaries(self.path))
        paid = self.spent - self._untold()
        assert coins == paid or (self.forgotten and coins > paid), (coins, paid, self.spent)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("a2e-")]

    def _untold(self) -> float:
        """The coins of twins of which nothing tells, since the answer to their submission did arrive."""
        told: set[str] = set()
        for entry in self._entries():
            ours = {entry.task_id, *entry.twins.split()}
            if entry.doubted is not None and entry.task_id:
                pairs = [set(pair) for pair in self.twins.items()]
                assert all(pair <= ours for pair in pairs if entry.task_id in pair), (entry, self.twins)
            told |= ours
            WALKED["twins told"] += len(entry.twins.split())
        there = {task.id: task.coins for task in self.account.tasks}
        return sum(there.get(twin, 0.0) for twin in self.twins.values() if twin not in told)

    def _wanted(self) -> dict[str, int]:
        """The jobs, each with the content under which the journal has it."""
        wanted = dict(self.handed)
        for entry in self._entries():
            [(name, content)] = _JOB.findall(entry.request.decode())
            if name in wanted and entry.phase != Phase.NEW:
                wanted[name] = int(content)
        return wanted

    def _entries(self) -> list[Entry]:
        try:
            return list(read_entries(self.path, 1))
        except JournalError as error:
            if "no journal" in str(error):  # killed before there was one
                return []
            raise

    def _key(self, name: str, content: int) -> str:
        if name[0] == "k":
            return name
        frozen = freeze(AddSwap(**self._job(name[:2], content)))
        return hashlib.blake2b(frozen, digest_size=16).hexdigest()[:16]

    async def _end(self) -> None:
        await self._close()
        await self.sandbox.aclose()


async def _steps(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_whatever_happens_each_job_is_paid_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("a2e_async.journal.Writer", _OrderlyWriter)
    monkeypatch.setattr(Account, "start", _start_twice)
    examples, steps = int(os.environ.get("A2E_MODEL_EXAMPLES", "25")), int(os.environ.get("A2E_MODEL_STEPS", "30"))
    run_state_machine_as_test(
        BatchMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            suppress_health_check=list(HealthCheck),
            phases=[Walk.generate, Walk.shrink],
            report_multiple_bugs=False,
            print_blob=True,
        ),
    )
    sys.stdout.write(f"\nwalked: {dict(sorted(WALKED.items()))}\n")
