"""Live counts of jobs by state on stderr: drawn by rich on a terminal, else a line when they changed."""

import asyncio
import os
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from a2e_async.cli._terminal import give, say

Counts = Mapping[str, int]
"""Jobs by the name of their state, in the order to be shown."""

_TICK, _PAUSE, _RAREST, _SHARE = 0.2, 1.0, 30.0, 0.05
_WHILE = 60.0


class Display(Protocol):
    """Shows counts and a note; `close` shows the last ones and leaves the terminal as it was."""

    def give(self, data: object) -> None:
        """Write data to stdout, as `a2e_async.cli._terminal.give` does."""
        ...

    def show(self, counts: Counts, note: str = "") -> None:
        """Show counts at once, or not at all if it is too soon."""
        ...

    def close(self, counts: Counts, note: str = "") -> None:
        """Show the last counts."""
        ...


@asynccontextmanager
async def progress(
    counts: Callable[[], Counts], total: int | None = None, note: Callable[[], str] = str
) -> AsyncGenerator[Display]:
    """Show the counts while the block runs. They are sampled, so ten thousand jobs cost what ten do.

    `total` is the number of jobs, where it is known from the start; `note` says what else there is to tell.
    """
    display = _display(total)
    ticker = asyncio.create_task(_tick(display, counts, note))
    try:
        yield display
    finally:
        ticker.cancel()
        await asyncio.wait([ticker])
        display.close(counts(), note())


async def _tick(display: Display, counts: Callable[[], Counts], note: Callable[[], str]) -> None:
    while True:
        display.show(counts(), note())
        await asyncio.sleep(_TICK)


def _display(total: int | None) -> Display:
    if sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        try:
            from a2e_async.cli._rich import Bars
        except ImportError:
            pass
        else:
            return Bars(total)
    return Lines()


class Lines:
    """One line for each change: at most one a second, and one in half a minute as the work goes on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last: dict[str, int] = {}
        self._next = 0.0

    def give(self, data: object) -> None:
        """Write data to stdout."""
        give(data)

    def show(self, counts: Counts, note: str = "") -> None:
        """Write the counts if they changed and the last line is old enough."""
        if time.monotonic() >= self._next:
            self.close(counts, note)

    def close(self, counts: Counts, note: str = "") -> None:
        """Write the counts if they changed."""
        if counts == self._last or not any(counts.values()):
            return
        now = time.monotonic()
        elapsed = now - self._began
        self._last, self._next = dict(counts), now + min(_RAREST, max(_PAUSE, elapsed * _SHARE))
        text = "  ".join([*(f"{name} {count}" for name, count in counts.items()), note])
        say(f"{elapsed:6.1f} s  {text}".rstrip())


class Pace:
    """How fast jobs have ended in the last minute, and how long the rest will take."""

    def __init__(self) -> None:
        self._seen = deque([(time.monotonic(), 0)])

    def text(self, ended: int, left: int | None) -> str:
        """Say it of `ended` jobs, of which more follow with each call, and of those left, if known; '' so far."""
        now = time.monotonic()
        self._seen.append((now, ended))
        while self._seen[1][0] <= now - _WHILE:
            self._seen.popleft()
        then, before = self._seen[0]
        if ended == before or now == then:
            return ""
        a_minute = 60 * (ended - before) / (now - then)
        rate = f"{a_minute:.{0 if a_minute > 10 else 1}f} a minute"
        return f"{rate}, {span(60 * left / a_minute)} left" if left else rate


def span(seconds: float) -> str:
    """Write a time so that people grasp it."""
    if seconds < 100:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
