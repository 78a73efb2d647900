"""Shows live on stderr what is under way: drawn by rich on a terminal, in a notebook as HTML, else as sparse lines."""

import asyncio
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

from a2e_async._saying import Counts, Rows, say

_TICK, _PAUSE, _RAREST, _SHARE = 0.2, 1.0, 30.0, 0.05
_WHILE = 60.0


class Display(Protocol):
    """Shows rows where there are any, else counts, and a note; `close` leaves the terminal as it was."""

    def give(self, text: str) -> None:
        """Write a line to stdout."""
        ...

    def show(self, counts: Counts, note: str = "", rows: Rows = ()) -> None:
        """Show them at once, or not at all if it is too soon."""
        ...

    def close(self, counts: Counts, note: str = "", rows: Rows = ()) -> None:
        """Show them for the last time."""
        ...


@asynccontextmanager
async def progress(
    counts: Callable[[], Counts],
    total: int | None = None,
    note: Callable[[], str] = str,
    rows: Callable[[], Rows] = tuple,
    *,
    redirect: bool = False,
) -> AsyncGenerator[Display]:
    """Show what there is while the block runs. It is sampled, so ten thousand jobs cost what ten do.

    `total` is the number of jobs, where it is known from the start; `note` says what else there is to tell. With
    `redirect`, what is printed meanwhile to the same terminal appears above it.
    """
    display = _display(total, redirect=redirect)
    ticker = asyncio.create_task(_tick(display, counts, note, rows))
    try:
        yield display
    finally:
        ticker.cancel()
        await asyncio.wait([ticker])
        display.close(counts(), note(), rows())


async def _tick(
    display: Display, counts: Callable[[], Counts], note: Callable[[], str], rows: Callable[[], Rows]
) -> None:
    while True:
        display.show(counts(), note(), rows())
        await asyncio.sleep(_TICK)


def _display(total: int | None, *, redirect: bool) -> Display:
    # Where it is not loaded, this is no notebook.
    if hasattr(getattr(sys.modules.get("IPython"), "get_ipython", object)(), "kernel"):
        from a2e_async._notebook import Page  # noqa: PLC0415 - of use in a notebook alone

        return Page()
    if sys.stderr.isatty():
        try:
            from a2e_async._bars import Bars, fit  # noqa: PLC0415 - an extra, and of use on a terminal alone
        except ImportError:
            pass
        else:
            if fit():
                return Bars(total, redirect=redirect)
    return Lines()


class Lines:
    """One line for each change: of rows at once, of counts one a second, and one in half a minute as work goes on."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._last: dict[str, int] = {}
        self._words: dict[str, str] = {}
        self._next = 0.0

    def give(self, text: str) -> None:
        """Write a line to stdout."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def show(self, counts: Counts, note: str = "", rows: Rows = ()) -> None:
        """Write the rows that moved, else the counts if they changed and the last line is old enough."""
        if rows:
            self._follow(rows)
        elif time.monotonic() >= self._next:
            self.close(counts, note)

    def close(self, counts: Counts, note: str = "", rows: Rows = ()) -> None:
        """Write the rows that moved, else the counts if they changed."""
        if rows:
            self._follow(rows)
            return
        if counts == self._last or not any(counts.values()):
            return
        now = time.monotonic()
        elapsed = now - self._began
        self._last, self._next = dict(counts), now + min(_RAREST, max(_PAUSE, elapsed * _SHARE))
        text = "  ".join([*(f"{name} {count}" for name, count in counts.items()), note])
        say(f"{elapsed:6.1f} s  {text}".rstrip())

    def _follow(self, rows: Rows) -> None:
        for row in rows:
            if self._words.get(row.label) != row.word:
                self._words[row.label] = row.word
                say(f"{time.monotonic() - self._began:6.1f} s  {row.label}  {row.word}  {row.text}".rstrip())


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
