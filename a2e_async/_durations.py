"""How long the tasks of a kind take, learned from those seen done, and how soon one may be expected to end."""

from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from math import ceil
from weakref import WeakKeyDictionary

from a2e_async._endpoint import Caller
from a2e_async.tasks import Task, born

KEPT = 256
ENOUGH = 8
EARLY, LATE = 0.04, 0.95


class Durations:
    """The last durations of one kind, in seconds; iterate over them to write them down, oldest first."""

    __slots__ = ("_kept", "_late", "_sorted", "first")

    def __init__(self) -> None:
        self._kept: deque[float] = deque()
        self._sorted: list[float] = []
        self.first = 0.0
        """Seconds before which a task hardly ever ends; 0 as long as too few are known."""
        self._late = 0.0

    def __iter__(self) -> Iterator[float]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, *seconds: float) -> None:
        """Take durations in, oldest first; what is no positive number is left out, and the oldest leave."""
        for value in seconds:
            if 0 < value < float("inf"):
                self._kept.append(value)
                insort(self._sorted, value)
                if len(self._kept) > KEPT:
                    del self._sorted[bisect_left(self._sorted, self._kept.popleft())]
        count = len(self._sorted)
        if count >= ENOUGH:
            self.first, self._late = self._sorted[int(EARLY * count)], self._sorted[ceil(LATE * count) - 1]

    @property
    def usual(self) -> float:
        """The median in seconds; 0 as long as none is known."""
        return self._sorted[len(self._sorted) // 2] if self._sorted else 0.0

    def half_life(self, age: float) -> float:
        """Return in how many seconds one of two tasks that still run at this age may be expected to end.

        From the known ones that took longer; where too few are known, or the age is beyond nearly all of them, as if
        the odds of ending fell with the time that went by.
        """
        if age >= self._late:
            return age - self._late
        known = self._sorted
        return known[(bisect_right(known, age) + len(known)) // 2] - age


_durations: WeakKeyDictionary[Caller, dict[str, Durations]] = WeakKeyDictionary()


def durations_of(caller: Caller, kind: str) -> Durations:
    """Return what this session has learned about a kind, by the kind's name."""
    kinds = _durations.setdefault(caller, {})
    return kinds.setdefault(kind, Durations())


def took(task: Task, least: float, most: float) -> float:
    """Return how long a finished task took, if it was seen unfinished at age ``least`` and done at age ``most``.

    The service's clock tells where in between; without it, the middle is taken.
    """
    begun, ended = born(task), _ended(task)
    # A clock that runs at another pace than ours, as a sandbox's may, must not teach us to wait.
    return min(max(ended - begun, least), most) if begun and ended else (least + most) / 2


def _ended(task: Task) -> float:
    text: str = getattr(task, "completed_time", None) or task.updated_at
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
