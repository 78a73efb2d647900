"""Coins of one account: a balance, and a ledger that proves what was paid, once."""

from math import ceil

import msgspec

from a2e_async.sandbox.clock import Clock
from a2e_async.sandbox.news import News
from a2e_async.sandbox.prices import COINS_PER_DIAMOND
from a2e_async.sandbox.store import Store
from a2e_async.sandbox.wire import Refusal


class Charge(msgspec.Struct, frozen=True):
    """One line of the ledger; `at` is milliseconds of the account's clock, a negative delta was spent."""

    id: int
    at: int
    delta: float
    balance: float
    reason: str
    task: str


class Bank:
    """The coins of one account; every method is a transaction, or joins the caller's."""

    def __init__(self, store: Store, account: int, clock: Clock, news: News) -> None:
        self._store, self._account, self._clock, self._news = store, account, clock, news

    def balance(self) -> tuple[float, int]:
        """Return coins and diamonds, refunds of tasks that have failed by now included."""
        with self._store.transaction():
            self._settle()
            found = self._store.row("SELECT coins, diamonds FROM accounts WHERE id = ?", self._account)
        return msgspec.convert(found, tuple[float, int])

    def ledger(self, last: int = -1) -> list[Charge]:
        """Return every line or the newest so many, oldest first."""
        sql = "SELECT id, at, delta, balance, reason, task FROM ledger WHERE account = ? ORDER BY id DESC LIMIT ?"
        with self._store.transaction():
            self._settle()
            rows = msgspec.convert(self._store.rows(sql, self._account, last), _LINES)
        return [Charge(*row) for row in reversed(rows)]

    def charge(self, coins: float, reason: str, task: str = "") -> None:
        """Take coins; Refusal, and nothing taken, when there are too few."""
        with self._store.transaction():
            if coins > (left := self.balance()[0]):
                raise Refusal(f"insufficient credits: this needs {coins:g} coins, the account has {left:g}")
            self.book(self._clock.now(), -coins, reason, task)

    def book(self, at: int, delta: float, reason: str, task: str = "") -> None:
        """Write one line and change the balance with it; a line of nothing is left out."""
        if not delta:
            return
        with self._store.transaction():
            self._store.change("UPDATE accounts SET coins = coins + ? WHERE id = ?", delta, self._account)
            self._store.change(
                "INSERT INTO ledger(account, at, delta, balance, reason, task)"
                " SELECT id, ?, ?, coins, ?, ? FROM accounts WHERE id = ?",
                *(at, delta, reason, task, self._account),
            )
        self._news.tell("ledger")

    def exchange(self, diamonds: int) -> None:
        """Buy diamonds for coins, which cannot be undone."""
        with self._store.transaction():
            self.charge(diamonds * COINS_PER_DIAMOND, "exchange")
            self._store.change("UPDATE accounts SET diamonds = diamonds + ? WHERE id = ?", diamonds, self._account)

    def redeem(self, coins: float) -> None:
        """Turn diamonds into coins to pay that much with, as many as are needed and there are."""
        with self._store.transaction():
            diamonds = min(self.balance()[1], ceil(coins / COINS_PER_DIAMOND))
            self._store.change("UPDATE accounts SET diamonds = diamonds - ? WHERE id = ?", diamonds, self._account)
            self.book(self._clock.now(), diamonds * COINS_PER_DIAMOND, "diamonds")

    def _settle(self) -> None:
        due = (self._account, self._clock.now())
        where = "WHERE account = ? AND owed > 0 AND ends <= ?"
        rows = self._store.rows(f"SELECT ends, owed, id FROM tasks {where} ORDER BY ends", *due)
        if rows:
            self._store.change(f"UPDATE tasks SET owed = 0 {where}", *due)
        for ends, coins, task in msgspec.convert(rows, list[tuple[int, float, str]]):
            self.book(ends, coins, "refund", task)


_LINES = list[tuple[int, int, float, float, str, str]]
