"""Jobs for workers on many machines, each paid for once: procrastinate hands them out, the journal says what is paid.

A worker submits a job and is done with it; one of the workers watches what all have submitted. Inputs have to be URLs:
a local file is on one machine only.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial
from random import uniform
from types import TracebackType
from typing import Any, NamedTuple, Self

try:
    from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision
    from procrastinate.exceptions import ConnectorException
    from procrastinate.jobs import Job
    from procrastinate.manager import JobManager
except ImportError as error:
    raise ImportError("this needs psycopg and procrastinate: pip install 'a2e-async[postgres]'") from error

from a2e_async._ledger import account_of
from a2e_async._reconcile import Reconciler
from a2e_async._retry import waits
from a2e_async._rows import Entry
from a2e_async._surely import end, outlast, surely
from a2e_async.errors import JournalError, RequestError
from a2e_async.integrations._database import AGAIN, PASSING, Database
from a2e_async.integrations._dead import Dead, adopt, dead, retry
from a2e_async.integrations._desk import Desk, LaterError
from a2e_async.integrations._queue import TAKE, chunks, queue_of, write
from a2e_async.integrations.postgres import PostgresJournal
from a2e_async.integrations.postgres_limits import lasting, shared_brake
from a2e_async.integrations.postgres_watch import shared_watch
from a2e_async.jobs import Jobs
from a2e_async.session import A2ESession
from a2e_async.tasks import KINDS, Task, TaskKind

__all__ = ["Dead", "Engine", "Submitted", "adopt", "dead", "retry"]

HEARTBEAT, STALE = 2.0, 8.0
"""Seconds between a worker's signs of life, and without one until others take over what it had."""
_SWEEP = "* * * * * */5"  # the seconds stand last
_FAREWELL = 5.0
_PAUSE = 1.0
_LONGEST = 300.0
_log = logging.getLogger("a2e_async")


class Submitted(NamedTuple):
    """What came of an input."""

    batch: int
    """Number of the batch in the database."""
    new: int
    """Jobs handed out now."""
    known: int
    """Jobs that were known from before, and left alone."""


class _Patience(BaseRetryStrategy):
    # No number of tries ends a job: it is on the list of the dead, or it goes on.
    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if isinstance(exception, asyncio.CancelledError):  # its worker is leaving
            return RetryDecision(retry_in={"seconds": 0})
        if not isinstance(exception, LaterError | JournalError | ConnectorException):
            return None
        longest = min(2.0 ** min(job.attempts, 10), _LONGEST)
        return RetryDecision(retry_in={"milliseconds": int(1000 * uniform(longest / 2, longest))})  # noqa: S311 - no secret


class _Manager(JobManager):
    async def finish_job(self, *args: Any, **more: Any) -> None:
        await _noted(partial(super().finish_job, *args, **more))

    async def retry_job(self, *args: Any, **more: Any) -> None:
        await _noted(partial(super().retry_job, *args, **more))


async def _noted(note: Callable[[], Awaitable[None]]) -> None:
    # What cannot be noted for long goes with the name of this worker, which it loses, too; then it is swept up.
    loop = asyncio.get_running_loop()
    end = loop.time() + STALE
    for pause in waits(AGAIN):
        try:
            return await note()
        except ConnectorException as error:
            # Or it was noted before, or by another.
            if not isinstance(error.__cause__, PASSING) or loop.time() >= end:
                break
        await asyncio.sleep(pause)
    return None


