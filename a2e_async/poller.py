"""Turns many watchers of one kind into few requests. It polls only while somebody waits."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from a2e_async._endpoint import Caller
from a2e_async._reader import Reader
from a2e_async.config import PollPolicy
from a2e_async.errors import DecodeError, NotFoundError, RateLimitError, ServerError, TransportError
from a2e_async.tasks import Task, TaskKind

TaskT = TypeVar("TaskT", bound=Task)

_TRANSIENT = (TransportError, RateLimitError, ServerError, DecodeError)


class Watch(Generic[TaskT]):
    """One party's interest in one task; it outlives its single waits. Times are the loop's, in seconds."""

    __slots__ = ("born", "due", "every", "future", "is_news", "task_id")

    def __init__(
        self, task_id: str, *, born: float, due: float, every: float | None, is_news: Callable[[TaskT], bool]
    ) -> None:
        self.task_id, self.born, self.due, self.every = task_id, born, due, every
        self.is_news = is_news
        """Told of each reading; true ends the wait."""
        self.future: asyncio.Future[TaskT] | None = None


class Poller(Generic[TaskT]):
    """Reads all due tasks of one kind in shared rounds, on a grid, so that tasks due together share requests."""

    def __init__(self, caller: Caller, kind: TaskKind[..., TaskT], policy: PollPolicy) -> None:
        self.loop = asyncio.get_running_loop()
        self._reader = Reader(caller, kind)
        self._name = f"a2e-poller-{kind.name}"
        self._policy = policy
        self._watches: dict[str, list[Watch[TaskT]]] = {}
        self._phase = random.random()  # noqa: S311 - only spreads processes that were started together
        self._task: asyncio.Task[None] | None = None
        self._alarm: asyncio.Future[None] | None = None
        self._alarm_at = 0.0

    async def wait(self, watch: Watch[TaskT]) -> TaskT:
        """Return the task as soon as a reading is news to this watch. Cancelling it harms no other."""
        future: asyncio.Future[TaskT] = self.loop.create_future()
        watch.future = future
        self._watches.setdefault(watch.task_id, []).append(watch)
        if self._task is None:
            self._task = self.loop.create_task(self._run(), name=self._name)
        elif watch.due < self._alarm_at:
            self._ring()
        try:
            return await future
        finally:
            self._drop(watch)
            if not self._watches:
                await self._rest()

    async def _rest(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    def _drop(self, watch: Watch[TaskT]) -> None:
        watches = self._watches.get(watch.task_id)
        if watches is not None and watch in watches:
            watches.remove(watch)
            if not watches:
                del self._watches[watch.task_id]

    def _ring(self) -> None:
        if self._alarm is not None and not self._alarm.done():
            self._alarm.set_result(None)

    async def _run(self) -> None:
        try:
            while self._watches:
                due = min(watch.due for watches in self._watches.values() for watch in watches)
                if due > self.loop.time():
                    await self._sleep(due)
                    continue
                horizon = self.loop.time() + self._policy.shortest / 4
                ids = [key for key, watches in self._watches.items() if any(w.due <= horizon for w in watches)]
                self._settle(ids, await self._reader.read(ids, self._overdue))
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of a defect, not wait for ever
            self._settle(list(self._watches), dict.fromkeys(self._watches, error))
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    async def _sleep(self, until: float) -> None:
        self._alarm, self._alarm_at = self.loop.create_future(), until
        timer = self.loop.call_at(until, self._ring)
        try:
            await self._alarm
        finally:
            timer.cancel()
            self._alarm, self._alarm_at = None, 0.0

    def _overdue(self, task_id: str) -> bool:
        now = self.loop.time()
        return any(now - watch.born >= self._policy.grace for watch in self._watches.get(task_id, ()))

    def _settle(self, ids: Sequence[str], found: Mapping[str, TaskT | Exception]) -> None:
        now = self.loop.time()
        for task_id in ids:
            result = found.get(task_id)
            for watch in tuple(self._watches.get(task_id, ())):
                watch.due = self._next(watch, now, result)
                news = (
                    watch.is_news(result)
                    if isinstance(result, Task)
                    else result is not None and self._fatal(result, now - watch.born)
                )
                if news and result is not None:
                    self._resolve(watch, result)

    def _resolve(self, watch: Watch[TaskT], result: TaskT | Exception) -> None:
        if isinstance(result, Task):
            result.detach()
        self._drop(watch)
        future = watch.future
        if future is None or future.done():
            return
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)

    def _fatal(self, error: Exception, age: float) -> bool:
        if isinstance(error, NotFoundError):
            return age >= self._policy.grace
        return not isinstance(error, _TRANSIENT)

    def _next(self, watch: Watch[TaskT], now: float, result: object) -> float:
        policy = self._policy
        pause = watch.every or min(max((now - watch.born) / 10, policy.shortest), policy.longest)
        if isinstance(result, RateLimitError) and result.retry_after:
            pause = max(pause, result.retry_after)
        grid = min(pause, policy.shortest)
        phase = self._phase * grid
        return max(round((now + pause - phase) / grid) * grid + phase, now + grid / 2)


_pollers: WeakKeyDictionary[Caller, dict[str, Poller[Any]]] = WeakKeyDictionary()


def poller_of(caller: Caller, kind: TaskKind[..., TaskT], policy: PollPolicy) -> Poller[TaskT]:
    """Return the poller that all watchers of this kind share on this session and event loop."""
    pollers = _pollers.setdefault(caller, {})
    poller = pollers.get(kind.name)
    if poller is None or poller.loop is not asyncio.get_running_loop():
        poller = pollers[kind.name] = Poller(caller, kind, policy)
    return poller
