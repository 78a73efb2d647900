"""A loop with real sockets whose time jumps to the next timer as soon as nothing is under way any more."""

import asyncio
import selectors
import threading
from collections.abc import Callable
from typing import Any

MOMENT = 0.001
"""Real seconds in which what one end of a local connection has written reaches the other."""
PATIENCE = 20.0
"""Real seconds for which a thread may be at work."""


class _Leap(selectors.DefaultSelector):
    loop: "LeapingLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        loop, ready = self.loop, super().select(0)
        if ready:
            return ready
        if loop.busy or timeout is None:
            loop.turn.set()
            ready = super().select(PATIENCE)
            loop.turn.clear()
            assert ready, "nothing happens on this loop any more"
        elif timeout:
            ready = super().select(loop.moment)
            if not ready:
                loop.now += timeout
                loop.leapt(timeout)
        return ready


class LeapingLoop(asyncio.SelectorEventLoop):
    """Both ends of each connection must be on it.

    While `busy` threads are waited for, no time passes, and nothing is done. Those that heed `turn` work only then, so
    that the same is done in the same order each time.
    """

    def __init__(self, leapt: Callable[[float], None] = lambda _seconds: None) -> None:
        self.now, self.leapt, self.moment = 1000.0, leapt, MOMENT
        self.turn = threading.Event()
        self._busy, self._lock = 0, threading.Lock()
        selector = _Leap()
        selector.loop = self
        super().__init__(selector)

    @property
    def busy(self) -> bool:
        return self._busy > 0

    def count(self, threads: int) -> None:
        """Note that so many threads more, or fewer, are waited for."""
        with self._lock:
            self._busy += threads

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        def counted() -> Any:
            try:
                return func(*args)
            finally:
                self.count(-1)

        self.count(1)
        return super().run_in_executor(executor, counted)

    async def shutdown_default_executor(self, *limits: Any) -> None:
        self.moment = PATIENCE  # its threads may have to end
        await super().shutdown_default_executor(*limits)
