"""How the work of several machines stands, read from the database that they share."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any, LiteralString, NamedTuple

from a2e_async._rows import Phase
from a2e_async.integrations._database import Database

ALIVE = 30.0
"""Seconds since its last heartbeat within which a worker counts as alive."""
_BATCHES: LiteralString = """
SELECT b.id, b.kind, b.name, extract(epoch FROM b.created)::float8, b.spent::float8, b.max_coins::float8,
    coalesce(json_object_agg(c.phase, c.jobs) FILTER (WHERE c.phase IS NOT NULL), '{}'),
    max(c.age) FILTER (WHERE c.phase IN ('new', 'sending', 'sent')), coalesce(sum(c.dead), 0)::int
FROM a2e_batches b LEFT JOIN (
    SELECT batch, phase, count(*) AS jobs, extract(epoch FROM clock_timestamp() - min(intended))::float8 AS age,
        count(*) FILTER (WHERE phase IN ('failed', 'uncertain') OR reason <> '') AS dead
    FROM a2e_jobs GROUP BY batch, phase) c ON c.batch = b.id
GROUP BY b.id ORDER BY b.id"""
_QUEUE: LiteralString = """
SELECT count(*) FILTER (WHERE status = 'todo'), count(*) FILTER (WHERE status = 'doing') FROM procrastinate_jobs
WHERE status IN ('todo', 'doing')"""
_WORKERS: LiteralString = """
SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat > now() - %s * interval '1 second'"""
_BRAKES: LiteralString = """
SELECT coalesce(max(extract(epoch FROM until - clock_timestamp())), 0)::float8 FROM a2e_brakes
WHERE until > clock_timestamp()"""

# The lock of `postgres_watch`, as pg_locks shows it: in two halves.
_LEADERS: LiteralString = """
SELECT b.kind, concat(host(a.client_addr), ':', a.client_port) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
JOIN (SELECT DISTINCT kind, account FROM a2e_batches) b
    ON hashtextextended(b.kind || ' ' || encode(b.account, 'hex'), 0) = (l.classid::bigint << 32 | l.objid::bigint)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND a.datname = current_database() ORDER BY 1, 2"""


class Standing(NamedTuple):
    """One batch."""

    id: int
    kind: str
    name: str
    created: float
    """Seconds since 1970."""
    coins: float
    """Coins spent, and set aside for what is not certain."""
    max_coins: float | None
    counts: Mapping[str, int]
    """Jobs by phase, each phase."""
    oldest: float | None
    """Seconds since the oldest job without an end was written down, or sent; None where all have ended."""
    dead: int
    """Jobs that will go no further by themselves."""


class Status(NamedTuple):
    """All that the machines share."""

    batches: list[Standing]
    waiting: int
    """Jobs in the queue that no worker has taken up."""
    running: int
    """Jobs that a worker has taken up."""
    workers: int
    """Workers whose heartbeat was seen within `ALIVE` seconds."""
    brake: float
    """Seconds for which nobody sends anything, as the service asked for; 0 without such a pause."""
    leaders: list[tuple[str, str]]
    """Which process watches all tasks, by kind, and by its address as the database sees it."""


async def read_status(dsn: str) -> Status:
    """Return how everything stands; raise `JournalError` where the database cannot be used or has no tables."""
    async with aclosing(await Database(dsn).open()) as database:
        rows = await database.rows(_BATCHES)
        [(waiting, running)] = await database.rows(_QUEUE)
        [(workers,)] = await database.rows(_WORKERS, (ALIVE,))
        [(brake,)] = await database.rows(_BRAKES)
        leaders = await database.rows(_LEADERS)
    found = [(kind, address) for kind, address in leaders]
    return Status([_standing(row) for row in rows], waiting, running, workers, brake, found)


def _standing(row: tuple[Any, ...]) -> Standing:
    number, kind, name, created, coins, most, counts, oldest, dead = row
    counts = {phase.value: 0 for phase in Phase} | counts
    return Standing(number, kind, name, created, coins, most, counts, oldest, dead)
