"""How long a task may stay where it is. Times are the loop's: no step of a wall clock ends a wait."""

from math import inf

from a2e_async.config import WaitLimits
from a2e_async.errors import QueueTimeoutError, RunTimeoutError, StallTimeoutError, TaskTimeoutError
from a2e_async.tasks import Task, TaskState


class Bounds:
    """What one watcher has seen of its task, held against the limits."""

    __slots__ = ("_limits", "_moved", "_running", "_sign", "_since")

    def __init__(self, limits: WaitLimits, now: float) -> None:
        self._limits = limits
        self._since = self._moved = now
        self._running = False
        self._sign: tuple[str, str] | None = None

    def see(self, task: Task, now: float) -> None:
        """Take a reading into account; one from a stale replica takes no task back into the queue."""
        sign = task.status, task.updated_at
        if sign != self._sign:
            self._sign, self._moved = sign, now
        if task.state is TaskState.RUNNING and not self._running:
            self._running, self._since = True, now

    @property
    def until(self) -> float:
        """When the first limit is reached, as things stand."""
        return min(at for at, _, _ in self._ends())

    def late(self, now: float) -> tuple[type[TaskTimeoutError], float] | None:
        """Return which limit was reached, and its seconds."""
        return next(((error, limit) for at, error, limit in self._ends() if at <= now), None)

    def _ends(self) -> list[tuple[float, type[TaskTimeoutError], float]]:
        limits = self._limits
        stall = (self._moved, StallTimeoutError, limits.stall)
        phase = (
            (self._since, RunTimeoutError, limits.run)
            if self._running
            else (self._since, QueueTimeoutError, limits.queue)
        )
        return [
            (inf if limit is None else since + limit, error, limit or inf) for since, error, limit in (phase, stall)
        ]
