"""What a batch may still spend: coins are set aside before each submission, and settled by what it really cost."""

import asyncio
from collections import deque

from a2e_async.errors import BudgetExceededError

_REMEMBERED = 64
_CAUTION = 2.0


class Budget:
    """Keeps ``spent`` within ``limit`` coins, though prices move while submissions are under way.

    What has no answer yet counts twice, so a price may double meanwhile; near the limit they therefore go one by
    one. Where nothing tells a price beforehand, the first goes alone.
    """

    def __init__(self, limit: float | None, spent: float) -> None:
        self.limit = limit
        self.spent = spent
        """Coins that tasks cost, and those of submissions whose outcome is not known."""
        self._open = 0
        self._reserved = 0.0
        self._blind = False
        self._seen: deque[float] = deque(maxlen=_REMEMBERED)
        self._changed = asyncio.Condition()

    async def reserve(self, quoted: float | None) -> float:
        """Set aside the price of one submission and return it; raise BudgetExceededError if it does not fit.

        Waits while others without an answer may yet turn out cheaper.
        """
        if self.limit is None:
            return 0.0
        async with self._changed:
            while True:
                price = max(self._seen, default=None) if quoted is None else quoted
                if self._fits(price, self.limit - self.spent):
                    break
                if not self._open:
                    raise self._exceeded(price)
                await self._changed.wait()
            self._open += 1
            self._reserved += price or 0.0
        return price or 0.0

    async def settle(self, reserved: float, cost: float | None) -> None:
        """Count what a submission cost, once it is answered; None where the service does not tell, 0 if refused."""
        self.spent += reserved if cost is None else cost
        if self.limit is None:
            return
        async with self._changed:
            self._open -= 1
            self._reserved -= reserved
            if cost:
                self._seen.append(cost)
            self._blind = cost is None and not reserved
            self._changed.notify_all()

    def correct(self, coins: float) -> None:
        """Add to what was spent, or give back: a refund, or an outcome that became known."""
        self.spent += coins

    def _fits(self, price: float | None, rest: float) -> bool:
        if price is None:
            return not self._open and not self._blind and rest > 0
        return price <= rest if not self._open else _CAUTION * (self._reserved + price) <= rest

    def _exceeded(self, price: float | None) -> BudgetExceededError:
        if self._blind:
            return BudgetExceededError(
                f"max_coins={self.limit:g} cannot be kept: the service neither quotes this kind nor says what it cost."
            )
        need = "" if price is None else f", and the next job costs {price:g}"
        return BudgetExceededError(
            f"{self.spent:g} of max_coins={self.limit:g} are spent{need}. Raise max_coins and run again to continue."
        )
