"""The gate: how much one session asks of the service at once and in a second, and the brake that all of it shares."""

import asyncio

from a2e_async.config import Limiter
from a2e_async.errors import TransportError

SLACK = 0.1
"""Seconds of unused rate that may be made up for, so that late timers do not lower the average."""


class Pace:
    """Spaces what passes on one event loop: ``rate`` a second on average, first come, first served."""

    def __init__(self, rate: float) -> None:
        self._step = 1 / rate
        self._next = float("-inf")
        self._turn = asyncio.Lock()

    async def acquire(self) -> None:
        """Wait until the next may pass; a cancelled wait uses nothing up."""
        async with self._turn:
            if (pause := self.pause()) > 0:
                await asyncio.sleep(pause)
            self.take()

    def pause(self) -> float:
        """Return the seconds until the next may pass, 0 or less if it may now."""
        return self._next - asyncio.get_running_loop().time()

    def take(self) -> None:
        """Count one that passes now."""
        self._next = max(self._next, asyncio.get_running_loop().time() - SLACK) + self._step


class Gate:
    """Bounds the requests under way on one event loop; one 429 holds everyone back, not only who met it.

    After such a brake, requests begin again one at a time. Each that ends otherwise than by a 429 makes room for one
    more until half of the former room is reached, from there on a whole round of them does.
    """

    def __init__(self, concurrency: int, rate: float | None = None, limiter: Limiter | None = None) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._pace, self._limiter = None if rate is None else Pace(rate), limiter
        self._slow = rate is not None or limiter is not None
        self._most, self._half, self._window = concurrency, concurrency / 2, float(concurrency)
        self._open_at = 0.0
        self._brakes = self._busy = self._waiting = 0
        self._turn, self._room = asyncio.Lock(), asyncio.Event()

    async def enter(self, patience: float = float("inf"), label: str = "") -> int | None:
        """Wait to be let in, first come, first served; return the ticket to leave with.

        None, without being let in, if a brake will last for more than ``patience`` seconds. Raises `TransportError`,
        which names the endpoint ``label``, if the limiter fails.
        """
        await self._slots.acquire()
        shut = self._waiting or self._open_at or self._slow or self._busy >= self._window
        if shut and not await self._wait(patience, label):
            return None
        self._busy += 1
        return self._brakes

    async def _wait(self, patience: float, label: str) -> bool:
        self._waiting += 1
        opened = False
        try:
            # Only the first in the queue looks, and it enters as it looks: nothing is ever handed to someone who
            # may be gone, nor to someone who would miss a brake.
            async with self._turn:
                opened = await self._opening(patience, label)
        finally:
            self._waiting -= 1
            if not opened:
                self._slots.release()
        return opened

    async def _opening(self, patience: float, label: str) -> bool:
        limiter = self._limiter
        while True:
            pause = self.braked()
            if pause > patience:
                return False
            if self._pace:
                pause = max(pause, self._pace.pause())
            if pause > 0:
                await asyncio.sleep(pause)
            elif self._busy >= self._window:
                self._room.clear()
                await self._room.wait()
            elif limiter is not None:
                # Last, and by the first in the queue alone: of what others could use, at most one is held through a
                # brake that comes meanwhile, or lost to a cancellation.
                await _ask(limiter, label)
                limiter = None
            else:
                break
        if self._pace:
            self._pace.take()
        return True

    def leave(self, ticket: int) -> None:
        """Make room for others; a 429 has to be told by ``brake`` first."""
        self._slots.release()
        # Those from before a brake are no part of what has begun since, or one slow request would keep all out.
        if ticket == self._brakes:
            self._busy -= 1
            self.widen(ticket)

    def widen(self, ticket: int) -> None:
        """Let more in after what is not a 429, unless the request was under way before the last brake."""
        if self._window < self._most and ticket == self._brakes:
            self._window += 1 if self._window < self._half else 1 / self._window
            self._room.set()

    def brake(self, seconds: float, ticket: int | None = None) -> None:
        """Hold everyone back, and begin again with one, unless an earlier 429 of the same burst saw to that.

        Without a ticket it is about a 429 that was met elsewhere: a brake that is on is of the same burst.
        """
        fresh = not self.braked() if ticket is None else ticket == self._brakes
        self.hold(seconds)
        if fresh:
            self._brakes += 1
            self._half, self._window = self._window / 2, 1.0
            self._busy = 0
            self._room.set()

    def hold(self, seconds: float) -> None:
        """Let nobody in for so long; a longer pause that is already on stays."""
        self._open_at = max(self._open_at, asyncio.get_running_loop().time() + seconds)

    def braked(self) -> float:
        """Return the seconds for which nobody is let in, 0 if there is no brake on."""
        if self._open_at and (pause := self._open_at - asyncio.get_running_loop().time()) > 0:
            return pause
        self._open_at = 0.0
        return 0.0


async def _ask(limiter: Limiter, label: str) -> None:
    try:
        granted = await limiter.acquire(1)
    except Exception as error:
        text = f"not sent: Limits.limiter failed ({type(error).__name__}: {error}). See to it, or do without it."
        raise TransportError(text, endpoint=label, sent=False) from error
    if granted is False:
        raise TransportError("not sent: Limits.limiter grants nothing.", endpoint=label, sent=False)
