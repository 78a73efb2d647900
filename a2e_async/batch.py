"""Many jobs of one kind: bounded submission over any input, outcomes as they finish."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import msgspec

from a2e_async._endpoint import Caller
from a2e_async._wire import Request
from a2e_async.config import PollPolicy
from a2e_async.errors import RequestError, SubmissionUncertainError
from a2e_async.tasks import Task, TaskKind, TaskState
from a2e_async.watcher import TaskWatcher, failure

TaskT = TypeVar("TaskT", bound=Task)

Job = Request | Mapping[str, Any]
"""A request of the kind, or a mapping of its field names with an optional ``key``."""


class Outcome(msgspec.Struct, Generic[TaskT], frozen=True, kw_only=True):
    """How one job ended. Exactly one of a DONE ``task`` and an ``error`` is there."""

    key: str
    """The job's own key, or its place in the input, from 1."""
    state: TaskState
    """DONE; FAILED (refused, or given up by the service); else where the task stood when last seen."""
    task: TaskT | None = None
    """The task as last read; None if it never started."""
    error: Exception | None = None
    seconds: float = 0.0
    """From taking up the job to its outcome."""

    @property
    def coins(self) -> float:
        """Coins that the service says the task cost; 0 where it failed or does not say."""
        return self.task.coins or 0.0 if self.task is not None and self.state is not TaskState.FAILED else 0.0


Results = asyncio.Queue[Outcome[TaskT] | Exception | None]


class Batch(Generic[TaskT]):
    """Submits and watches jobs, at most ``max_in_flight`` between being taken up and their outcome handed over.

    One job's failure disturbs no other. Leaving the ``async with`` block stops submission; tasks already started go
    on at the service.
    """

    def __init__(
        self,
        caller: Caller,
        kind: TaskKind[..., TaskT],
        *,
        max_in_flight: int = 1000,
        deadline: float | None = None,
        policy: PollPolicy | None = None,
    ) -> None:
        if max_in_flight < 1:
            raise RequestError("must be at least 1.", field="max_in_flight")
        self._caller, self._kind, self._policy = caller, kind, policy
        self._max, self._deadline = max_in_flight, deadline
        self._crews: set[asyncio.Task[None]] = set()
        self.counts: Counter[TaskState | None] = Counter()
        """Jobs by state at this moment; None counts those being submitted."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for crew in tuple(self._crews):
            await _end(crew)

    async def run(self, jobs: Iterable[Job] | AsyncIterable[Job]) -> AsyncIterator[Outcome[TaskT]]:
        """Yield outcomes as they come. Input is taken up as room appears, so it may be endless."""
        results: Results[TaskT] = asyncio.Queue()
        room = asyncio.Semaphore(self._max)
        crew = asyncio.create_task(self._crew(_numbered(jobs), room, results), name=f"a2e-batch-{self._kind.name}")
        crew.add_done_callback(lambda _: results.put_nowait(None))
        self._crews.add(crew)
        try:
            while (result := await results.get()) is not None:
                if isinstance(result, Exception):
                    raise result
                room.release()
                yield result
        finally:
            self._crews.discard(crew)
            await _end(crew)

    async def _crew(
        self, source: AsyncIterator[tuple[str, Job]], room: asyncio.Semaphore, results: "Results[TaskT]"
    ) -> None:
        pulling = asyncio.Lock()  # an asynchronous generator cannot be advanced by two at once
        hired = 0

        async def work() -> None:
            nonlocal hired
            while await room.acquire():
                async with pulling:
                    item = await anext(source, None)
                if item is None:
                    room.release()
                    return
                if hired < self._max:
                    hired += 1
                    group.create_task(work())
                results.put_nowait(await self._one(*item))

        try:
            async with asyncio.TaskGroup() as group:
                hired += 1
                group.create_task(work())
        except ExceptionGroup as broken:
            results.put_nowait(broken.exceptions[0])  # the input itself failed

    async def _one(self, key: str, job: Job) -> Outcome[TaskT]:
        began, state = time.monotonic(), None
        task: TaskT | None = None
        problem: Exception | None = None
        self.counts[None] += 1
        try:
            task = await self._caller.call(self._kind.start, self._request(job))
            watcher = TaskWatcher(self._caller, self._kind, task, deadline=self._deadline, policy=self._policy)
            async for change in watcher:
                self._move(state, change.state)
                state, task = change.state, change.task
            if state is TaskState.FAILED:
                problem = failure(self._kind, task)
        except Exception as error:  # noqa: BLE001 - a job's failure is its outcome
            problem = error
        end = _state(problem, state)
        self._move(state, end)
        return Outcome(key=key, state=end, task=task, error=problem, seconds=time.monotonic() - began)

    def _move(self, old: TaskState | None, new: TaskState) -> None:
        self.counts[old] -= 1
        self.counts[new] += 1

    def _request(self, job: Job) -> Request:
        wanted, label = self._kind.start.request, self._kind.start.label
        if isinstance(job, wanted):
            return job
        if not isinstance(job, Mapping):
            raise RequestError(f"a job is a {wanted.__name__} or a mapping, not {type(job).__name__}.", endpoint=label)
        fields = {name: value for name, value in job.items() if name != "key"}
        try:
            return wanted(**fields)
        except TypeError as error:
            raise RequestError(f"{error}. Fields: {', '.join(wanted.__struct_fields__)}.", endpoint=label) from None


def _state(problem: Exception | None, seen: TaskState | None) -> TaskState:
    if problem is None:
        return TaskState.DONE
    if isinstance(problem, SubmissionUncertainError):
        return TaskState.UNKNOWN
    return TaskState.FAILED if seen is None else seen


async def _numbered(jobs: Iterable[Job] | AsyncIterable[Job]) -> AsyncIterator[tuple[str, Job]]:
    number = 0
    if isinstance(jobs, AsyncIterable):
        async for job in jobs:
            number += 1
            yield _key(job, number), job
    else:
        for job in jobs:
            number += 1
            yield _key(job, number), job


def _key(job: Job, number: int) -> str:
    return str(job.get("key") or number) if isinstance(job, Mapping) else str(number)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
