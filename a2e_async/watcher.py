"""Follows one task to its end. Knows no HTTP; the readings come from the poller that all watchers share."""

import asyncio
import time
from collections.abc import Generator
from datetime import UTC, datetime
from functools import partial
from typing import Any, Generic, TypeVar

import msgspec

from a2e_async._answer import MODERATION_CODES
from a2e_async._bounds import Bounds
from a2e_async._endpoint import Caller
from a2e_async._schedule import Watch
from a2e_async._telling import Wait, teller_of
from a2e_async.config import PollPolicy, WaitLimits
from a2e_async.errors import (
    A2EError,
    ModerationError,
    QueueTimeoutError,
    RequestError,
    RunTimeoutError,
    StallTimeoutError,
    TaskFailedError,
    TaskTimeoutError,
)
from a2e_async.poller import GAP, poller_of
from a2e_async.tasks import ORDER, Handle, Task, TaskKind, TaskState, kind_of, made_at

TaskT = TypeVar("TaskT", bound=Task)

GOES_ON = " The job goes on at the service"
_AFTER: dict[type[TaskTimeoutError], str] = {
    TaskTimeoutError: "after",
    QueueTimeoutError: "and not begun after",
    RunTimeoutError: "after running for",
    StallTimeoutError: "and unchanged for",
}


class Transition(msgspec.Struct, Generic[TaskT], frozen=True):
    """A task was seen to move; ``previous`` is None at the first sight of it."""

    previous: TaskState | None
    state: TaskState
    task: TaskT
    at: datetime
    """When it was seen, UTC."""


class TaskWatcher(Generic[TaskT]):
    """Iterate for transitions, each once and in order, or await for the finished task.

    Awaiting raises `TaskFailedError` if the service gave up, `TaskTimeoutError` if ``deadline`` seconds (counted
    from the first wait) went by. Iterating ends with DONE or FAILED and raises only the latter. Cancelling a watcher
    cancels no job and harms no other watcher. ``every`` fixes the seconds between two readings; ``seen`` is a state
    that was told before. ``limits`` bound single phases: each has its own kind of `TaskTimeoutError`. ``until`` is a
    time of the loop's, for a deadline that counts from elsewhere. Where time ran out while nobody looked, because the
    machine slept or nobody waited, the task is read once more first.
    """

    __slots__ = (
        "__weakref__",
        "_bounds",
        "_caller",
        "_end",
        "_every",
        "_kind",
        "_limits",
        "_patience",
        "_policy",
        "_state",
        "_top",
        "_watch",
        "task",
        "task_id",
    )

    def __init__(  # noqa: PLR0913 - the first three are what is watched, the rest is how
        self,
        caller: Caller,
        kind: TaskKind[..., TaskT],
        task: TaskT | str,
        *,
        deadline: float | None = None,
        every: float | None = None,
        policy: PollPolicy | None = None,
        seen: TaskState | None = None,
        limits: WaitLimits | None = None,
        until: float | None = None,
    ) -> None:
        self._caller, self._kind, self._every = caller, kind, every
        self._policy = policy or PollPolicy()
        for name, value in (("deadline", deadline), ("every", every)):
            if value is not None and not value > 0:
                raise RequestError(f"must be a positive number of seconds, not {value!r}.", field=name)
        self._limits = limits
        self._bounds: Bounds | None = None
        self._patience = deadline or self._policy.deadline or kind.patience
        self.task: TaskT | None = None if isinstance(task, str) else task
        """The task as last read; None until it was."""
        self.task_id = task if isinstance(task, str) else task.id
        """The service's id of the task."""
        self._state = seen
        self._top = -1 if seen is None else ORDER.get(seen, -1)
        self._end = until or 0.0
        self._watch: Watch[TaskT] | None = None

    def __repr__(self) -> str:
        return f"<TaskWatcher {self._kind.name} {self.task_id}: {self._state or 'not seen yet'}>"

    def handle(self) -> str:
        """Write down, as a small JSON without secrets, what it takes to go on: `A2ESession.take_up` reads it.

        States told so far are not told again there, and a deadline that runs already runs on.
        """
        left = self._end - asyncio.get_running_loop().time() if self._end else self._patience
        return Handle(self._kind.name, self.task_id, self._state, time.time() + left).to_json()

    def skip(self, told: TaskState) -> None:
        """Take a state for told, say by another process: iterating goes on with what comes after it."""
        self._state, self._top = told, max(self._top, ORDER.get(told, -1))

    def __aiter__(self) -> "TaskWatcher[TaskT]":
        return self

    async def __anext__(self) -> Transition[TaskT]:
        if self._state is not None and self._state.final:
            raise StopAsyncIteration
        return self._publish(await self._result(final_only=False))

    def __await__(self) -> Generator[Any, None, TaskT]:
        return self._result().__await__()

    async def _result(self, *, final_only: bool = True) -> TaskT:
        # One frame from here to the future: as many of them live as tasks are waited for.
        task = self.task
        if task is None or not self._is_news(task, final_only):
            poller = poller_of(self._caller, self._kind, self._policy)
            watch = self._take_watch(poller.loop.time(), final_only)
            told = self._tell(poller.loop.time() - watch.born)
            try:
                is_news = self._is_news if self._bounds is None else partial(self._judge, self._bounds, watch)
                is_news = is_news if told is None else partial(told.read, is_news)
                while (task := await poller.enter(watch, is_news)) is None:
                    self._check(poller.loop.time() + GAP)  # timers may be early by a little
                    watch.until, watch.grace = self._until, 0.0
            except BaseException as error:
                if told is not None:
                    told.error = type(error).__name__
                raise
            finally:
                self._watch = watch
                if told is not None:
                    told.end()
                if poller.leave(watch):
                    await poller.rest()
        if final_only:
            self._state = task.state
            if task.state is TaskState.FAILED:
                raise failure(self._kind, task)
        return task

    def _tell(self, age: float) -> Wait | None:
        teller = teller_of(self._caller)
        if not teller.hears_tasks:
            return None
        state = self._state or (self.task.state if self.task is not None else None)
        return Wait(teller, self._kind.name, self.task_id, state, age)

    def _publish(self, task: TaskT) -> Transition[TaskT]:
        previous, self._state = self._state, task.state
        self._top = max(self._top, ORDER.get(task.state, -1))
        return Transition(previous, task.state, task, datetime.now(UTC))

    def _is_news(self, task: TaskT, final_only: bool) -> bool:  # noqa: FBT001 - called for each reading
        self.task, state = task, task.state
        if final_only:
            return state.final
        # A reading from a stale replica may lie behind what was published.
        return state is not self._state and ORDER.get(state, self._top) >= self._top

    def _judge(self, bounds: Bounds, watch: Watch[TaskT], task: TaskT, final_only: bool) -> bool:  # noqa: FBT001 - as above
        bounds.see(task, asyncio.get_running_loop().time())
        watch.until = self._until
        return self._is_news(task, final_only)

    def _take_watch(self, now: float, final_only: bool) -> Watch[TaskT]:  # noqa: FBT001 - as above
        # Whoever waits besides gets one of his own.
        watch: Watch[TaskT] | None = self._watch
        self._watch = None
        if watch is None:
            self._end, age = self._end or now + self._patience, age_of(self.task_id)
            if self.task is not None and not self._policy.grace <= age <= self._kind.patience:
                age = 0.0  # just started, whatever the clocks say
            last = 0.0 if self.task is None else now
            if self._limits is not None and self._bounds is None:
                self._bounds = Bounds(self._limits, now)
                if self.task is not None:
                    self._bounds.see(self.task, now)
            watch = Watch(self.task_id, born=now - age, seen=last, until=self._until, every=self._every)
        watch.until, watch.grace = self._until, 0.0
        if watch.final_only is not final_only:
            watch.final_only, watch.due = final_only, 0.0
        return watch

    @property
    def _until(self) -> float:
        return self._end if self._bounds is None else min(self._end, self._bounds.until)

    def _check(self, now: float) -> None:
        reached: tuple[type[TaskTimeoutError], float] | None = None
        if now >= self._end:
            reached = TaskTimeoutError, self._patience
        elif self._bounds is not None:
            reached = self._bounds.late(now)
        if reached is None:
            return
        error, limit = reached
        raise timed_out(self._kind, self.task_id, self.task, limit, error)


