"""When which task is read next."""

import asyncio
import random
from collections.abc import Callable
from heapq import heappop, heappush
from math import floor, inf, sqrt
from typing import Generic, TypeVar

from a2e_async._durations import Durations
from a2e_async.config import PollPolicy
from a2e_async.tasks import Task

TaskT = TypeVar("TaskT", bound=Task)

WORTH = 0.4
"""The pause that costs least is root(WORTH * half-life), if a request is worth about 0.14 s of lateness."""
CALLS = 3
"""Calls in a row, none missed, after which reading is but a safety net."""
KEPT = 1000
"""Ends for which a call may still come, at the most."""
NET = 4
"""How many times the longest pause the safety net's is."""


class Watch(Generic[TaskT]):
    """One party's interest in one task; it outlives its single waits. Times are the loop's, in seconds."""

    __slots__ = ("born", "due", "every", "final_only", "future", "grace", "is_news", "seen", "task_id", "until")

    def __init__(self, task_id: str, *, born: float, seen: float, until: float, every: float | None) -> None:
        self.task_id, self.born, self.until, self.every = task_id, born, until, every
        self.grace = 0.0
        """When a wait whose time ran out unobserved is given up without its last look; 0 as long as it did not."""
        self.seen = seen
        """When it was last seen unfinished; 0 if it was not: then it is read at once."""
        self.is_news: Callable[[TaskT, bool], bool] | None = None
        """Told of each reading, and of ``final_only``; true ends the wait. None between waits: no cycle is left."""
        self.final_only = False
        """Whether only the end matters to the party."""
        self.due = 0.0
        """When to read it; 0 if that is yet to be planned."""
        self.future: asyncio.Future[TaskT | None] | None = None


class Calls:
    """Whether somebody outside tells of all ends, so that reading may be a mere safety net."""

    def __init__(self, policy: PollPolicy) -> None:
        self.at: dict[str, float] = {}
        """Tasks waited for of which somebody said that they have news, and when."""
        self._patience, self._longest = policy.grace, policy.longest
        self._count = 0
        self._heard = False
        self._missed: dict[str, tuple[float, int]] = {}

    @property
    def trusted(self) -> bool:
        """Whether the last calls came, and none was missed."""
        return self._count >= CALLS

    def ended(self, task_id: str, unseen: float, now: float) -> bool:
        """Note how an end was learnt of, ``unseen`` seconds after the last look; true if it fell into the net."""
        if task_id in self.at:
            self._heard = True
            self._count += 1
            return False
        # Quick reading finds an end before the call does: missed is what does not come in time.
        while self._missed and now - self._missed[first := next(iter(self._missed))][0] > self._patience:
            del self._missed[first]
            self._count = 0
        caught = self.trusted and unseen > self._longest
        if self._heard and len(self._missed) < KEPT:
            self._missed[task_id] = now, self._count
        if caught:
            self._count = 0
        return caught

    def late(self, task_id: str) -> None:
        """Take a call for a task that nobody waits for: if its end was found by reading, it was not missed."""
        self._heard = True
        _, before = self._missed.pop(task_id, (0.0, None))
        if before is not None:
            self._count = max(self._count, before) + 1


class Schedule(Generic[TaskT]):
    """Plans readings on a grid that all watches share, and hands out what is due, the longest overdue first."""

    def __init__(self, policy: PollPolicy, durations: Durations) -> None:
        self.share = 1
        """Tasks that share a request: the more they are, the less a reading costs, and the sooner it pays."""
        self.calls = Calls(policy)
        self._policy, self._durations = policy, durations
        self._slots: dict[float, list[Watch[TaskT]]] = {}
        self._times: list[float] = []
        self._phase = random.random()  # noqa: S311 - only spreads processes that were started together

    @property
    def next(self) -> float:
        """The time at which something is due."""
        return self._times[0] if self._times else inf

    def clear(self) -> None:
        """Forget all times."""
        self._slots.clear()
        self._times.clear()

    def put(self, watch: Watch[TaskT], due: float) -> None:
        """Make a watch due at a time, and at no other."""
        watch.due = due
        slot = self._slots.get(due)
        if slot is None:
            self._slots[due] = [watch]
            heappush(self._times, due)
        else:
            slot.append(watch)

    def take(self, ids: dict[str, None], until: float, room: int) -> None:
        """Add the ids that are due until then, as long as there are fewer than ``room``."""
        while self._times and self._times[0] <= until and len(ids) < room:
            due = self._times[0]
            slot = self._slots[due]
            while slot and len(ids) < room:
                watch = slot.pop()
                # It stays in the slots that it was moved from.
                if watch.due == due and watch.future is not None:
                    ids[watch.task_id] = None
            if not slot:
                del self._slots[heappop(self._times)]

    def plan(self, watch: Watch[TaskT], base: float, now: float) -> float:
        """Return when to read a task again that was last read in the round of ``base``."""
        if watch.grace:
            pause = self._policy.shortest
        else:
            pause = watch.every or self._pause(watch, max(base - watch.born, 0.0), now)
        grid = min(pause, self._policy.shortest)
        phase = self._phase * grid
        # Counted from when the round began: however long it took, the next one keeps to the grid.
        at = max(base + pause, now + grid / 2)
        due = floor((at - phase) / grid + 0.5) * grid + phase
        if due > watch.until - grid:
            # One look before the party gives up, however late it is due.
            last = floor((watch.until - phase) / grid - 1) * grid + phase
            return last if last > now else due
        return due

    def _pause(self, watch: Watch[TaskT], age: float, now: float) -> float:
        policy, first = self._policy, self._durations.first
        if self.calls.at and (called := self.calls.at.get(watch.task_id)) is not None:
            return max(min(sqrt(WORTH * (now - called)), policy.longest), policy.shortest)
        if age >= first:
            pause = min(sqrt(WORTH * self._durations.half_life(age) / self.share), policy.longest)
        else:
            # Few end so early: about one request a task is spent on them, and what a party wants that sees each step.
            pause = min(first - age, first / self.share)
            if not watch.final_only:
                pause = min(pause, age / 3, policy.longest)
        if self.calls.trusted:
            pause = max(pause, NET * policy.longest)
        return max(pause, policy.shortest)
