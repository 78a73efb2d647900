"""Jobs that no worker goes on with, and what may be done about them."""

from typing import Any, NamedTuple

from a2e_async._frozen import Refusal, revive
from a2e_async._rows import Phase
from a2e_async.errors import ModerationError, RequestError
from a2e_async.integrations._database import Database, Db
from a2e_async.integrations._queue import defer, queue_of
from a2e_async.tasks import KINDS
from a2e_async.watcher import failure

_DEAD = """SELECT kind, name, key, phase, reason, task_id, record, failure, batch, account FROM a2e_jobs j
    JOIN a2e_batches b ON b.id = batch WHERE (phase IN ('failed', 'uncertain') OR reason <> '')"""


class Dead(NamedTuple):
    """A job that no worker goes on with."""

    kind: str
    name: str
    """The batch's."""
    key: str
    phase: Phase
    why: str
    task_id: str
    """'' if none is known."""
    final: bool
    """Whether it was moderation, which nothing repeats."""


async def dead(database: Database) -> list[Dead]:
    """List the jobs that no worker goes on with: failed, uncertain, or given up; the oldest first."""
    return [_dead(row) for row in await database.rows(_DEAD + " ORDER BY j.id")]


def _dead(row: tuple[Any, ...]) -> Dead:
    kind, name, key, phase, why, task_id, record, refusal, *_ = row
    final = bool(refusal)
    if refusal:
        why = Refusal.read(refusal).message
    elif record and phase == Phase.FAILED:
        error = failure(KINDS[kind], revive(KINDS[kind], record))
        why, final = error.message, isinstance(error, ModerationError)
    return Dead(kind, name, key, Phase(phase), why or "nothing could tell what became of it", task_id, final)


async def retry(database: Database, kind: str, key: str, *, name: str = "") -> None:
    """Hand a dead job out once more; one that is uncertain may so be paid twice. What moderation refused stays refused.

    Raises `RequestError` where there is no such dead job.
    """
    await _revive(database, kind, key, name, "new", "", ("new", "sending", "failed", "uncertain"))


async def adopt(database: Database, kind: str, key: str, task_id: str, *, name: str = "") -> None:
    """Say which task an uncertain job became, so that it is watched to its end; raises as `retry` does."""
    await _revive(database, kind, key, name, "sent", task_id, ("sending", "uncertain"))


async def _revive(  # noqa: PLR0913, PLR0917 - which one, and what of it
    database: Database, kind: str, key: str, name: str, to: str, task_id: str, phases: tuple[str, ...]
) -> None:
    async def change(db: Db) -> None:
        async with db.transaction():
            where = " AND kind = %s AND name = %s AND key = %s FOR UPDATE OF j"
            row = await (await db.execute(_DEAD + where, (kind, name, key))).fetchone()
            if row is None or row[3] not in phases:
                raise RequestError(f"{key!r} is no dead job of the {kind} batch {name!r} of which that can be said.")
            if _dead(row).final:
                raise RequestError(f"{key!r} was refused by moderation, which is final: change the input.")
            update = """UPDATE a2e_jobs SET
                phase = CASE WHEN phase = 'sending' AND %(to)s = 'new' THEN phase ELSE %(to)s END,
                lost = lost + CASE WHEN phase = 'uncertain' AND %(to)s = 'new' THEN price ELSE 0 END,
                task_id = %(task)s, reason = '', fence = DEFAULT WHERE batch = %(batch)s AND key = %(key)s"""
            await db.execute(update, {"to": to, "task": task_id, "batch": row[-2], "key": key})
            await defer(db, queue_of(row[-1]), row[-2], [key] if to == "new" else [])

    await database.do(change)