def timed_out(
    kind: TaskKind[..., TaskT],
    task_id: str,
    task: TaskT | None,
    limit: float,
    error: type[TaskTimeoutError] = TaskTimeoutError,
) -> TaskTimeoutError:
    """Say as an error that a task is not waited for any longer."""
    seen = f"still {task.state} ({task.status!r})" if task else "never seen"
    return error(
        f"{kind.name} {task_id} is {seen} {_AFTER[error]} {limit:g} s.{GOES_ON}: "
        f"watch it again with a2e.watch({kind.name.upper()}, {task_id!r}).",
        task_id=task_id,
        task=task,
        endpoint=kind.label,
        limit=limit,
    )


def unsaved(task: Task, limit: float) -> TaskTimeoutError:
    """Say as an error that a finished task's result did not arrive in time."""
    kind = kind_of(task)
    return TaskTimeoutError(
        f"{kind.name} {task.id} is {task.state}, but its result was still downloading after {limit:g} s. It stays at "
        f"the service: save it with a2e.files.save(task, path).",
        task_id=task.id,
        task=task,
        endpoint=kind.label,
        limit=limit,
    )


def age_of(task_id: str) -> float:
    """Tell a record's age in seconds by its id; 0 where it holds no time."""
    made = made_at(task_id)
    return max(0.0, time.time() - made) if made else 0.0


def failure(kind: TaskKind[..., TaskT], task: TaskT) -> A2EError:
    """Say as an error why the task failed."""
    endpoint, why = kind.label, task.error or "the service gave no reason"
    if task.code in MODERATION_CODES:
        return ModerationError(why, http_status=200, code=task.code, endpoint=endpoint, task_id=task.id)
    text = f"{kind.name} {task.id} failed: {why}." + (f" (code {task.code})" if task.code else "")
    return TaskFailedError(text, task_id=task.id, task=task, endpoint=endpoint, spent="no")
