"""Work that is cut short when its time is up. All times are the loop's."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from math import inf

from a2e_async._endpoint import Permit
from a2e_async._limits import Gate
from a2e_async.errors import A2EError, TransportTimeoutError

UPLOADING, SUBMITTING = "uploading: nothing was started", "submitting: nothing was started"


class Clock:
    """One job's deadline. It stands still while the job is held back, as it does at first."""

    def __init__(self, seconds: float | None) -> None:
        self.end = None if seconds is None else _now() + seconds
        """When time is up, as long as the clock goes; None if it never is."""
        self._paused: float | None = _now()

    @property
    def over(self) -> bool:
        """Whether time is up."""
        return self.end is not None and self._paused is None and _now() >= self.end

    def pause(self) -> None:
        """Stand still from now on."""
        if self._paused is None:
            self._paused = _now()

    def go_on(self, since: float = 0.0) -> None:
        """Go on, if it stands still; ``since`` says from when on, if that is not now."""
        if self._paused is not None and self.end is not None:
            self.end += max(0.0, (since or _now()) - self._paused)
        self._paused = None


@asynccontextmanager
async def in_time(end: float | None, late: Callable[[], A2EError]) -> AsyncGenerator[None]:
    """Cut short what is done inside at a time of the loop's, and raise what ``late`` says; None sets no bound."""
    if end is not None and _now() >= end:
        raise late()
    limit = asyncio.timeout_at(end)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise late() from error.__cause__


def overdue(doing: str, label: str) -> TransportTimeoutError:
    """Say as an error that time was up, and that no task came of it."""
    return TransportTimeoutError(f"the deadline passed while {doing}.", endpoint=label, sent=False)


async def permitted(gate: Gate, patience: float, permit: Permit, label: str) -> int | None:
    """Enter a gate, as `Gate.enter` says, and note that a request leaves; raise where its time is up first."""

    def late() -> A2EError:
        permit.missed = True
        return overdue(SUBMITTING, label)

    async with in_time(None if permit.until == inf else permit.until, late):
        permit.left = 0.0
        ticket = await gate.enter(patience, label)
    if ticket is not None:
        if _now() >= permit.until or time.time() >= permit.lapse:  # it was withdrawn meanwhile
            gate.leave(ticket)
            raise late()
        permit.left = _now()
    return ticket


def _now() -> float:
    return asyncio.get_running_loop().time()
