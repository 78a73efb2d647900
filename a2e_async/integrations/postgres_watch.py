"""Tasks of many workers, watched by one of them for all, and followed by anybody without asking the service."""

import asyncio
import json
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager
from hashlib import sha256
from itertools import chain
from types import TracebackType
from typing import Any, Self, TypeVar, cast

from a2e_async._deadline import in_time
from a2e_async._endpoint import Caller
from a2e_async._frozen import Refusal, revive
from a2e_async._ledger import account_of
from a2e_async._rows import Entry, Phase
from a2e_async._submit import uncertain
from a2e_async._surely import outlast
from a2e_async.errors import A2EError, ModerationError
from a2e_async.integrations._database import Database, Db
from a2e_async.integrations.postgres import PostgresJournal
from a2e_async.integrations.postgres_limits import AGAIN, hearing, lasting, log
from a2e_async.session import A2ESession
from a2e_async.tasks import Task, TaskKind, TaskState, amount
from a2e_async.watcher import TaskWatcher, failure, timed_out

__all__ = ["SharedJobs", "shared_watch"]

TaskT = TypeVar("TaskT", bound=Task)

MOST = 50_000
"""Tasks watched at once, those submitted first; the others are as soon as there is room."""
_TICK, _RESCAN, _ANEW = 0.25, 10.0, 60.0
_LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
# The server is to find out as well, or a machine that is cut off would lead for hours.
_NOTICED = "SET tcp_keepalives_idle = 3; SET tcp_keepalives_interval = 1; SET tcp_user_timeout = 5000"
_SENT = """
SELECT j.id, j.task_id, j.state FROM a2e_jobs j JOIN a2e_batches b ON b.id = j.batch
WHERE b.kind = %(kind)s AND b.account = %(account)s AND j.phase = 'sent'"""
_FIRST = " ORDER BY j.id LIMIT %(most)s"
_NOTE = """
UPDATE a2e_jobs j SET state = coalesce(nullif(v.state, ''), j.state), record = coalesce(v.record, j.record),
    reason = v.reason, phase = CASE WHEN v.final THEN v.state ELSE j.phase END,
    coins = CASE v.state WHEN 'failed' THEN 0 ELSE coalesce(v.coins, j.coins) END,
    ended = CASE WHEN v.final THEN clock_timestamp() END,
    fence = CASE WHEN v.final THEN gen_random_uuid()::text ELSE j.fence END
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bool[], %s::float8[], %s::bytea[], %s::text[])
    AS v(id, task_id, state, final, coins, record, reason)
WHERE j.id = v.id AND j.task_id = v.task_id AND j.phase = 'sent'"""


async def shared_watch(a2e: A2ESession, dsn: str, kind: TaskKind[..., Any]) -> None:
    """Watch all submitted tasks of a kind in the database, in one of the workers that run this, until it is cancelled.

    The others wait for their turn, and take over within seconds when that worker dies or is cut off; its connection,
    by which alone it writes, is what it leads by. Each state, the end included, is noted in the job's row. Raises
    `JournalError` if the database cannot be used at first.
    """
    await (await Database(dsn).enter()).close()
    await lasting(_Watch(a2e, Database(dsn), kind).work)


class _Watch:
    def __init__(self, a2e: A2ESession, database: Database, kind: TaskKind[..., Any]) -> None:
        self._a2e, self._database, self._kind = a2e, database, kind
        self._watched: dict[str, asyncio.Task[None]] = {}  # by task, as a job may become another one
        self._news: dict[str, tuple[Any, ...]] = {}

    async def work(self) -> None:
        async with await self._database.enter(_NOTICED) as db:
            account = self._database.hashed(account_of(self._a2e.config))
            # Asked for again and again: to wait inside PostgreSQL would keep it from vacuuming for as long.
            while (await (await db.execute(_LOCK, (f"{self._kind.name} {account.hex()}",))).fetchone()) == (False,):  # noqa: ASYNC110 - as above
                await asyncio.sleep(AGAIN)
            log.info("This process watches all tasks of %s.", self._kind.name)
            try:
                await db.execute("LISTEN a2e_jobs")
                await self._lead(db, {"kind": self._kind.name, "account": account, "most": MOST})
            finally:
                for task in self._watched.values():
                    task.cancel()
                await outlast(asyncio.gather(*self._watched.values(), return_exceptions=True))
                self._watched.clear()

    async def _lead(self, db: Db, values: dict[str, Any]) -> None:
        loop, due = asyncio.get_running_loop(), 0.0
        self._news.clear()
        while True:
            if (everything := loop.time() >= due) or (values.get("ids") and len(self._watched) < MOST):
                rows = await db.execute(_SENT + (_FIRST if everything else " AND j.id = ANY(%(ids)s)"), values)
                due = loop.time() + _RESCAN if everything else due
                for job, task_id, state in await rows.fetchall():
                    if len(self._watched) < MOST and task_id not in self._watched and task_id not in self._news:
                        follow = self._follow(job, task_id, state)
                        self._watched[task_id] = asyncio.create_task(follow, name="a2e-shared-watch")
            notes = [json.loads(note.payload) async for note in db.notifies(timeout=_TICK)]
            values["ids"] = [note["job"] for note in notes if note["phase"] == "sent"]
            if self._news:
                news, self._news = self._news, {}
                await db.execute(_NOTE, [list(column) for column in zip(*news.values(), strict=True)])

    async def _follow(self, job: int, task_id: str, state: str) -> None:
        watcher = self._a2e.watch(self._kind, task_id)
        if state:
            watcher.skip(TaskState(state))
        try:
            async for change in watcher:
                if (new := change.state) is not TaskState.UNKNOWN:
                    seen = (new.value, new.final, amount(change.task.coins), change.task.to_json(), "")
                    self._news[task_id] = (job, task_id, *seen)
        except A2EError as error:
            self._news[task_id] = (job, task_id, "", False, None, None, str(error).replace("\0", " "))
            await asyncio.sleep(_ANEW)
        finally:
            self._watched.pop(task_id, None)


