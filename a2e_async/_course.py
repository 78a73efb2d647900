"""The course of one job: known from before, or submitted, watched, noted, saved."""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from math import inf
from pathlib import Path
from typing import Generic, TypeVar

import anyio
import msgspec

from a2e_async._budget import Budget
from a2e_async._deadline import Clock, in_time
from a2e_async._endpoint import Agent
from a2e_async._frozen import Refusal, freeze, revive
from a2e_async._rows import Entry, Ledger, Phase
from a2e_async._submit import Draft, Started, Submitter, uncertain
from a2e_async._wire import Request
from a2e_async.config import PollPolicy, WaitLimits
from a2e_async.errors import (
    A2EError,
    AuthenticationError,
    BatchStoppedError,
    DecodeError,
    InsufficientCoinsError,
    JournalError,
    ModerationError,
    PermissionDeniedError,
    RequestError,
    SubmissionUncertainError,
)
from a2e_async.files import UNSAFE, Files
from a2e_async.jobs import Item
from a2e_async.outcomes import Outcome
from a2e_async.tasks import Task, TaskKind, TaskState, amount
from a2e_async.watcher import TaskWatcher, failure, unsaved

TaskT = TypeVar("TaskT", bound=Task)

# All further jobs would meet the same.
HOPELESS = (AuthenticationError, PermissionDeniedError, InsufficientCoinsError, BatchStoppedError)
"""What ends the submission of a batch."""
_LONGEST = 200


class _Track(msgspec.Struct, Generic[TaskT]):
    key: str
    state: TaskState | None = None
    started: Started[TaskT] | None = None
    job: int = 0
    task: TaskT | None = None
    coins: float = 0.0
    at: float | None = None
    twins: str = ""
    known: bool = False
    path: Path | None = None


