"""One account of the sandbox: its coins, tasks, clock, faults and request log."""

from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple

import msgspec
from msgspec.structs import astuple

from a2e_async.sandbox.bank import Bank, Charge
from a2e_async.sandbox.clock import Clock, ClockSpec
from a2e_async.sandbox.draws import object_id
from a2e_async.sandbox.faults import Rule, Rules
from a2e_async.sandbox.journal import Callback, Entry, Journal
from a2e_async.sandbox.life import Task, phases
from a2e_async.sandbox.news import News
from a2e_async.sandbox.prices import NOUNS
from a2e_async.sandbox.store import Store, Value
from a2e_async.sandbox.tally import Tally, read_tasks
from a2e_async.sandbox.wire import Refusal, to_text

LABEL = "account-"
_LONGEST_LAG = 10 * 366 * 24 * 3600
_FARTHEST = 2**62
"""A row that no table has; SQLite takes no number that is much larger."""
_RUNNING = frozenset({"sent", "pending", "processing"})


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """A task about to be started: what it costs, how long it runs (seconds) and how it will end.

    What is priced `in_diamonds` is paid with them as long as there are any; `coins` is their worth.
    """

    noun: str
    coins: float
    span: tuple[float, float]
    fields: dict[str, object]
    inputs: Sequence[str]
    suffix: str
    failure: str = ""
    in_diamonds: bool = False


class Document(msgspec.Struct, frozen=True):
    """A record that is no task, such as a saved face; `created` is milliseconds of the account's clock."""

    id: str
    created: int
    fields: dict[str, object]


class _Lag(NamedTuple):
    beyond: int
    """The ordinal of the newest task that is shown whatever its age."""
    milliseconds: int


