"""Time as one account sees it: real, scaled, stepped by hand, or moving on with every poll."""

import asyncio
import contextlib
import time
from math import inf

import msgspec

from a2e_async.sandbox.news import News

_FASTEST, _YEAR = 1_000_000, 366 * 24 * 3600
"""The highest rate, and the longest jump in seconds: no slip of a finger leads past the last date there is."""
_FORMS = 'a clock is "real", "scaled:FACTOR", "stepped" or "per-poll:SECONDS", a year or a million at most'


class ClockSpec(msgspec.Struct, frozen=True):
    """How fast an account's time runs beside real time, and how many seconds each status read adds."""

    rate: float = 1.0
    step: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what would soon lead past the last date there is."""
        if not (0 <= self.rate <= _FASTEST and 0 <= self.step <= _YEAR):
            raise ValueError(f"rate must be within 0..{_FASTEST:,} and step within 0..{_YEAR:,} seconds")

    @classmethod
    def parse(cls, text: str) -> "ClockSpec":
        """Read `real`, `scaled:20`, `stepped` or `per-poll:5`; ValueError names the forms."""
        kind, _, value = text.partition(":")
        try:
            amount = float(value or 0)
            match kind, bool(value):
                case "real", False:
                    return cls()
                case "scaled", True:
                    return cls(rate=amount)
                case "stepped", False:
                    return cls(rate=0)
                case "per-poll", True:
                    return cls(rate=0, step=amount)
                case _:
                    raise ValueError
        except ValueError:
            raise ValueError(_FORMS) from None


class Clock:
    """A clock of one account in milliseconds since 1970; it starts at real time and never goes back."""

    __slots__ = ("_jumps", "_state")

    def __init__(self, spec: ClockSpec, anchor: int, real: int) -> None:
        # One attribute, so that a thread that asks for the time sees all of a change or nothing.
        self._state = (spec, anchor, real)
        self._jumps = News()

    @property
    def spec(self) -> ClockSpec:
        """How it runs now."""
        return self._state[0]

    @property
    def record(self) -> tuple[float, float, int, int]:
        """What the database keeps of it: rate, step, and its moment at a real moment."""
        spec, anchor, real = self._state
        return spec.rate, spec.step, anchor, real

    def now(self) -> int:
        """Return the account's present in milliseconds."""
        spec, anchor, real = self._state
        return anchor + int(max(0, real_now() - real) * spec.rate)

    def advance(self, seconds: float) -> None:
        """Jump ahead, whatever the kind of clock; ValueError for a step back, and for more than a year."""
        if not 0 <= seconds <= _YEAR:
            raise ValueError("time only moves forward, by a year at most")
        spec, anchor, real = self._state
        self._set(spec, anchor + round(seconds * 1000), real)

    def pace(self, spec: ClockSpec) -> None:
        """Go on from the present moment in another way."""
        self._set(spec, self.now(), real_now())

    def until(self, at: int) -> float:
        """Return the real seconds until that moment, infinite if only a jump leads there."""
        left, rate = at - self.now(), self.spec.rate
        if left <= 0:
            return 0.0
        return left / 1000 / rate if rate else inf

    async def reached(self, at: int) -> None:
        """Return when that moment has come, be it by time or by a jump in whatever thread."""
        jumped = asyncio.Event()
        with self._jumps.heard_by(lambda _: jumped.set()):
            while self.now() < at:
                jumped.clear()
                left = self.until(at)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(left if left < inf else None):
                        await jumped.wait()

    def _set(self, spec: ClockSpec, anchor: int, real: int) -> None:
        self._state = (spec, anchor, real)
        self._jumps.tell("clock")


def real_now() -> int:
    """Return real time in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