class Course(Generic[TaskT]):
    """Takes jobs of one batch to their outcomes."""

    def __init__(  # noqa: PLR0913 - all that a batch is made of
        self,
        agent: Agent,
        kind: TaskKind[..., TaskT],
        submitter: Submitter[TaskT],
        budget: Budget,
        *,
        journal: Ledger | None,
        files: Files,
        out: str | None,
        transfers: asyncio.Semaphore,
        deadline: float | None,
        limits: WaitLimits | None,
        policy: PollPolicy,
        retry: Collection[TaskState],
    ) -> None:
        self._agent, self._kind, self._submitter, self._budget = agent, kind, submitter, budget
        self._journal, self._files, self._out, self._transfers = journal, files, out, transfers
        self._deadline, self._limits, self._policy, self._retry = deadline, limits, policy, retry
        self._turns: dict[str, asyncio.Event] = {}
        self.running: dict[str, Started[TaskT]] = {}
        """What is being watched, by task id."""
        self.counts: Counter[TaskState | None] = Counter()
        """Jobs by state; None counts those without a task yet."""
        self.saved = 0

    async def take(self, item: Item) -> Outcome[TaskT] | None:
        """Take a job to its end; None if it was left alone because the batch has stopped submitting."""
        began = time.monotonic()
        track = _Track[TaskT](item.key or str(item.number))
        problem: Exception | None = None
        self.counts[None] += 1
        try:
            await self._take(item, track)
        except JournalError:
            raise
        except HOPELESS as error:
            self._submitter.stop(error)
            if track.started is None and not track.known:
                self.counts[None] -= 1
                return None
            problem = error
        except Exception as error:  # noqa: BLE001 - a job's failure is its outcome
            problem = error
        self._move(track, _end(problem, track.state))
        return Outcome(
            key=track.key,
            state=track.state or TaskState.FAILED,
            task=track.task,
            error=problem,
            coins=track.coins,
            path=track.path,
            known=track.known,
            twins=tuple(track.twins.split()),
            seconds=time.monotonic() - began,
            submitted_at=None if track.at is None else datetime.fromtimestamp(track.at, UTC),
        )

    async def _take(self, item: Item, track: _Track[TaskT]) -> None:
        if isinstance(item.request, RequestError):
            raise item.request
        draft = self._draft(item, item.request)
        track.key = draft.key
        clock = Clock(self._deadline)
        async with self._turn(draft.key):
            entry = await self._journal.find(draft.key) if self._journal else None
            track.job = entry.id if entry else 0
            if entry is None or not self._recall(entry, draft, track):
                track.started = started = await self._start(entry, draft, clock)
                track.job, track.at, track.twins = started.job, started.at, started.twins
                await self._watch(track, started, clock)
            if self._out and track.task is not None and track.state is TaskState.DONE:
                await self._save(track, track.task, self._out, clock)

    def _draft(self, item: Item, request: Request) -> Draft:
        draft = drafted(item, request) if self._journal else Draft(_writable(item.key) or str(item.number), request)
        if self._out and (UNSAFE.search(draft.key) or len(draft.key.encode()) > _LONGEST):
            raise RequestError(f"{draft.key[:80]!r} cannot be part of a file's name, as `out` wants it.", field="key")
        return draft

    @asynccontextmanager
    async def _turn(self, key: str) -> AsyncGenerator[None]:
        # Of two jobs with one key the second learns from the journal how the first has ended.
        if self._journal is None:
            yield
            return
        while (earlier := self._turns.get(key)) is not None:
            await earlier.wait()
        mine = self._turns[key] = asyncio.Event()
        try:
            yield
        finally:
            del self._turns[key]
            mine.set()

    def _recall(self, entry: Entry, draft: Draft, track: _Track[TaskT]) -> bool:
        """Return whether the journal has the end of a job; raise it where it is a failure."""
        if entry.phase == Phase.NEW or (entry.phase == Phase.FAILED and entry.digest != draft.digest):
            return False
        if entry.digest != draft.digest:
            raise RequestError(
                f"{draft.key!r} was used before, for another input: give this job a key of its own.", field="key"
            )
        error = self._verdict(entry, track)
        again = error is not None and not isinstance(error, ModerationError) and track.state in self._retry
        if again or entry.phase in {Phase.SENDING, Phase.SENT}:
            track.state, track.task = None, None
            return False
        track.known, track.at, track.twins = True, entry.intended, entry.twins
        self.counts[None] -= 1
        self.counts[track.state] += 1
        if error is not None:
            raise error
        return True

    def _verdict(self, entry: Entry, track: _Track[TaskT]) -> A2EError | None:
        label = self._kind.start.label
        if entry.record:
            track.task = revive(self._kind, entry.record)
        match entry.phase:
            case Phase.DONE:
                track.state, track.coins = TaskState.DONE, entry.coins or 0.0
            case Phase.FAILED:
                track.state = TaskState.FAILED
                if track.task is not None:
                    return failure(self._kind, track.task)
                found = Refusal.read(entry.failure)
                return ModerationError(found.message, http_status=found.http_status, code=found.code, endpoint=label)
            case Phase.UNCERTAIN:
                track.state = TaskState.UNCERTAIN
                return uncertain(entry, label, "nothing could tell what became of it")
            case _:
                pass
        return None

    async def _start(self, entry: Entry | None, draft: Draft, clock: Clock) -> Started[TaskT]:
        if entry is not None and entry.phase == Phase.SENT:
            paid = entry.price if entry.coins is None else entry.coins
            return Started(entry.task_id, entry.id, paid, entry.intended, entry.twins)
        if entry is not None and entry.phase == Phase.SENDING:
            clock.go_on()
            started = await self._submitter.resolve(entry, clock)
            if started is not None:
                return started
        return await self._submitter.submit(draft, clock)

    async def _watch(self, track: _Track[TaskT], started: Started[TaskT], clock: Clock) -> None:
        clock.go_on()
        watcher = TaskWatcher(
            self._agent,
            self._kind,
            started.task,
            deadline=self._deadline,
            policy=self._policy,
            limits=self._limits,
            until=clock.end,
        )
        self.running[watcher.task_id] = started
        track.coins = started.paid
        try:
            async for change in watcher:
                self._move(track, change.state)
                track.task = change.task
        finally:
            del self.running[watcher.task_id]
        task = track.task
        if task is None:
            return
        failed = track.state is TaskState.FAILED
        cost = 0.0 if failed else amount(task.coins)
        track.coins = started.paid if cost is None else cost
        self._budget.correct(track.coins - started.paid)
        if self._journal:
            phase = Phase.FAILED if failed else Phase.DONE
            await self._journal.ended(started.job, phase, track.coins, record=task.to_json())
        if failed:
            raise failure(self._kind, task)

    async def _save(self, track: _Track[TaskT], task: TaskT, out: str, clock: Clock) -> None:
        if UNSAFE.search(task.id):
            raise DecodeError(f"{task.id!r} cannot be part of a file's name.", endpoint=self._kind.label)
        target = Path(out.format(key=track.key, id=task.id))
        if not (track.known and await anyio.Path(target).exists()):
            clock.pause()
            async with self._transfers:
                clock.go_on()
                async with in_time(clock.end, partial(unsaved, task, self._deadline or inf)):
                    await self._files.save_all(task, target)
            if self._journal:
                await self._journal.saved(track.job, str(target))
        track.path = target
        self.saved += 1

    def _move(self, track: _Track[TaskT], state: TaskState) -> None:
        self.counts[track.state] -= 1
        self.counts[state] += 1
        track.state = state


def drafted(item: Item, request: Request) -> Draft:
    """Write a job down, so that it is known again by its key, else by its content; RequestError where it cannot be."""
    frozen = freeze(request)
    digest = hashlib.blake2b(frozen, digest_size=16).digest()
    return Draft(_writable(item.key) or digest.hex()[:16], request, digest, frozen)


def _writable(key: str) -> str:
    try:
        key.encode()
    except UnicodeEncodeError:
        raise RequestError(f"{key[:80]!r} cannot be written down: it is no valid text.", field="key") from None
    return key


def _end(problem: Exception | None, seen: TaskState | None) -> TaskState:
    if isinstance(problem, SubmissionUncertainError):
        return TaskState.UNCERTAIN
    return TaskState.FAILED if seen is None else seen