class Engine:
    """Hands out jobs, and submits those of its session's account: ``async with Engine(dsn, a2e) as engine``.

    In a web app it belongs into the lifespan, with ``concurrency`` jobs taken up at once there, or 0 where workers of
    their own do that (`a2e worker`). Leaving it waits a few seconds for answers under way; what has none is looked for
    by another worker. Raises `JournalError` where the database cannot be used, or has no tables (`a2e migrate`).
    """

    def __init__(self, dsn: str, a2e: A2ESession, *, concurrency: int = 0) -> None:
        self.database, self._a2e, self._concurrency = Database(dsn), a2e, concurrency
        self._desks: dict[int, Desk] = {}
        self._reconcilers: dict[str, Reconciler[Any]] = {}
        self._account, self._queue = b"", ""
        self._working: asyncio.Task[None] | None = None
        self._leaving = False

    async def __aenter__(self) -> Self:
        await self.database.open()
        self._account = self.database.hashed(account_of(self._a2e.config))
        self._queue = queue_of(self._account)
        if self._concurrency:
            self._working = asyncio.create_task(self.work(self._concurrency), name="a2e-worker")
            self._working.add_done_callback(_told)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        working, self._working = self._working, None
        try:
            if working is not None:
                working.cancel()
                await outlast(working)
                with suppress(asyncio.CancelledError):
                    working.result()
        finally:
            await surely(self.database.aclose())

    async def submit_many(
        self,
        kind: TaskKind[..., Task],
        jobs: Jobs,
        *,
        name: str = "",
        max_coins: float | None = None,
        rekey: bool = False,
    ) -> Submitted:
        """Hand out jobs, the same ones once however often this is called; they are in the database when it returns.

        ``jobs``, ``name``, ``rekey`` and keys are as `A2ESession.batch` and `Batch.run` have them. ``max_coins``: what
        all workers together may spend on this batch, earlier jobs included; it stays until it is given anew. Raises
        `RequestError` for what no worker could send, local files among it; the jobs before it are handed out.
        """
        if max_coins is not None and not max_coins >= 0:
            raise RequestError(f"must not be negative, as {max_coins!r} is.", field="max_coins")
        batch = await self.database.enrol(kind.name, name, account_of(self._a2e.config), rekey=rekey)
        if max_coins is not None:
            await self.database.rows("UPDATE a2e_batches SET max_coins = %s WHERE id = %s", (max_coins, batch))
        if rekey:
            move = """UPDATE procrastinate_jobs SET queue_name = %s
                WHERE status = 'todo' AND task_name = %s AND (args->>'batch')::bigint = %s"""
            await self.database.rows(move, (self._queue, TAKE, batch))
        new = total = 0
        async with aclosing(chunks(kind, jobs)) as found:
            async for drafts in found:
                new += await self.database.do(partial(write, self._queue, batch, drafts))
                total += len(drafts)
        return Submitted(batch, new, total - new)

    async def find(self, kind: TaskKind[..., Task], key: str, *, name: str = "") -> Entry | None:
        """Return how a job stands: its phase, its task's id, and its record once it has ended."""
        sql = "SELECT id FROM a2e_batches WHERE kind = %s AND name = %s AND account = %s"
        rows = await self.database.rows(sql, (kind.name, name, self._account))
        return await PostgresJournal(self.database, rows[0][0]).find(key) if rows else None

    async def work(self, concurrency: int = 100) -> None:
        """Submit jobs until this is cancelled, so many taken up at once, also across restarts of the database."""
        self._leaving = False
        async with shared_brake(self._a2e, self.database.dsn):
            crew = [asyncio.create_task(work) for work in (self._work(concurrency), self._watch())]
            try:
                ended, _ = await asyncio.wait(crew, return_when=asyncio.FIRST_COMPLETED)
                ended.pop().result()
            finally:
                await surely(self._dismiss(crew))

    async def _dismiss(self, crew: list[asyncio.Task[None]]) -> None:
        self._leaving = True
        # An answer that is nearly here saves others from looking for it.
        for desk in self._desks.values():
            desk.submitter.free.clear()
        await asyncio.gather(*(desk.submitter.finish(_FAREWELL) for desk in self._desks.values()))
        await end(*crew)
        self._desks.clear()

    async def _watch(self) -> None:
        # One of all workers does so for each kind; the others are there in case it dies.
        kinds = "SELECT DISTINCT kind FROM a2e_batches WHERE account = %s"
        watching: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                with suppress(JournalError):
                    for (name,) in await self.database.rows(kinds, (self._account,)):
                        if name in KINDS and name not in watching:
                            watch = partial(shared_watch, self._a2e, self.database.dsn, KINDS[name])
                            watching[name] = asyncio.create_task(lasting(watch), name=f"a2e-watch-{name}")
                for task in watching.values():
                    if task.done():
                        task.result()
                await asyncio.sleep(_PAUSE)
        finally:
            await end(*watching.values())

    async def _work(self, concurrency: int) -> None:
        connector = PsycopgConnector(conninfo=self.database.dsn, min_size=1, max_size=4, timeout=_FAREWELL)
        app = App(connector=connector)
        app.job_manager = _Manager(connector)
        app.task(name=TAKE, retry=_Patience())(self._take)

        async def sweep(timestamp: int) -> None:  # noqa: ARG001 - when it was due
            for job in await app.job_manager.get_stalled_jobs(queue=self._queue, seconds_since_heartbeat=STALE):
                await app.job_manager.retry_job(job)

        swept = app.task(name="a2e.sweep", priority=1)(sweep)
        lock = f"{self._queue}.sweep"
        app.periodic(cron=_SWEEP, periodic_id=self._queue, queue=self._queue, queueing_lock=lock)(swept)
        while not self._leaving:  # while the database is away, procrastinate ends with that error though cancelled
            try:
                async with app.open_async():
                    await app.run_worker_async(
                        queues=[self._queue],
                        concurrency=concurrency,
                        update_heartbeat_interval=HEARTBEAT,
                        stalled_worker_timeout=STALE,
                        shutdown_graceful_timeout=1.0,
                        delete_jobs="successful",
                        install_signal_handlers=False,
                    )
            except (ConnectorException, *PASSING) as error:
                _log.warning("The queue is away, and is tried again: %s", self.database.complaint(error))
            await asyncio.sleep(_PAUSE)

    async def _take(self, batch: int, key: str) -> None:
        await (await self._desk(batch)).take(key)

    async def _desk(self, batch: int) -> Desk:
        sql = "SELECT kind, max_coins IS NOT NULL FROM a2e_batches WHERE id = %s"
        [(name, limited)] = await self.database.rows(sql, (batch,))
        if name not in KINDS:
            raise LaterError(f"a newer a2e-async has to submit {name}.")
        desk = self._desks.get(batch)
        if desk is None or desk.limited != limited or desk.worn:
            config, kind = self._a2e.config, KINDS[name]
            reconciler = self._reconcilers.setdefault(
                name, Reconciler(self._a2e, kind, config.poll, config.timeout + config.poll.grace)
            )
            desk = self._desks[batch] = Desk(
                self._a2e, PostgresJournal(self.database, batch), reconciler, limited=limited
            )
        return desk


def _told(work: asyncio.Task[None]) -> None:
    if not work.cancelled() and (error := work.exception()):
        _log.error("Jobs are not submitted any more: %s", error)