class Account:
    """What belongs to one API key; any thread may call it."""

    def __init__(self, store: Store, id_: int, user_id: str, seed: int, clock: Clock, log: Journal) -> None:
        self.id, self.user_id, self.seed, self.clock = id_, user_id, seed, clock
        self.label = f"{LABEL}{id_}"
        """What it is called in paths and on the dashboard, where its key is not told."""
        self.webhooks: list[Callback] = []
        """The callbacks that were due so far, oldest first. Not kept in the database, nor are those still to come."""
        self.news = News()
        """Tells what has changed: tasks, ledger, requests, webhooks, faults or clock."""
        self.faults = Rules(self.news, seed, user_id)
        """What goes wrong for this account."""
        self.bank = Bank(store, id_, clock, self.news)
        """Books coins; `coins` and `ledger` show what came of it."""
        self.tally = Tally(store, id_, clock)
        """Counts tasks by their states."""
        self._store, self._log = store, log
        self._prices: dict[str, float] = {}
        self._lag: _Lag | None = None

    @property
    def rules(self) -> list[Rule]:
        """The rules of its faults, in the order of their making."""
        return self.faults.all

    @property
    def coins(self) -> float:
        """The balance, refunds of tasks that have failed by now included."""
        return self.bank.balance()[0]

    @property
    def ledger(self) -> list[Charge]:
        """Every grant, charge and refund, oldest first."""
        return self.bank.ledger()

    @property
    def tasks(self) -> list[Task]:
        """Every task that was not removed, oldest first; `state(account.clock.now())` tells how one is."""
        return self._tasks("account = ? ORDER BY ordinal", self.id)

    @property
    def requests(self) -> list[Entry]:
        """The requests of this account that reached the server, oldest first, refused ones included.

        The latest hundred thousand of all accounts are kept, fewer if they take more than 64 MiB.
        """
        return self._log.of(self.label)

    def newest_requests(self, last: int, text: str = "", status: str = "") -> list[Entry]:
        """Return the newest so many, oldest first, that hold a text and whose status begins with some digits."""
        return self._log.newest(self.label, last, text, status)

    def request(self, number: int) -> Entry | None:
        """Return the request with a number, unless it is no longer kept."""
        return self._log.find(self.label, number)

    def fault(self, rule: Rule) -> Rule:
        """Let a rule act on this account's requests from now on; its `hits` count what it matched.

        ValueError for one that acts already, for whatever account.
        """
        return self.faults.add(rule)

    def grant(self, coins: float) -> None:
        """Give coins; ValueError for what is no amount."""
        if not 0 < coins < inf:
            raise ValueError("coins must be a number greater than 0")
        self.bank.book(self.clock.now(), coins, "grant")

    def drain(self) -> None:
        """Take all coins; the ledger says `fault`."""
        with self._store.transaction():
            self.bank.book(self.clock.now(), -self.coins, "fault")

    def price(self, kind: str, coins: float | None) -> None:
        """Let tasks of a kind, such as `face_swap`, cost this much from now on; None: the usual price.

        Quotes follow. ValueError for an unknown kind and for what is no price. Not kept in the database.
        """
        noun = NOUNS.get(kind)
        if not noun:
            raise ValueError(f"kind must be one of {', '.join(NOUNS)}")
        if coins is None:
            self._prices.pop(noun, None)
        elif 0 <= coins < inf:
            self._prices[noun] = coins
        else:
            raise ValueError("coins must be a number that is not negative")

    def cost(self, noun: str, usual: float) -> float:
        """Return what a task of a noun costs now that would usually cost so much."""
        return self._prices.get(noun, usual)

    def lag(self, seconds: float) -> None:
        """Show tasks started from now on that late in details and lists, counted by the account's clock.

        They start, are charged for and run at once nevertheless; older ones are shown. Not kept in the database.
        """
        if not 0 <= seconds <= _LONGEST_LAG:
            raise ValueError("seconds must be a span of time, of ten years at most")
        newest = msgspec.convert(self._store.row("SELECT ordinal FROM accounts WHERE id = ?", self.id), tuple[int])[0]
        self._lag = _Lag(newest, round(seconds * 1000)) if seconds else None

    def advance(self, seconds: float) -> None:
        """Move this account's clock ahead, whatever its kind."""
        with self._store.transaction():
            self.clock.advance(seconds)
            self._keep_time()

    def pace(self, rate: float, *, step: float = 0.0) -> None:
        """Let this account's time go on from now at `rate` times real time; 0 stops it.

        Each status read adds `step` seconds to it. Kept in the database. ValueError for a rate or step below 0, a rate
        above a million and a step of more than a year.
        """
        with self._store.transaction():
            self.clock.pace(ClockSpec(rate, step))
            self._keep_time()

    def polled(self) -> None:
        """Let a per-poll clock move on, as each status read does."""
        if self.clock.spec.step:
            self.advance(self.clock.spec.step)

    def start(self, draft: Draft) -> Task:
        """Create a task and charge for it, both or neither; Refusal when the coins do not suffice."""
        with self._store.transaction():
            task = self._make(draft)
            if draft.in_diamonds:
                self.bank.redeem(task.coins)
            self.bank.charge(task.coins, "charge", task.id)
            owed = task.coins if task.failure else 0
            values = (*astuple(task), owed)
            self._store.change(f"INSERT INTO tasks VALUES ({_marks(len(values))})", *values)
        self.news.tell("tasks")
        return task

    def start_all(self, drafts: Iterable[Draft]) -> list[Task]:
        """Create several tasks and charge for them, all or none."""
        with self._store.transaction():
            return [self.start(draft) for draft in drafts]

    def restart(self, task: Task, coins: float, span: tuple[float, float], *, in_diamonds: bool = False) -> Task:
        """Let a task that has ended run once more, to a good end, and charge for it, both or neither."""
        with self._store.transaction():
            self.bank.balance()  # pays back what a failed run is owed, before that is forgotten
            now, ordinal, coins = self.clock.now(), self._next_ordinal(), self.cost(task.noun, coins)
            times = phases(now, span, self.seed, self.user_id, ordinal)
            sql = "UPDATE tasks SET sent = ?, pending = ?, processing = ?, ends = ?, failure = '', coins = ?"
            self._store.change(f"{sql} WHERE id = ?", *times, coins, task.id)
            if in_diamonds:
                self.bank.redeem(coins)
            self.bank.charge(coins, "charge", task.id)
        self.news.tell("tasks")
        return self._tasks("id = ?", task.id)[0]

    def find(self, noun: str, *ids: str) -> list[Task]:
        """Return the tasks of a noun with these ids, newest first; unknown ones are absent."""
        # Without the plus signs SQLite would walk all tasks of the noun instead of looking up the ids.
        shown, values = self._shown()
        where = f"id IN ({_marks(len(ids))}) AND +account = ? AND +noun = ?{shown} ORDER BY ordinal DESC"
        return self._tasks(where, *ids, self.id, noun, *values)

    def page(self, noun: str, number: int, size: int, *others: str) -> tuple[list[Task], int]:
        """Return one page of the tasks of one or more nouns, newest first, and how many there are in all."""
        shown, late = self._shown()
        where, values = f"account = ? AND noun IN ({_marks(1 + len(others))}){shown}", (self.id, noun, *others, *late)
        count = self._store.row(f"SELECT count(*) FROM tasks WHERE {where}", *values)
        window = (size, min((number - 1) * size, _FARTHEST))
        tasks = self._tasks(f"{where} ORDER BY ordinal DESC LIMIT ? OFFSET ?", *values, *window)
        return tasks, msgspec.convert(count, tuple[int])[0]

    def running(self, noun: str) -> list[Task]:
        """Return the tasks of a noun that have not ended, newest first."""
        shown, values = self._shown()
        where = f"account = ? AND noun = ? AND ends > ?{shown} ORDER BY ordinal DESC"
        return self._tasks(where, self.id, noun, self.clock.now(), *values)

    def busy(self, noun: str) -> bool:
        """Tell whether a task of a noun has not ended, shown or not."""
        sql = "SELECT 1 FROM tasks WHERE account = ? AND noun = ? AND ends > ? LIMIT 1"
        return self._store.row(sql, self.id, noun, self.clock.now()) is not None

    def holds(self, task: Task) -> bool:
        """Tell whether a task was not removed, shown or not."""
        return self._store.row("SELECT 1 FROM tasks WHERE id = ?", task.id) is not None

    def remove(self, task: Task) -> None:
        """Delete a task: one still `initialized` is refunded, a running one is refused."""
        with self._store.transaction():
            now = self.clock.now()
            state = task.state(now)
            if state in _RUNNING:
                raise Refusal(f"a task that is {state} cannot be deleted")
            self.bank.balance()
            gone = self._store.change("DELETE FROM tasks WHERE id = ?", task.id)
            if gone and state == "initialized":
                self.bank.book(now, task.coins, "refund", task.id)
        self.news.tell("tasks")

    def save(self, noun: str, fields: dict[str, object], *, coins: float = 0) -> Document:
        """Keep a record that is no task and charge for it, both or neither."""
        with self._store.transaction():
            ordinal, now = self._next_ordinal(), self.clock.now()
            saved = Document(self._new_id(now, ordinal), now, fields)
            values = (saved.id, self.id, noun, ordinal, now, to_text(fields))
            self._store.change("INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)", *values)
            if coins:
                self.bank.charge(coins, "charge", saved.id)
        return saved

    def amend(self, record: Task | Document, fields: dict[str, object], *, refund: float = 0) -> None:
        """Replace the fields of a record and pay back what is to be refunded, both or neither."""
        table = "tasks" if isinstance(record, Task) else "documents"
        with self._store.transaction():
            self._store.change(f"UPDATE {table} SET fields = ? WHERE id = ?", to_text(fields), record.id)
            self.bank.book(self.clock.now(), refund, "refund", record.id)
        self.news.tell("tasks")

    def saved(self, noun: str) -> list[Document]:
        """Return the records of a noun that are no tasks, newest first."""
        sql = "SELECT id, created, fields FROM documents WHERE account = ? AND noun = ? ORDER BY ordinal DESC"
        found = msgspec.convert(self._store.rows(sql, self.id, noun), list[tuple[str, int, str]])
        return [Document(id_, at, msgspec.json.decode(text, type=dict[str, object])) for id_, at, text in found]

    def discard(self, noun: str, id_: str) -> bool:
        """Delete a record that is no task; False if there was none."""
        sql = "DELETE FROM documents WHERE account = ? AND noun = ? AND id = ?"
        return self._store.change(sql, self.id, noun, id_) > 0

    def _keep_time(self) -> None:
        sql = "UPDATE accounts SET rate = ?, step = ?, anchor = ?, real = ? WHERE id = ?"
        self._store.change(sql, *self.clock.record, self.id)
        self.news.tell("clock", "tasks", "ledger")

    def _make(self, draft: Draft) -> Task:
        ordinal, now = self._next_ordinal(), self.clock.now()
        times = phases(now, draft.span, self.seed, self.user_id, ordinal)
        return Task(
            self._new_id(now, ordinal), self.id, draft.noun, ordinal, now, *times,
            draft.failure, self.cost(draft.noun, draft.coins),
            to_text(draft.fields), to_text(draft.inputs), draft.suffix,
        )  # fmt: skip

    def _new_id(self, now: int, ordinal: int) -> str:
        return object_id(now, self.seed, self.user_id, ordinal)

    def _next_ordinal(self) -> int:
        self._store.change("UPDATE accounts SET ordinal = ordinal + 1 WHERE id = ?", self.id)
        found = self._store.row("SELECT ordinal FROM accounts WHERE id = ?", self.id)
        return msgspec.convert(found, tuple[int])[0]

    def _shown(self) -> tuple[str, tuple[Value, ...]]:
        """Return what details and lists add to the condition on tasks while they lag, with its values."""
        if not self._lag:
            return "", ()
        latest = self.clock.now() - self._lag.milliseconds
        return " AND (ordinal <= ? OR created <= ?)", (self._lag.beyond, latest)

    def _tasks(self, where: str, *values: Value) -> list[Task]:
        return read_tasks(self._store, where, *values)


def _marks(count: int) -> str:
    return ", ".join("?" * count)
