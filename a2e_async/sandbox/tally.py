"""An account's tasks by state, counted and listed without loading them all."""

from math import inf

import msgspec

from a2e_async.sandbox.clock import Clock
from a2e_async.sandbox.life import Task
from a2e_async.sandbox.store import Store, Value

_COLUMNS = ", ".join(Task.__struct_fields__)
_ROWS = list[tuple[str, int, str, int, int, int, int, int, int, str, float, str, str, str]]
# What `Task.state` says of a moment, in the words of SQL.
_STATE = """CASE WHEN ends <= ?1 THEN iif(failure = '', 'completed', 'failed') WHEN processing <= ?1 THEN 'processing'
 WHEN pending <= ?1 THEN 'pending' WHEN sent <= ?1 THEN 'sent' ELSE 'initialized' END"""
_NEXT = """CASE WHEN processing <= ?1 THEN ends WHEN pending <= ?1 THEN min(processing, ends)
 WHEN sent <= ?1 THEN min(pending, ends) ELSE min(sent, ends) END"""


class Count(msgspec.Struct, frozen=True, order=True):
    """How many tasks of a noun are in a state."""

    kind: str
    state: str
    count: int


class Tally:
    """Looks at the tasks of one account as they are at this moment of its clock."""

    def __init__(self, store: Store, account: int, clock: Clock) -> None:
        self._store, self._account, self._clock = store, account, clock

    def counts(self) -> list[Count]:
        """Return how many there are of each kind and state."""
        # Two questions: an index alone answers the one about the many that have ended.
        moment = (self._clock.now(), self._account)
        ended = "SELECT noun, sum(failure = ''), sum(failure <> '') FROM tasks WHERE account = ?2 AND ends <= ?1"
        running = f"SELECT noun, {_STATE} AS state, count(*) FROM tasks WHERE account = ?2 AND ends > ?1"
        with self._store.transaction():
            over = msgspec.convert(self._store.rows(f"{ended} GROUP BY noun", *moment), list[tuple[str, int, int]])
            rest = self._store.rows(f"{running} GROUP BY noun, state", *moment)
        found = [Count(kind, "completed", good) for kind, good, _ in over]
        found += [Count(kind, "failed", bad) for kind, _, bad in over]
        found += [Count(*row) for row in msgspec.convert(rest, list[tuple[str, str, int]])]
        return sorted(count for count in found if count.count)

    def newest(self, last: int, *, kind: str = "", state: str = "", text: str = "") -> list[Task]:
        """Return the newest so many, oldest first; `text` is looked for in ids and in what they were started with."""
        # By rowid, which follows the order of starts and needs neither a sort nor an index of its own.
        where = f"""+account = ?2 AND (?3 = '' OR noun = ?3) AND (?4 = '' OR {_STATE} = ?4)
            AND (?5 = '' OR instr(id || lower(fields), lower(?5))) ORDER BY rowid DESC LIMIT ?6"""
        found = read_tasks(self._store, where, self._clock.now(), self._account, kind, state, text, last)
        return found[::-1]

    def next_change(self, since: int) -> float:
        """Return the real seconds until the first change of a state by time alone after a moment; infinite if none."""
        row = self._store.row(f"SELECT min({_NEXT}) FROM tasks WHERE account = ?2 AND ends > ?1", since, self._account)
        [at] = msgspec.convert(row, tuple[int | None])
        return inf if at is None else self._clock.until(at)


def read_tasks(store: Store, where: str, *values: Value) -> list[Task]:
    """Return the tasks that meet a condition, in its order."""
    rows = store.rows(f"SELECT {_COLUMNS} FROM tasks WHERE {where}", *values)
    return [Task(*row) for row in msgspec.convert(rows, _ROWS)]
