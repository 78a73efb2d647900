"""A job from its local files to its result on disk, under one deadline; and what becomes of it if it is cut short."""

import asyncio
from math import inf
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from a2e_async._deadline import DOWNLOADING, NOTHING, in_time
from a2e_async._download import Progress
from a2e_async._endpoint import Agent, Permit
from a2e_async._parting import PARTING, OnCancel, checked, leave, take_back
from a2e_async._surely import see_out, surely
from a2e_async._wire import Request
from a2e_async.config import PollPolicy, WaitLimits
from a2e_async.errors import RequestError
from a2e_async.files import LARGEST, Files
from a2e_async.tasks import Task, TaskKind, kind_of, log
from a2e_async.watcher import TaskWatcher, timed_out

P = ParamSpec("P")
TaskT = TypeVar("TaskT", bound=Task)

FAREWELL = 2.0
"""Seconds that a paid request under way is given to be answered, so that its task is known."""


class Job:
    """One deadline for all that is done through it, counted from entering the ``async with`` block.

    Uploads and downloads are cut short then, waits end with `TaskTimeoutError`, and nothing more is sent. A paid
    request that is under way is not cut short, as nobody would know what became of it. If the block is cancelled, or
    left by an exception, ``on_cancel`` says what becomes of the tasks started in it that have not ended: ``"detach"``
    leaves them alone, ``"remove"`` takes back what is still queued, within five seconds; a note on the exception,
    the log, and the lists `removed` and `left` tell which.
    """

    def __init__(  # noqa: PLR0913 - the first three are the session's
        self,
        agent: Agent,
        files: Files,
        policy: PollPolicy,
        *,
        deadline: float | None = None,
        limits: WaitLimits | None = None,
        on_cancel: OnCancel = "detach",
    ) -> None:
        if deadline is not None and not deadline > 0:
            raise RequestError(f"must be a positive number of seconds, not {deadline!r}.", field="deadline")
        self._agent, self._files, self._policy = agent, files, policy
        self._deadline, self._limits, self._on_cancel = deadline or inf, limits, checked(on_cancel)
        self._end = inf
        self._started: dict[str, Task] = {}
        self._watchers: list[TaskWatcher[Any]] = []
        self.removed: list[str] = []
        """Ids of the tasks that were taken back."""
        self.left: list[str] = []
        """Ids of the tasks that had not ended, as far as is known, when the block was left; they go on."""

    async def __aenter__(self) -> Self:
        self._end = asyncio.get_running_loop().time() + self._deadline
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended = {watcher.task_id for watcher in self._watchers if watcher.task and watcher.task.state.final}
        goes_on = [task for task in self._started.values() if task.id not in ended]
        try:
            if error is not None and self._on_cancel == "remove":
                await surely(self._take_back(goes_on))
        finally:
            self.left = [task.id for task in goes_on if task.id not in self.removed]
        if error is None:
            return
        if self._on_cancel == "detach":
            leave(goes_on)
        for word, ids in (("Taken back, as still queued", self.removed), ("Goes on at the service", self.left)):
            if ids:
                error.add_note(f"{word}: {', '.join(ids)}")

    async def _take_back(self, tasks: list[Task]) -> None:
        async def gone(task_id: str) -> None:
            self.removed.append(task_id)

        for kind in {kind_of(task).name: kind_of(task) for task in tasks}.values():
            ids = [task.id for task in tasks if kind_of(task) is kind]
            await take_back(self._agent, kind, ids, gone, PARTING)

    async def run(self, kind: TaskKind[P, TaskT], *args: P.args, **kwargs: P.kwargs) -> TaskT:
        """Start a task and return it finished; takes the start endpoint's fields."""
        return await self.watch(await self.start(kind, *args, **kwargs))

    async def start(self, kind: TaskKind[P, TaskT], *args: P.args, **kwargs: P.kwargs) -> TaskT:
        """Upload what is local, and start a task; takes the start endpoint's fields."""
        return await self.submit(kind, kind.start.request(*args, **kwargs))

    async def submit(self, kind: TaskKind[..., TaskT], request: Request) -> TaskT:
        """Upload what is local, and start a task from its request."""
        label = kind.start.label
        async with in_time(self._end, NOTHING, label):
            prepared = await self._agent.prepare(kind.start, request)
        permit = Permit(self._end)
        sending = asyncio.ensure_future(self._agent.call(kind.start, prepared, permit))
        try:
            task = await asyncio.shield(sending)
        except asyncio.CancelledError as error:
            cancelled = await see_out(sending, FAREWELL if permit.used else 0.0, error)
            self._part(kind, sending, permit, cancelled)
            raise cancelled from None
        self._started[task.id] = task
        if asyncio.get_running_loop().time() >= self._end:
            raise timed_out(kind, task.id, task, f"after {self._deadline:g} s")
        return task

    def watch(self, task: TaskT, *, every: float | None = None) -> TaskWatcher[TaskT]:
        """Watch a task for what is left of the deadline, as `A2ESession.watch` does."""
        left = self._end - asyncio.get_running_loop().time()
        if left <= 0:
            raise timed_out(kind_of(task), task.id, task, f"after {self._deadline:g} s")
        watcher = TaskWatcher(
            self._agent,
            kind_of(task),
            task,
            deadline=None if left == inf else left,
            every=every,
            policy=self._policy,
            limits=self._limits,
        )
        self._watchers.append(watcher)
        return watcher

    async def save(
        self,
        source: Task | str,
        to: str | PathLike[str],
        *,
        max_bytes: int = LARGEST,
        on_progress: Progress | None = None,
    ) -> Path:
        """Download a result, as `Files.save` does."""
        async with in_time(self._end, DOWNLOADING, "GET result"):
            return await self._files.save(source, to, max_bytes=max_bytes, on_progress=on_progress)

    async def upload(self, path: str | PathLike[str], *, on_progress: Progress | None = None) -> str:
        """Upload a file and return its public URL, as `Files.upload` does."""
        async with in_time(self._end, NOTHING, "PUT upload"):
            return await self._files.upload(path, on_progress=on_progress)

    def _part(
        self,
        kind: TaskKind[..., TaskT],
        sending: "asyncio.Future[TaskT]",
        permit: Permit,
        cancelled: asyncio.CancelledError,
    ) -> None:
        if sending.cancelled():
            if permit.used:
                text = f"{kind.start.label} was under way: the task may exist, and may have cost coins. Look in"
                _tell(cancelled, f"{text} {kind.start.lookout}.")
        elif (error := sending.exception()) is not None:
            _tell(cancelled, str(error))
        else:
            task = sending.result()
            self._started[task.id] = task


def _tell(cancelled: asyncio.CancelledError, text: str) -> None:
    # A note does not outlive the asyncio task; whoever awaits that gets another CancelledError.
    cancelled.add_note(text)
    log.warning("%s", text)