class SharedJobs:
    """Jobs in the database, of whatever worker, followed without asking the service: `watch` them by their keys.

    Use it with ``async with``: one connection listens for all that is followed in this process. States come from the
    worker whose `shared_watch` has its turn.
    """

    def __init__(self, dsn: str) -> None:
        self._database = Database(dsn)
        self._followed: dict[tuple[int, str], set[asyncio.Event]] = {}

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._database.open()
            stack.push_async_callback(self._database.aclose)
            await stack.enter_async_context(hearing(self._database, "LISTEN a2e_changes", self._heard, self._missed))
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    def watch(
        self, kind: TaskKind[..., TaskT], key: str, *, batch: str = "", deadline: float | None = None
    ) -> TaskWatcher[TaskT]:
        """Follow a job of a batch, also one that is still to be submitted: iterate, or await its finished task.

        As `A2ESession.watch`, but for states that the database holds. Awaiting raises besides `ModerationError` for
        what was refused, and `SubmissionUncertainError` for what nobody can tell.
        """
        return _Follower(self, kind, batch, key, deadline)

    async def journal(self, kind: str, batch: str) -> PostgresJournal:
        """Return a batch as soon as there is one."""
        sql = "SELECT id FROM a2e_batches WHERE kind = %s AND name = %s"
        while not (rows := await self._database.rows(sql, (kind, batch))):  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(AGAIN)
        return PostgresJournal(self._database, rows[0][0])

    @contextmanager
    def told(self, batch: int, key: str) -> Generator[asyncio.Event]:
        """Give out what is set whenever there may be news of a job."""
        job, event = (batch, sha256(key.encode()).hexdigest()), asyncio.Event()
        events = self._followed.setdefault(job, set())
        events.add(event)
        try:
            yield event
        finally:
            events.discard(event)
            if not events:
                self._followed.pop(job, None)

    def _heard(self, text: str) -> None:
        batch, key = json.loads(text)
        for event in self._followed.get((batch, key), ()):
            event.set()

    async def _missed(self, _: Db) -> None:
        for event in chain.from_iterable(self._followed.values()):
            event.set()


class _Follower(TaskWatcher[TaskT]):
    __slots__ = ("_batch", "_jobs", "_key")

    def __init__(
        self, jobs: SharedJobs, kind: TaskKind[..., TaskT], batch: str, key: str, deadline: float | None
    ) -> None:
        super().__init__(cast("Caller", jobs), kind, "", deadline=deadline)
        self._jobs, self._batch, self._key = jobs, batch, key

    async def _result(self, *, final_only: bool = True) -> TaskT:
        self._end = self._end or asyncio.get_running_loop().time() + self._patience
        async with in_time(self._end, lambda: timed_out(self._kind, self.task_id, self.task, self._patience)):
            task = await self._awaited(final_only=final_only)
        if final_only:
            self._state = task.state
            if task.state is TaskState.FAILED:
                raise failure(self._kind, task)
        return task

    async def _awaited(self, *, final_only: bool) -> TaskT:
        journal = await self._jobs.journal(self._kind.name, self._batch)
        with self._jobs.told(journal.batch, self._key) as event:
            while True:
                event.clear()
                entry = await journal.find(self._key)
                task = None if entry is None else self._read(entry)
                if task is not None and self._is_news(task, final_only):
                    return task
                await event.wait()

    def _read(self, entry: Entry) -> TaskT | None:
        label = self._kind.start.label
        self.task_id = entry.task_id
        if entry.phase == Phase.UNCERTAIN:
            raise uncertain(entry, label, "nothing could tell what became of it")
        if entry.phase in {Phase.SENT, Phase.DONE, Phase.FAILED} and entry.record:
            return revive(self._kind, entry.record)
        if entry.phase == Phase.FAILED:
            found = Refusal.read(entry.failure)
            raise ModerationError(found.message, http_status=found.http_status, code=found.code, endpoint=label)
        return None
