"""Many jobs of one kind: bounded submission over any input, outcomes as they finish, taken up again after a crash."""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from os import PathLike, fspath
from string import Formatter
from types import TracebackType
from typing import Generic, Self, TypeVar

from a2e_async._budget import Budget
from a2e_async._course import Course
from a2e_async._durations import KEPT, durations_of, took
from a2e_async._endpoint import Agent
from a2e_async._frozen import revive, thaw
from a2e_async._ledger import take_up
from a2e_async._parting import FAREWELL, PARTING, OnCancel, checked, take_back
from a2e_async._reconcile import Reconciler
from a2e_async._rows import Ledger
from a2e_async._submit import Started, Submitter
from a2e_async._surely import outlast, surely
from a2e_async.config import SessionConfig, WaitLimits
from a2e_async.errors import BatchStoppedError, JournalError, RequestError
from a2e_async.files import Files
from a2e_async.jobs import Item, Jobs, items
from a2e_async.outcomes import BatchStatus, Outcome
from a2e_async.tasks import Task, TaskKind, TaskState

TaskT = TypeVar("TaskT", bound=Task)
Results = asyncio.Queue[Outcome[TaskT] | Exception | None]

_ENOUGH = 20
_FAREWELL = 0.5
_MOMENT = 4


class Batch(Generic[TaskT]):
    """Submits and watches jobs, at most ``max_in_flight`` between being taken up and their outcome handed over.

    One job's failure disturbs no other. With a journal no job is paid for twice, whatever dies: run it again with the
    same input. Leaving the ``async with`` block stops submission; tasks already started go on at the service.
    """

    def __init__(  # noqa: PLR0913 - settings, all optional
        self,
        agent: Agent,
        kind: TaskKind[..., TaskT],
        files: Files,
        config: SessionConfig,
        *,
        journal: str | PathLike[str] | None = None,
        name: str = "",
        max_in_flight: int = 1000,
        rate: float | None = None,
        deadline: float | None = None,
        max_coins: float | None = None,
        max_failed: float | None = None,
        out: str | PathLike[str] | None = None,
        retry: Collection[TaskState | str] = (),
        rekey: bool = False,
        limits: WaitLimits | None = None,
        on_cancel: OnCancel = "detach",
    ) -> None:
        positive = {"max_in_flight": max_in_flight, "rate": rate, "deadline": deadline, "max_failed": max_failed}
        for field, value in positive.items():
            if value is not None and not value > 0:
                raise RequestError(f"must be more than 0, not {value!r}.", field=field)
        if max_coins is not None and not max_coins >= 0:
            raise RequestError(f"must not be negative, as {max_coins!r} is.", field="max_coins")
        self._out = None if out is None else _pattern(fspath(out))
        self._retry = {_again(word) for word in retry}
        self._agent, self._kind, self._files, self._config = agent, kind, files, config
        self._limits, self._remove = limits, checked(on_cancel) == "remove"
        self._farewell = FAREWELL if self._remove else _FAREWELL
        self._path, self._name, self._rekey = journal, name, rekey
        self._max, self._rate, self._deadline = max_in_flight, rate, deadline
        self._max_coins, self._max_failed = max_coins, max_failed
        self._journal: Ledger | None = None
        self._crew: asyncio.Task[None] | None = None
        self._ending = asyncio.Lock()
        self._left: dict[str, Started[TaskT]] = {}
        self.removed: list[str] = []
        """Ids of the tasks that were taken back, still queued."""
        self._cancelled = self._removing = False
        self._ended = self._failed = 0
        self._furnish(0.0)

    def _furnish(self, spent: float) -> None:
        config, limits = self._config, self._config.limits
        self._budget, transfers = Budget(self._max_coins, spent), asyncio.Semaphore(limits.transfers)
        reconciler = Reconciler(self._agent, self._kind, config.poll, config.timeout + config.poll.grace)
        self._submitter = Submitter(
            self._agent,
            self._kind,
            self._budget,
            reconciler,
            journal=self._journal,
            slots=limits.submissions,
            transfers=transfers,
            rate=self._rate,
            pause=config.retry.longest,
        )
        self._course = Course(
            self._agent,
            self._kind,
            self._submitter,
            self._budget,
            journal=self._journal,
            files=self._files,
            out=self._out,
            transfers=transfers,
            deadline=self._deadline,
            limits=self._limits,
            policy=config.poll,
            retry=self._retry,
        )

    async def __aenter__(self) -> Self:
        self._cancelled = self._removing = False
        if self._path is not None and self._journal is None:
            journal = await take_up(self._path, self._config, self._kind.name, self._name, rekey=self._rekey)
            try:
                summary = await journal.summary()
                await self._remember(journal)
            except BaseException:
                await journal.aclose()
                raise
            self._journal = journal
            self._furnish(summary.coins)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self._end()
        finally:
            journal, self._journal, self._left = self._journal, None, {}
            if journal is not None:
                await journal.aclose()

    async def _remember(self, journal: Ledger) -> None:
        durations = durations_of(self._agent, self._kind.name)
        if not durations:
            done = await journal.lately_done(KEPT)
            durations.add(*(took(revive(self._kind, record), 0.0, seconds) for record, seconds in done))

    def status(self) -> BatchStatus:
        """Tell how the jobs taken up so far stand, and the coins of the whole batch."""
        counts = self._course.counts
        states = {state.value: counts[state] for state in TaskState}
        return BatchStatus(
            submitting=counts[None],
            **states,
            saved=self._course.saved,
            coins=self._budget.spent + self._budget.reserved,
        )

    async def run(self, jobs: Jobs) -> AsyncGenerator[Outcome[TaskT]]:
        """Yield outcomes as they come. Input is taken up as room appears, so it may be endless.

        A `pathlib.Path` is a CSV or JSONL file whose columns or members are the fields of the start, and ``key``.
        What stops submission (`BudgetExceededError` and other `BatchStoppedError`, too few coins, a refused token) is
        raised after the outcomes of all that was started. Raises `JournalError`, and what the input raises.
        """
        async with aclosing(self._run(items(jobs, self._kind.start))) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def resume(self) -> AsyncGenerator[Outcome[TaskT]]:
        """Yield the outcomes of jobs that the journal knows and that have no end yet, without their input."""
        async with aclosing(self._run(self._unfinished())) as outcomes:
            async for outcome in outcomes:
                yield outcome

    async def cancel(self, *, remove: bool = False) -> int:
        """Stop submitting and end `run`; what was started goes on at the service, and stays in the journal.

        ``remove`` takes back what this run has at the service and is still queued, which the service refunds. Returns
        how many it took back.
        """
        self._cancelled = True
        self._submitter.stop(BatchStoppedError("the batch was cancelled."))
        before = len(self.removed)
        self._removing = self._removing or remove
        await self._end()
        return len(self.removed) - before

    async def _take_back(self, seconds: float | None) -> None:
        running, self._left = self._left, {}

        async def gone(task_id: str) -> None:
            self.removed.append(task_id)
            self._budget.correct(-running[task_id].paid)
            if self._journal:
                await self._journal.withdrawn(running[task_id].job)

        await take_back(self._agent, self._kind, running, gone, seconds)

    async def _unfinished(self) -> AsyncGenerator[Item]:
        if self._journal is None:
            raise JournalError("without a journal there is nothing to resume.")
        last = 0
        while found := await self._journal.unfinished(last):
            for entry in found:
                try:
                    item = Item(entry.id, entry.key, thaw(self._kind.start.request, entry.request))
                except RequestError as error:
                    item = Item(entry.id, entry.key, error)
                yield item
            last = found[-1].id

    async def _run(self, source: AsyncGenerator[Item]) -> AsyncGenerator[Outcome[TaskT]]:
        if self._path is not None and self._journal is None:
            raise JournalError("a batch with a journal is run inside `async with`.")
        await self._alone()
        if self._submitter.stopped is not None:
            raise self._submitter.stopped
        results: Results[TaskT] = asyncio.Queue()
        room = asyncio.Semaphore(self._max)
        crew = asyncio.create_task(self._work(source, room, results), name=f"a2e-batch-{self._kind.name}")
        crew.add_done_callback(lambda _: results.put_nowait(None))
        self._crew, self._left = crew, {}
        try:
            while (result := await results.get()) is not None:
                if isinstance(result, Exception):
                    raise result
                room.release()
                yield result
            if self._submitter.stopped is not None and not self._cancelled:
                raise self._submitter.stopped
        finally:
            try:
                await self._end()
            finally:
                await source.aclose()

    async def _alone(self) -> None:
        # A run that was left by `break` is closed by the loop, in a task of its own, a moment later.
        for _ in range(_MOMENT):
            if self._crew is None or self._ending.locked():
                break
            await asyncio.sleep(0)
        if self._ending.locked():
            async with self._ending:
                pass
        if self._crew is not None:
            raise RequestError("one run of a batch must end before the next begins.")

    async def _work(self, source: AsyncGenerator[Item], room: asyncio.Semaphore, results: "Results[TaskT]") -> None:
        pulling = asyncio.Lock()  # an asynchronous generator cannot be advanced by two at once
        hired = 0

        async def work() -> None:
            nonlocal hired
            while await room.acquire():
                async with pulling:
                    item = await self._next(source)
                if item is None:
                    room.release()
                    return
                for _ in range(min(2, self._max - hired)):  # one each would let them begin in single file
                    hired += 1
                    group.create_task(work())
                outcome = await self._course.take(item)
                if outcome is None:
                    room.release()
                else:
                    self._tally(outcome)
                    results.put_nowait(outcome)

        try:
            async with asyncio.TaskGroup() as group:
                hired += 1
                group.create_task(work())
        except ExceptionGroup as broken:
            results.put_nowait(broken.exceptions[0])  # the input or the journal failed

    async def _next(self, source: AsyncGenerator[Item]) -> Item | None:
        await self._submitter.free.wait()
        if self._submitter.stopped:
            return None
        try:
            return await anext(source, None)
        except Exception:
            # All else is cancelled next, and what is paid for should be known by then.
            self._submitter.free.clear()
            await self._submitter.finish(self._farewell)
            self._left = dict(self._course.running)
            raise

    def _tally(self, outcome: Outcome[TaskT]) -> None:
        if outcome.known or self._max_failed is None:
            return
        self._ended += 1
        self._failed += outcome.state is TaskState.FAILED
        if self._ended >= _ENOUGH and self._failed > self._max_failed * self._ended:
            text = f"{self._failed} of {self._ended} jobs failed, more than max_failed={self._max_failed:g} allows."
            self._submitter.stop(BatchStoppedError(text))

    async def _end(self) -> None:
        # At once where there is nothing to end: asyncio may be closing this generator at the end of a loop.
        if self._crew is not None or self._ending.locked() or self._removing:
            await surely(self._stop(), PARTING + 2 * self._farewell)

    async def _stop(self) -> None:
        # Whoever else wants an end waits here: the journal must not be closed while something is still to be noted.
        async with self._ending:
            if self._crew is not None:
                try:
                    await self._dismiss(self._crew)
                finally:
                    self._crew = None
                    self._submitter.free.set()
            if self._left and (self._removing or self._remove):
                await self._take_back(None if self._removing else PARTING)

    async def _dismiss(self, crew: asyncio.Task[None]) -> None:
        if crew.done():
            return
        self._submitter.free.clear()
        try:
            # An answer that is nearly here saves the next run from looking for it.
            await self._submitter.finish(self._farewell)
        finally:
            self._left = dict(self._course.running)
            crew.cancel()
            await outlast(crew)


def _pattern(out: str) -> str:
    try:
        fields = [part for part in Formatter().parse(out) if part[1] is not None]
    except ValueError:
        fields = []
    if not fields or any(name not in {"key", "id"} or spec or turn for _, name, spec, turn in fields):
        raise RequestError(f"{out!r} must hold {{key}} or {{id}}, as in results/{{key}}.mp4.", field="out")
    return out


def _again(word: TaskState | str) -> TaskState:
    if word in {TaskState.FAILED, TaskState.UNCERTAIN}:
        return TaskState(word)
    raise RequestError(f"takes 'failed' and 'uncertain', not {word!r}.", field="retry")
