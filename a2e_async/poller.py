"""Turns many watchers of one kind into few requests. It polls only while somebody waits."""

import asyncio
from collections.abc import Callable, Mapping
from itertools import chain
from math import ceil, inf
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from a2e_async._durations import durations_of, took
from a2e_async._endpoint import Caller
from a2e_async._reader import REQUESTS, Reader
from a2e_async._retry import passing
from a2e_async._schedule import Schedule, Watch
from a2e_async.config import PollPolicy
from a2e_async.errors import APIError, NotFoundError
from a2e_async.tasks import Task, TaskKind, TaskState

TaskT = TypeVar("TaskT", bound=Task)

RATE = 20.0
"""Requests a second of one poller at the most, on average: what does not fit makes its rounds rarer."""
GAP = 0.05
"""Seconds between two looks for waits whose time is up, at the least: many that end one by one share a look."""
SLEPT = 5.0
"""Seconds by which a timer may be late before the machine is taken to have been asleep."""
EARLY = 0.02
"""Seconds by which a timer may be early, by the ticks of its clock: less than that is no time left."""
LAST_LOOK = 30.0
"""Seconds that a wait whose time ran out unobserved has for one more reading: networks come back slowly."""


class Poller(Generic[TaskT]):
    """Reads all due tasks of one kind in shared rounds, on a grid, so that tasks due together share requests."""

    def __init__(self, caller: Caller, kind: TaskKind[..., TaskT], policy: PollPolicy) -> None:
        self.loop = asyncio.get_running_loop()
        self._reader = Reader(caller, kind, self._learn)
        self._durations = durations_of(caller, kind.name)
        self._schedule = Schedule[TaskT](policy, self._durations)
        self._name = f"a2e-poller-{kind.name}"
        self._policy = policy
        self._watches: dict[str, tuple[Watch[TaskT], ...]] = {}
        self._task: asyncio.Task[None] | None = None
        self._errands: dict[str, asyncio.Task[None]] = {}
        self._alarm = asyncio.Event()
        self._alarm_at = self._base = self._free = 0.0
        self._limit = inf
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, watch: Watch[TaskT], is_news: Callable[[TaskT, bool], bool]) -> asyncio.Future[TaskT | None]:
        """Return what gets the task as soon as a reading is news, or None when the watch's time is up.

        However it ends, `leave`; cancelling it harms no other.
        """
        future: asyncio.Future[TaskT | None] = self.loop.create_future()
        watch.future, watch.is_news = future, is_news
        self._watches[watch.task_id] = (*self._watches.get(watch.task_id, ()), watch)
        self._share()
        now = self.loop.time()
        if watch.until <= now + EARLY:
            self._look_once_more(watch, now)
        else:
            self._schedule.put(watch, watch.due or (self._schedule.plan(watch, now, now) if watch.seen else now))
        self._heed(watch)
        if self._task is None:
            self._task = self.loop.create_task(self._run(), name=self._name)
        self._wake()
        return future

    def leave(self, watch: Watch[TaskT]) -> bool:
        """Return whether nobody waits any more: then `rest`."""
        self._drop(watch)
        return not self._watches

    def hurry(self, task_id: str) -> bool:
        """Read a task at once, by itself; return whether anybody waits for it."""
        if task_id not in self._watches:
            self._schedule.calls.late(task_id)
            return False
        self._schedule.calls.at.setdefault(task_id, self.loop.time())
        if task_id not in self._errands:
            self._errands[task_id] = self.loop.create_task(self._fetch(task_id), name=self._name)
        return True

    async def _fetch(self, task_id: str) -> None:
        try:
            await self._reader.singly([task_id])
        except Exception as error:  # noqa: BLE001 - as below
            self._fail(error)
        finally:
            if self._errands.get(task_id) is asyncio.current_task():
                del self._errands[task_id]

    async def rest(self) -> None:
        """Return when nothing of this poller runs."""
        tasks = [*self._errands.values(), *([self._task] if self._task else [])]
        self._task, self._errands = None, {}
        self._schedule.clear()
        self._set_limit(inf)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _drop(self, watch: Watch[TaskT]) -> None:
        if watch.future is None:
            return
        watch.future = watch.is_news = None
        watches = self._watches.pop(watch.task_id)
        if len(watches) > 1:
            self._watches[watch.task_id] = tuple(other for other in watches if other is not watch)
        else:
            self._schedule.calls.at.pop(watch.task_id, None)

    def _look_once_more(self, watch: Watch[TaskT], now: float) -> None:
        # Nobody looked when its time ran out: what has ended meanwhile must not be called late.
        watch.grace = now + LAST_LOOK
        self._schedule.put(watch, now)

    def _heed(self, watch: Watch[TaskT]) -> None:
        if (end := watch.grace or watch.until) < self._limit:
            self._set_limit(end)

    def _set_limit(self, limit: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._limit = limit
        self._timer = self.loop.call_at(limit, self._expire) if limit < inf else None

    def _expire(self) -> None:
        # No timer for each wait: few last that long.
        now = max(self.loop.time(), self._limit)
        slept = now - self._limit > SLEPT
        watches = chain.from_iterable(self._watches.values())
        for watch in [watch for watch in watches if (watch.grace or watch.until) <= now]:
            if slept and not watch.grace:
                self._look_once_more(watch, now)
            else:
                self._resolve(watch, None)
        self._wake()
        watches = chain.from_iterable(self._watches.values())
        soonest = min((watch.grace or watch.until for watch in watches), default=inf)
        self._set_limit(max(soonest, now + GAP))

    def _wake(self) -> None:
        if self._schedule.next < self._alarm_at:
            self._alarm.set()

    async def _run(self) -> None:
        try:
            while self._watches:
                due = max(self._schedule.next, self._free)
                if due > self.loop.time():
                    await self._sleep(due)
                else:
                    await self._read()
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of a defect, not wait for ever
            self._fail(error)
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    async def _sleep(self, until: float) -> None:
        self._alarm.clear()
        self._alarm_at = until
        timer = self.loop.call_at(until, self._alarm.set)
        try:
            await self._alarm.wait()
        finally:
            timer.cancel()
            self._alarm_at = 0.0

    async def _read(self) -> None:
        reader, schedule, policy = self._reader, self._schedule, self._policy
        self._base = now = self.loop.time()
        self._share()
        ids: dict[str, None] = {}
        schedule.take(ids, now + policy.shortest / 4, REQUESTS * reader.width)
        # What is due soon fills up the last request, as that costs nothing.
        schedule.take(ids, now + policy.longest, ceil(len(ids) / reader.width) * reader.width)
        before = reader.requests
        later = set(await reader.read(list(ids), self._overdue))
        self._free = max(self._free, now + (reader.requests - before) / RATE * min(policy.shortest, 1.0))
        for task_id in reader.silent:
            for watch in self._watches.get(task_id, ()):
                schedule.put(watch, watch.due if task_id in later else schedule.plan(watch, now, self.loop.time()))

    def _share(self) -> None:
        self._schedule.share = min(len(self._watches), self._reader.width)

    def _overdue(self, task_id: str) -> bool:
        now = self.loop.time()
        return any(now - watch.born >= self._policy.grace for watch in self._watches.get(task_id, ()))

    def _learn(self, found: Mapping[str, TaskT | Exception]) -> None:
        now = self.loop.time()
        for task_id, result in found.items():
            watches = self._watches.get(task_id)
            if watches is not None:
                if isinstance(result, Task) and result.state.final:
                    self._ended(watches[0], result, now)
                for watch in watches:
                    self._tell(watch, result, now)
        self._wake()

    def _tell(self, watch: Watch[TaskT], result: TaskT | Exception, now: float) -> None:
        over = late = False
        if isinstance(result, Task):
            watch.seen, news = now, watch.is_news is not None and watch.is_news(result, watch.final_only)
            over, late = news and result.state.final, watch.grace > 0 and not news
        else:
            news = self._fatal(result, now - watch.born)
            if isinstance(result, APIError):
                self._free = max(self._free, now + (result.retry_after or 0.0))
        if not over:
            self._schedule.put(watch, self._schedule.plan(watch, self._base, now))
            self._heed(watch)
        if news or late:
            self._resolve(watch, result if news else None)

    def _ended(self, watch: Watch[TaskT], task: TaskT, now: float) -> None:
        if not watch.seen:
            return  # it was over before anybody watched
        # A reading that was long overdue tells when a machine woke up, not when a task ended.
        if task.state is TaskState.DONE and not watch.grace and self._base - watch.due <= SLEPT:
            self._durations.add(took(task, watch.seen - watch.born, now - watch.born))
        if self._schedule.calls.ended(watch.task_id, now - watch.seen, now):
            for other in chain.from_iterable(self._watches.values()):
                self._schedule.put(other, self._schedule.plan(other, now, now))

    def _resolve(self, watch: Watch[TaskT], result: TaskT | Exception | None) -> None:
        future = watch.future
        self._drop(watch)
        if future is None or future.done():
            return
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            if result is not None:
                result.detach()
            future.set_result(result)

    def _fatal(self, error: Exception, age: float) -> bool:
        if isinstance(error, NotFoundError):
            return age >= self._policy.grace
        return not passing(error)

    def _fail(self, error: Exception) -> None:
        for watch in tuple(chain.from_iterable(self._watches.values())):
            self._resolve(watch, error)


_pollers: WeakKeyDictionary[Caller, dict[str, Poller[Any]]] = WeakKeyDictionary()


def poller_of(caller: Caller, kind: TaskKind[..., TaskT], policy: PollPolicy) -> Poller[TaskT]:
    """Return the poller that all watchers of this kind share on this session and event loop."""
    pollers = _pollers.setdefault(caller, {})
    poller = pollers.get(kind.name)
    if poller is None or poller.loop is not asyncio.get_running_loop():
        poller = pollers[kind.name] = Poller(caller, kind, policy)
    return poller


def hurry(caller: Caller, task_id: str) -> bool:
    """Have a task read at once, because somebody outside says that it has news; call it on the session's loop.

    Returns whether anybody waits for it. Where such calls come for all that ends, polling becomes a safety net.
    """
    loop = asyncio.get_running_loop()
    pollers = _pollers.get(caller, {}).values()
    return any(poller.hurry(task_id) for poller in pollers if poller.loop is loop)
