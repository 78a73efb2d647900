"""What a batch may still spend: coins are set aside before each submission, and settled by what it really cost."""

import asyncio
from collections import deque

import msgspec

from a2e_async.errors import BudgetExceededError

_REMEMBERED = 64
_CAUTION = 2.0


class WaitingError(BudgetExceededError):
    """There is no room for now, as others have no answer yet, which may turn out cheaper."""


class Hold(msgspec.Struct):
    """Coins set aside for one submission."""

    price: float
    cost: float | None = 0.0
    """What it cost: 0 where nothing was started, None where nobody knows."""
    silent: bool = False
    """The service took it, and did not say what it cost."""
    waited: bool = False
    """There was no room at first."""


class Budget:
    """Keeps ``spent`` within ``limit`` coins, though prices move while submissions are under way.

    What has no answer yet counts twice, so a price may double meanwhile; near the limit they therefore go one by
    one. Quotes that turned out too low are taken for as much more from then on. Where nothing tells a price
    beforehand, the first goes alone.
    """

    def __init__(self, limit: float | None, spent: float) -> None:
        self.limit = limit
        self.spent = spent
        """Coins that tasks cost, and those of submissions whose outcome is not known."""
        self.reserved = 0.0
        """Coins set aside for submissions under way."""
        self._open = 0
        self._blind = False
        self._seen: deque[float] = deque(maxlen=_REMEMBERED)
        self._rises: deque[float] = deque([1.0], maxlen=_REMEMBERED)
        self._changed = asyncio.Event()

    async def reserve(self, quoted: float | None) -> Hold:
        """Set aside the price of one submission; raise BudgetExceededError if it does not fit.

        Waits while others without an answer may yet turn out cheaper.
        """
        waited = False
        while True:
            price = max(self._seen, default=None) if quoted is None else quoted
            most = price if price is None or quoted is None else price * max(self._rises)
            if self._fits(most):
                break
            if not self._open:
                raise self._exceeded(most)
            waited = True
            await self._changed.wait()
        hold = Hold(price or 0.0, waited=waited)
        self._open += 1
        self.reserved += hold.price
        return hold

    def settle(self, hold: Hold) -> None:
        """Count what a submission cost."""
        self.spent += hold.price if hold.cost is None else hold.cost
        self._open -= 1
        self.reserved = self.reserved - hold.price if self._open else 0.0
        self._blind = self._blind or hold.silent
        if hold.cost:
            self.learn(hold.cost)
            self._rises.append(max(1.0, hold.cost / hold.price) if hold.price else 1.0)
        self._changed.set()
        self._changed = asyncio.Event()

    def learn(self, cost: float | None) -> None:
        """Remember what one cost, for where prices are not quoted."""
        if cost:
            self._seen.append(cost)

    def correct(self, coins: float) -> None:
        """Add to what was spent, or give back: a refund, or an outcome that became known."""
        self.spent += coins

    def _fits(self, most: float | None) -> bool:
        if self.limit is None:
            return True
        rest = self.limit - self.spent
        if most is None:
            return not self._open and not self._blind and rest > 0
        if not self._open:
            return most <= rest
        return max(_CAUTION, *self._rises) * self.reserved + _CAUTION * most <= rest

    def _exceeded(self, most: float | None) -> BudgetExceededError:
        if self._blind and most is None:
            return BudgetExceededError(
                f"max_coins={self.limit:g} cannot be kept: the service neither quotes this kind nor says what it cost."
            )
        need = "" if most is None else f", and the next job may cost {most:g}"
        return BudgetExceededError(
            f"{self.spent:g} of max_coins={self.limit:g} are spent{need}. Raise max_coins and run again to continue."
        )
