"""Time as one account sees it: real, scaled, stepped by hand, or moving on with every poll."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from functools import partial

import msgspec

_FORMS = 'a clock is "real", "scaled:FACTOR", "stepped" or "per-poll:SECONDS"'


class ClockSpec(msgspec.Struct, frozen=True):
    """How fast an account's time runs beside real time, and how many seconds each status read adds."""

    rate: float = 1.0
    step: float = 0.0

    @classmethod
    def parse(cls, text: str) -> "ClockSpec":
        """Read `real`, `scaled:20`, `stepped` or `per-poll:5`; ValueError names the forms."""
        kind, _, value = text.partition(":")
        try:
            amount = float(value or 0)
        except ValueError:
            raise ValueError(_FORMS) from None
        specs = {
            ("real", False): cls(),
            ("scaled", True): cls(rate=amount),
            ("stepped", False): cls(rate=0),
            ("per-poll", True): cls(rate=0, step=amount),
        }
        spec = specs.get((kind, bool(value)))
        if spec is None or not 0 <= amount < float("inf"):
            raise ValueError(_FORMS)
        return spec


class Clock:
    """A clock of one account in milliseconds since 1970; it starts at real time and never goes back."""

    __slots__ = ("_listeners", "anchor", "real", "spec")

    def __init__(self, spec: ClockSpec, anchor: int, real: int) -> None:
        self.spec, self.anchor, self.real = spec, anchor, real
        self._listeners: set[Callable[[], object]] = set()

    def now(self) -> int:
        """Return the account's present in milliseconds."""
        return self.anchor + int(max(0, real_now() - self.real) * self.spec.rate)

    def advance(self, seconds: float) -> None:
        """Jump ahead, whatever the kind of clock; ValueError for a step back."""
        if not 0 <= seconds < float("inf"):
            raise ValueError("time only moves forward")
        self.anchor += round(seconds * 1000)
        for tell in tuple(self._listeners):
            tell()

    async def reached(self, at: int) -> None:
        """Return when that moment has come, be it by time or by a jump in whatever thread."""
        jumped = asyncio.Event()
        tell = partial(asyncio.get_running_loop().call_soon_threadsafe, jumped.set)
        self._listeners.add(tell)
        try:
            while (left := at - self.now()) > 0:
                jumped.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left / 1000 / self.spec.rate if self.spec.rate else None):
                        await jumped.wait()
        finally:
            self._listeners.discard(tell)


def real_now() -> int:
    """Return real time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
