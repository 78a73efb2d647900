"""Live counts of jobs by state on stderr: drawn by rich on a terminal, else a line when they changed."""

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from a2e_async.cli._terminal import say

Counts = Mapping[str, int]
"""Jobs by the name of their state, in the order to be shown."""

_TICK, _PAUSE = 0.2, 1.0


class Display(Protocol):
    """Shows counts; `close` shows the last ones and leaves the terminal as it was."""

    def show(self, counts: Counts) -> None:
        """Show counts at once, or not at all if it is too soon."""
        ...

    def close(self, counts: Counts) -> None:
        """Show the last counts."""
        ...


@asynccontextmanager
async def progress(counts: Callable[[], Counts], total: int | None = None) -> AsyncGenerator[None]:
    """Show the counts while the block runs. They are sampled, so ten thousand jobs cost what ten do.

    `total` is the number of jobs, where it is known from the start.
    """
    display = _display(total)
    ticker = asyncio.create_task(_tick(display, counts))
    try:
        yield
    finally:
        ticker.cancel()
        await asyncio.wait([ticker])
        display.close(counts())


async def _tick(display: Display, counts: Callable[[], Counts]) -> None:
    while True:
        display.show(counts())
        await asyncio.sleep(_TICK)


def _display(total: int | None) -> Display:
    if sys.stderr.isatty():
        try:
            from a2e_async.cli._rich import Bars
        except ImportError:
            pass
        else:
            return Bars(total)
    return Lines()


class Lines:
    """One line for each change, at most one a second."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last: dict[str, int] = {}
        self._next = 0.0

    def show(self, counts: Counts) -> None:
        """Write the counts if they changed and the last line is old enough."""
        if time.monotonic() >= self._next:
            self.close(counts)

    def close(self, counts: Counts) -> None:
        """Write the counts if they changed."""
        if counts == self._last or not any(counts.values()):
            return
        now = time.monotonic()
        self._last, self._next = dict(counts), now + _PAUSE
        text = "  ".join(f"{name} {count}" for name, count in counts.items())
        say(f"{now - self._began:6.1f} s  {text}")
