"""Jobs as rows of a journal and of procrastinate's queue, written together; and those that no worker goes on with."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, NamedTuple, cast

try:
    from procrastinate import App, PsycopgConnector
except ImportError as error:
    raise ImportError("this needs psycopg and procrastinate: pip install 'a2e-async[postgres]'") from error

from a2e_async._course import drafted
from a2e_async._frozen import Refusal, revive
from a2e_async._rows import Phase
from a2e_async._submit import Draft
from a2e_async._wire import blueprint, media_of
from a2e_async.errors import ModerationError, RequestError
from a2e_async.integrations._database import Database, Db
from a2e_async.jobs import Jobs, items
from a2e_async.tasks import KINDS, Task, TaskKind
from a2e_async.watcher import failure

TAKE = "a2e.take"
"""The task of procrastinate's that submits a job."""
_AT_ONCE = 500
# Made to defer on connections of ours; it has none of its own.
_deferrer = App(connector=PsycopgConnector())
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
            await _defer(db, queue_of(row[-1]), row[-2], [key] if to == "new" else [])

    await database.do(change)


async def chunks(kind: TaskKind[..., Task], jobs: Jobs) -> AsyncGenerator[list[Draft]]:
    """Yield the jobs of an input, some at a time; RequestError for the first that no worker could send."""
    found: dict[str, Draft] = {}
    async with aclosing(items(jobs, kind.start)) as source:
        async for item in source:
            if isinstance(item.request, RequestError):
                raise item.request
            for field in blueprint(type(item.request)).media:
                if any(not isinstance(value, str) for value in media_of(item.request, field)):
                    text = "is a local file, which a worker elsewhere does not have: upload it first, and give its URL."
                    raise RequestError(text, field=field, endpoint=kind.start.label)
            draft = drafted(item, item.request)
            if found.setdefault(draft.key, draft).digest != draft.digest:
                raise _used(draft.key)
            if len(found) == _AT_ONCE:
                yield list(found.values())
                found = {}
    if found:
        yield list(found.values())


async def write(queue: str, batch: int, drafts: list[Draft], db: Db) -> int:
    """Write jobs down and hand out those that are new, all or none; return how many those are."""
    keys = [draft.key for draft in drafts]
    digests, frozen = [draft.digest for draft in drafts], [draft.frozen for draft in drafts]
    async with db.transaction():
        await db.execute("SET LOCAL idle_in_transaction_session_timeout = '20s'")
        # What was refused, or failed, may be mended.
        insert = """INSERT INTO a2e_jobs AS j(batch, key, digest, request, phase)
            SELECT %s, k, d, r, 'new' FROM unnest(%s::text[], %s::bytea[], %s::bytea[]) AS t(k, d, r) ORDER BY k
            ON CONFLICT(batch, key) DO UPDATE SET digest = excluded.digest, request = excluded.request, phase = 'new',
            reason = '', fence = excluded.fence WHERE j.digest <> excluded.digest
            AND (j.phase = 'failed' OR j.phase = 'new' AND j.reason <> '') RETURNING key"""
        fresh = await (await db.execute(insert, (batch, keys, digests, frozen))).fetchall()
        other = """SELECT key FROM a2e_jobs JOIN unnest(%s::text[], %s::bytea[]) AS t(k, d) ON batch = %s AND key = k
            WHERE digest <> d LIMIT 1"""
        if odd := await (await db.execute(other, (keys, digests, batch))).fetchone():
            raise _used(odd[0])
        new = {key for (key,) in fresh}
        await _defer(db, queue, batch, [key for key in keys if key in new])
    return len(new)


async def _defer(db: Db, queue: str, batch: int, keys: list[str]) -> None:
    if keys:
        deferrer = _deferrer.configure_task(TAKE, queue=queue, connection=db)
        await deferrer.batch_defer_async(*(cast("Any", {"batch": batch, "key": key}) for key in keys))


def queue_of(account: bytes) -> str:
    """Return the queue of an account: a worker must not spend another's coins."""
    return f"a2e-{account.hex()}"


def _used(key: str) -> RequestError:
    return RequestError(f"{key!r} was used before, for another input: give this job a key of its own.", field="key")
