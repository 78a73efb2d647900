"""A job from its local files to its result on disk, under one deadline; and what becomes of it if it is cut short."""

import asyncio
from functools import partial
from math import inf
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, overload

from a2e_async._deadline import UPLOADING, in_time, overdue
from a2e_async._download import LABEL as DOWNLOAD
from a2e_async._download import Progress
from a2e_async._endpoint import Agent, Permit
from a2e_async._parting import FAREWELL, PARTING, OnCancel, checked, take_back
from a2e_async._surely import see_out, surely
from a2e_async._wire import Request
from a2e_async.config import PollPolicy, WaitLimits
from a2e_async.errors import A2EError, RequestError, TaskTimeoutError
from a2e_async.files import LABEL as UPLOAD
from a2e_async.files import LARGEST, Files
from a2e_async.tasks import Task, TaskKind, about, kind_of, log
from a2e_async.watcher import GOES_ON, TaskWatcher, timed_out, unsaved

P = ParamSpec("P")
TaskT = TypeVar("TaskT", bound=Task)


class Job:
    """One deadline for all that is done through it, counted from entering the ``async with`` block.

    When it has passed, `TaskTimeoutError` is raised where there is a task, else `TransportTimeoutError`: nothing more
    is sent, uploads and downloads are cut short and leave nothing half-written. A paid request that is under way is
    not cut short, as nobody would know what became of it. If the block is cancelled, left by an exception or out of
    time, ``on_cancel`` says what becomes of the tasks started in it that have not ended: ``"detach"`` leaves them
    alone, ``"remove"`` takes back what is still queued, within five seconds. The lists `removed`, `left` and `doubts`,
    the log and notes on the exception tell what came of it.
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
        self._deadline, self._limits, self._on_cancel = deadline, limits, checked(on_cancel)
        self._ends: float | None = None
        self._tasks: dict[str, Task] = {}
        self._watchers: list[TaskWatcher[Any]] = []
        self.doubts: list[str] = []
        """What may have been started by paid requests that were cut short, and where to look."""
        self.removed: list[str] = []
        """Ids of the tasks that were taken back."""
        self.left: list[str] = []
        """Ids of the tasks that had not ended, as far as is known, when the block was left; they go on."""

    async def __aenter__(self) -> Self:
        if self._deadline is not None:
            self._ends = asyncio.get_running_loop().time() + self._deadline
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended = {watcher.task_id for watcher in self._watchers if watcher.task and watcher.task.state.final}
        goes_on = [task for task in self._tasks.values() if task.id not in ended]
        cut = error is not None or self._over
        try:
            if cut and self._on_cancel == "remove":
                await surely(self._take_back(goes_on))
        finally:
            self.left = [task.id for task in goes_on if task.id not in self.removed]
            if cut and self._on_cancel == "detach":
                for task in goes_on:
                    extra = about(kind_of(task), task.id)
                    log.info("Left %s %s, which goes on at the service.", *extra.values(), extra=extra)
            if error is not None:
                self._note(error)

    @property
    def started(self) -> list[str]:
        """Ids of all tasks started here."""
        return list(self._tasks)

    async def run(self, kind: TaskKind[P, TaskT], *args: P.args, **kwargs: P.kwargs) -> TaskT:
        """Start a task and return it finished; takes the start endpoint's fields."""
        return await self.watch(await self.start(kind, *args, **kwargs))

    async def start(self, kind: TaskKind[P, TaskT], *args: P.args, **kwargs: P.kwargs) -> TaskT:
        """Upload what is local, and start a task; takes the start endpoint's fields."""
        return await self.submit(kind, kind.start.request(*args, **kwargs))

    async def submit(self, kind: TaskKind[..., TaskT], request: Request) -> TaskT:
        """Upload what is local, and start a task from its request."""
        async with in_time(self._end, partial(overdue, UPLOADING, kind.start.label)):
            prepared = await self._agent.prepare(kind.start, request)
        permit = Permit(inf if self._end is None else self._end)
        sending = asyncio.ensure_future(self._agent.call(kind.start, prepared, permit))
        try:
            await asyncio.wait([sending])  # a shield would report to the loop what is told below
            task = sending.result()
        except asyncio.CancelledError as cancelled:
            permit.until = -inf  # what is under way may still be answered, but nothing else is sent
            under_way = permit.left > 0
            last = await see_out(sending, FAREWELL if under_way else 0.0, cancelled)
            self._part(kind, sending, under_way=under_way)
            raise last from None
        self._tasks[task.id] = task
        if self._over:
            raise timed_out(kind, task.id, task, self._deadline or inf)
        return task

    @overload
    def watch(self, task: TaskT, *, every: float | None = None) -> TaskWatcher[TaskT]: ...
    @overload
    def watch(self, task: TaskKind[..., TaskT], task_id: str, *, every: float | None = None) -> TaskWatcher[TaskT]: ...
    def watch(
        self, task: TaskT | TaskKind[..., TaskT], task_id: str = "", *, every: float | None = None
    ) -> TaskWatcher[TaskT]:
        """Watch a task, or a kind and an id, for what is left of the deadline, as `A2ESession.watch` does."""
        kind, what = (task, task_id) if isinstance(task, TaskKind) else (kind_of(task), task)
        watcher = TaskWatcher(
            self._agent,
            kind,
            what,
            deadline=self._deadline,
            every=every,
            policy=self._policy,
            limits=self._limits,
            until=self._end,
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

        def late() -> A2EError:
            if isinstance(source, Task):
                return unsaved(source, self._deadline or inf)
            return overdue("downloading: nothing was saved", DOWNLOAD)

        async with in_time(self._end, late):
            return await self._files.save(source, to, max_bytes=max_bytes, on_progress=on_progress)

    async def save_all(
        self,
        task: Task,
        to: str | PathLike[str],
        *,
        max_bytes: int = LARGEST,
        on_progress: Progress | None = None,
    ) -> list[Path]:
        """Download all results of a finished task, as `Files.save_all` does."""
        async with in_time(self._end, partial(unsaved, task, self._deadline or inf)):
            return await self._files.save_all(task, to, max_bytes=max_bytes, on_progress=on_progress)

    async def upload(self, path: str | PathLike[str], *, on_progress: Progress | None = None) -> str:
        """Upload a file and return its public URL, as `Files.upload` does."""
        async with in_time(self._end, partial(overdue, f"uploading {Path(path).name}", UPLOAD)):
            return await self._files.upload(path, on_progress=on_progress)

    @property
    def _end(self) -> float | None:
        if self._deadline is not None and self._ends is None:
            raise RequestError("a job with a deadline is used inside `async with`, which begins it.", field="deadline")
        return self._ends

    @property
    def _over(self) -> bool:
        return self._end is not None and asyncio.get_running_loop().time() >= self._end

    def _part(self, kind: TaskKind[..., TaskT], sending: "asyncio.Future[TaskT]", *, under_way: bool) -> None:
        if sending.cancelled():
            if under_way:
                text = f"{kind.start.label} was under way: the task may exist, and may have cost coins. Look in"
                self._doubt(kind, f"{text} {kind.start.lookout}.")
        elif (error := sending.exception()) is None:
            task = sending.result()
            self._tasks[task.id] = task
        elif not (isinstance(error, A2EError) and error.spent == "no"):
            self._doubt(kind, str(error))

    def _doubt(self, kind: TaskKind[..., Any], text: str) -> None:
        # Here and not on the exception: whoever awaits a cancelled asyncio task gets another one.
        self.doubts.append(text)
        start, extra = kind.start, {"a2e_kind": kind.name, "a2e_endpoint": kind.start.label}
        # The text may tell what was sent, which is no matter for a log.
        text = "%s: the task may exist, and may have cost coins. Look in %s."
        log.warning(text, start.label, start.lookout, extra=extra)

    async def _take_back(self, tasks: list[Task]) -> None:
        async def gone(task_id: str) -> None:
            self.removed.append(task_id)

        kinds = {kind_of(task).name: kind_of(task) for task in tasks}
        for kind in kinds.values():
            ids = [task.id for task in tasks if kind_of(task) is kind]
            await take_back(self._agent, kind, ids, gone, PARTING)

    def _note(self, error: BaseException) -> None:
        if isinstance(error, TaskTimeoutError) and error.task_id in self.removed:
            error.spent = "no"  # refunded
            error.args = (f"{str(error).partition(GOES_ON)[0]} It was taken back.",)
        for text in self.doubts:
            error.add_note(text)
        for word, ids in (("Taken back, as still queued", self.removed), ("Goes on at the service", self.left)):
            if ids:
                error.add_note(f"{word}: {', '.join(ids)}")
