"""Jobs as rows of a journal and of procrastinate's queue, written together."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

try:
    from procrastinate import App, PsycopgConnector
except ImportError as error:
    raise ImportError("this needs psycopg and procrastinate: pip install 'a2e-async[postgres]'") from error

from a2e_async._course import drafted
from a2e_async._submit import Draft
from a2e_async._wire import blueprint, media_of, refuse
from a2e_async.errors import RequestError
from a2e_async.integrations._database import Db
from a2e_async.jobs import Jobs, items
from a2e_async.tasks import Task, TaskKind

TAKE = "a2e.take"
"""The task of procrastinate's that submits a job."""
_AT_ONCE = 500
# Made to defer on connections of ours; it has none of its own.
_deferrer = App(connector=PsycopgConnector())


async def chunks(kind: TaskKind[..., Task], jobs: Jobs) -> AsyncGenerator[list[Draft]]:
    """Yield the jobs of an input, some at a time; RequestError for the first that no worker could send."""
    found: dict[str, Draft] = {}
    async with aclosing(items(jobs, kind.start)) as source:
        async for item in source:
            if isinstance(item.request, RequestError):
                raise item.request
            plan, label = blueprint(type(item.request)), kind.start.label
            if refuse(item.request, plan, label):
                local = (
                    name for name in plan.media if not all(isinstance(v, str) for v in media_of(item.request, name))
                )
                text = "is a local file, which a worker elsewhere does not have: upload it first, and give its URL."
                raise RequestError(text, field=plan.names[next(local)], endpoint=label)
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
        await defer(db, queue, batch, [key for key in keys if key in new])
    return len(new)


async def defer(db: Db, queue: str, batch: int, keys: list[str]) -> None:
    """Hand out jobs of a batch."""
    if keys:
        deferrer = _deferrer.configure_task(TAKE, queue=queue, connection=db)
        await deferrer.batch_defer_async(*(cast("Any", {"batch": batch, "key": key}) for key in keys))


def queue_of(account: bytes) -> str:
    """Return the queue of an account: a worker must not spend another's coins."""
    return f"a2e-{account.hex()}"


def _used(key: str) -> RequestError:
    return RequestError(f"{key!r} was used before, for another input: give this job a key of its own.", field="key")
