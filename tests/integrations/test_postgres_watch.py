"""Tasks of many workers: one watches for all, another takes over, anybody follows; on a real PostgreSQL."""

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("psycopg", reason="needs the dependency group `engines`")

import psycopg

from a2e_async import (
    FACE_SWAP,
    A2ESession,
    JournalError,
    ModerationError,
    SubmissionUncertainError,
    TaskFailedError,
    TaskState,
    TaskTimeoutError,
)
from a2e_async._frozen import Refusal
from a2e_async._ledger import account_of
from a2e_async._rows import Phase
from a2e_async.integrations import postgres_watch
from a2e_async.integrations._database import Database, migrate
from a2e_async.integrations._events import events
from a2e_async.integrations.postgres import PostgresJournal
from a2e_async.integrations.postgres_watch import SharedJobs, shared_watch
from a2e_async.observer import WaitBegan, WaitEnded
from tests.integrations import standby
from tests.service import KEY, SWIFT, Scene, scene

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]


class Rows:
    """The rows of one batch, as a worker that submits writes them."""

    def __init__(self, s: Scene, journal: PostgresJournal) -> None:
        self.s, self.journal, self.database = s, journal, journal.database

    async def intend(self, key: str) -> int:
        await self.journal.find(key)
        return await self.journal.intend(key, b"digest", b"{}", f"tag-{key}", 10.0)

    async def submit(self, *keys: str, **fields: str) -> list[str]:
        ids = []
        for key in keys:
            job = await self.intend(key)
            task = await self.s.a2e.face_swap.tasks.add(**(self.s.swap | fields))
            await self.journal.started(job, task.id, task.coins)
            ids.append(task.id)
        return ids

    async def phases(self) -> list[str]:
        return [row[0] for row in await self.database.rows("SELECT phase FROM a2e_jobs ORDER BY id")]

    async def all_end(self) -> None:
        async with asyncio.timeout(60):
            while set(await self.phases()) & {"sending", "sent"}:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def rows(s: Scene, dsn: str) -> AsyncIterator[Rows]:
    database = await Database(dsn).open()
    try:
        batch = await database.enrol("face_swap", "", account_of(s.a2e.config))
        yield Rows(s, PostgresJournal(database, batch))
    finally:
        await database.aclose()


@asynccontextmanager
async def workers(s: Scene, dsn: str, count: int = 1, key: str = KEY) -> AsyncIterator[list["Worker"]]:
    made = [Worker(s, dsn, key) for _ in range(count)]
    try:
        yield made
    finally:
        for worker in made:
            await worker.stop()


class Worker:
    def __init__(self, s: Scene, dsn: str, key: str) -> None:
        self.events: list[object] = []
        self.a2e = A2ESession(key, base_url=s.sandbox.url, observers=[self.events.append], **SWIFT)
        self.task = asyncio.ensure_future(shared_watch(self.a2e, dsn, FACE_SWAP))

    async def stop(self) -> None:
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task
        await self.a2e.aclose()


@pytest.fixture
async def tables(database: str) -> str:
    await migrate(database)
    return database


def query(dsn: str, sql: str) -> list[tuple]:
    with psycopg.connect(dsn, autocommit=True) as db:
        return db.execute(sql).fetchall()


def cut(dsn: str) -> None:
    query(
        dsn,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


@asynccontextmanager
async def heard(dsn: str, channel: str) -> AsyncIterator[list]:
    """Collect what is told on a channel, until the block ends."""
    found: list = []
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        await db.execute(f"LISTEN {channel}")
        yield found
        found += [json.loads(note.payload) async for note in db.notifies(timeout=0.5)]


async def ended_once(told: list, count: int) -> None:
    ends = [note["job"] for note in told if note["phase"] in {"done", "failed"}]
    assert len(ends) == len(set(ends)) == count


# One watches for all


async def test_one_of_many_watches_and_the_others_ask_nothing(tables: str) -> None:
    async with scene() as s, rows(s, tables) as jobs, heard(tables, "a2e_jobs") as told:
        async with workers(s, tables, 5) as all_of_them:
            await jobs.submit(*"abc")
            await jobs.all_end()
            assert sum(bool(worker.events) for worker in all_of_them) == 1
    await ended_once(told, 3)
    found = query(tables, "SELECT phase, coins, state, ended > intended, record FROM a2e_jobs")
    assert [row[:4] for row in found] == [("done", 10.0, "done", True)] * 3
    assert {FACE_SWAP.read(bytes(row[4])).state for row in found} == {TaskState.DONE}


async def test_a_failure_is_noted_with_its_reason_and_refunded(tables: str) -> None:
    async with scene() as s, rows(s, tables) as jobs, workers(s, tables):
        await jobs.submit("a", name="fail:engine")
        await jobs.all_end()
        entry = await jobs.journal.find("a")
        assert entry is not None
        assert (entry.phase, entry.coins) == (Phase.FAILED, 0.0)


async def test_another_takes_over_at_once_when_the_leader_leaves(tables: str) -> None:
    async with (
        scene("stepped") as s,
        rows(s, tables) as jobs,
        heard(tables, "a2e_jobs") as told,
        heard(tables, "a2e_changes") as changed,
    ):
        async with workers(s, tables, 3) as three:
            await jobs.submit(*"abcd")
            while not (leads := [worker for worker in three if worker.events]):
                await asyncio.sleep(0.01)
            (leader,) = leads
            while query(tables, "SELECT count(*) FROM a2e_jobs WHERE state = 'queued'") != [(4,)]:
                await asyncio.sleep(0.05)
            await leader.stop()
            s.account.clock.advance(3600)
            await jobs.all_end()
            assert sum(bool(worker.events) for worker in three) == 2
    await ended_once(told, 4)
    assert Counter(key for _, key in changed) == {key: 3 for _, key in changed}, "sent, queued, done, each told once"


async def test_no_more_are_watched_at_once_than_there_is_room_for(tables: str, monkeypatch) -> None:
    monkeypatch.setattr(postgres_watch, "MOST", 2)
    monkeypatch.setattr(postgres_watch, "_RESCAN", 0.1)
    async with scene() as s, rows(s, tables) as jobs:
        await jobs.submit(*"abcdef")
        async with workers(s, tables) as (worker,):
            await jobs.all_end()
            waits: set[str] = set()
            for event in worker.events:
                waits |= {event.task_id} if isinstance(event, WaitBegan) else set()
                waits -= {event.task_id} if isinstance(event, WaitEnded) else set()
                assert len(waits) <= 2


async def test_a_cut_connection_ends_a_turn_and_nothing_is_lost_or_noted_twice(tables: str) -> None:
    async with scene("stepped") as s, rows(s, tables) as jobs, workers(s, tables, 2) as both:
        await jobs.submit(*"abcd")
        for _ in range(3):
            for worker in both:
                worker.events.clear()
            while not any(worker.events for worker in both):
                await asyncio.sleep(0.01)
            cut(tables)
        async with heard(tables, "a2e_jobs") as told:
            s.account.clock.advance(3600)
            await jobs.all_end()
        await ended_once(told, 4)


async def test_when_a_leading_process_is_killed_another_goes_on(tables: str) -> None:
    words = [sys.executable, "-u", "-m", standby.__name__]
    async with scene("stepped") as s, rows(s, tables) as jobs, heard(tables, "a2e_jobs") as told:
        await jobs.submit(*"abcd")
        started = [
            await asyncio.create_subprocess_exec(*words, s.sandbox.url, KEY, tables, cwd=ROOT, stdout=subprocess.PIPE)
            for _ in range(3)
        ]
        lines = [asyncio.ensure_future(process.stdout.readline()) for process in started]
        try:
            for left in (3, 2):
                done, _ = await asyncio.wait(lines, return_when="FIRST_COMPLETED", timeout=60)
                (line,) = done
                assert b"This process watches all tasks of face_swap" in line.result()
                leader = started[lines.index(line)]
                before = len(s.account.requests)
                while len(s.account.requests) < before + 3:
                    await asyncio.sleep(0.01)
                if left == 3:
                    leader.kill()
                    await leader.wait()
                    started.remove(leader)
                    lines.remove(line)
            s.account.clock.advance(3600)
            await jobs.all_end()
        finally:
            for process in started:
                process.kill()
                await process.wait()
            await asyncio.wait(lines)
    await ended_once(told, 4)


async def test_each_account_has_a_watcher_of_its_own(tables: str) -> None:
    async with scene() as s, rows(s, tables) as jobs, workers(s, tables, 1, "sk_other") as (stranger,):
        async with workers(s, tables):
            await jobs.submit("a")
            await jobs.all_end()
        assert stranger.events == []


async def test_a_task_that_the_service_does_not_know_keeps_nobody_and_is_told_of(tables: str) -> None:
    async with scene() as s, rows(s, tables) as jobs, workers(s, tables):
        await jobs.journal.started(await jobs.intend("lost"), "65f0c0ffee0000000000000a", 10.0)
        await jobs.submit("a")
        while await jobs.phases() != ["sent", "done"]:
            await asyncio.sleep(0.05)
        while not (reason := query(tables, "SELECT reason FROM a2e_jobs WHERE key = 'lost'")[0][0]):
            await asyncio.sleep(0.05)
        assert "404" in reason


async def test_what_comes_late_about_a_job_that_was_sent_anew_is_not_noted(tables: str) -> None:
    async with scene("stepped") as s, rows(s, tables) as jobs, workers(s, tables) as (worker,):
        (old,) = await jobs.submit("a")
        while not worker.events:
            await asyncio.sleep(0.01)
        (job,) = query(tables, "SELECT id FROM a2e_jobs")[0]
        new = await s.a2e.face_swap.tasks.add(**s.swap)
        await jobs.journal.withdrawn(job)
        assert await jobs.intend("a") == job
        await jobs.journal.started(job, new.id, new.coins)
        s.account.clock.advance(3600)
        await jobs.all_end()
        entry = await jobs.journal.find("a")
        assert entry is not None
        assert entry.record is not None
        assert old not in entry.record.decode()
        assert FACE_SWAP.read(entry.record).id == new.id


async def test_no_tables_are_told_at_once(database: str) -> None:
    async with A2ESession(KEY) as a2e:
        with pytest.raises(JournalError, match="a2e migrate"):
            await shared_watch(a2e, database, FACE_SWAP)


# Anybody follows


async def test_whoever_follows_a_job_asks_the_service_nothing(tables: str) -> None:
    async with scene("stepped") as s, SharedJobs(tables) as shared, rows(s, tables) as jobs, workers(s, tables):
        early = asyncio.ensure_future(shared.watch(FACE_SWAP, "a")._result())
        watcher = shared.watch(FACE_SWAP, "a")
        (task_id,) = await jobs.submit("a")
        seen = [await anext(watcher)]
        s.account.clock.advance(30)
        seen.append(await anext(watcher))
        s.account.clock.advance(3600)
        seen += [change async for change in watcher]
        assert [change.state for change in seen] == [TaskState.QUEUED, TaskState.RUNNING, TaskState.DONE]
        assert [change.previous for change in seen] == [None, TaskState.QUEUED, TaskState.RUNNING]
        assert {change.task.id for change in seen} == {task_id} == {watcher.task_id}
        task = await early
        assert (task.state, task.id) == (TaskState.DONE, task_id)
        before = len(s.account.requests)
        assert (await shared.watch(FACE_SWAP, "a")).id == task_id, "also afterwards"
        assert len(s.account.requests) == before


async def test_many_may_follow_one_job_and_a_cancelled_one_harms_none(tables: str) -> None:
    async with scene("stepped") as s, SharedJobs(tables) as shared, rows(s, tables) as jobs, workers(s, tables):
        await jobs.submit("a")
        waits = [asyncio.ensure_future(shared.watch(FACE_SWAP, "a")._result()) for _ in range(5)]
        while len(shared._followed) < 1:
            await asyncio.sleep(0.01)
        waits.pop().cancel()
        s.account.clock.advance(3600)
        assert {task.state for task in await asyncio.gather(*waits)} == {TaskState.DONE}
        assert shared._followed == {}


async def test_what_happened_while_the_line_was_cut_is_not_missed(tables: str) -> None:
    async with scene("stepped") as s, SharedJobs(tables) as shared, rows(s, tables) as jobs:
        await jobs.submit("a")
        wait = asyncio.ensure_future(shared.watch(FACE_SWAP, "a")._result())
        while not shared._followed:
            await asyncio.sleep(0.01)
        s.account.clock.advance(3600)
        task = await s.a2e.face_swap.tasks.detail(id=(await jobs.journal.find("a")).task_id)
        cut(tables)
        query(tables, "SELECT count(*) FROM a2e_jobs")
        job = query(tables, "SELECT id FROM a2e_jobs")[0][0]
        await jobs.journal.ended(job, Phase.DONE, 10.0, record=task.to_json())
        assert (await wait).id == task.id


async def test_how_a_job_ended_otherwise_is_raised(tables: str) -> None:
    async with scene() as s, SharedJobs(tables) as shared, rows(s, tables) as jobs, workers(s, tables):
        refused = await jobs.intend("refused")
        why = ModerationError("no faces of children", http_status=200, code=1003)
        await jobs.journal.ended(refused, Phase.FAILED, 0.0, failure=Refusal.of(why))
        with pytest.raises(ModerationError, match="no faces of children") as caught:
            await shared.watch(FACE_SWAP, "refused")
        assert caught.value.code == 1003

        await jobs.journal.ended(await jobs.intend("doubtful"), Phase.UNCERTAIN, None)
        with pytest.raises(SubmissionUncertainError, match="doubtful"):
            await shared.watch(FACE_SWAP, "doubtful")

        await jobs.submit("failed", name="fail:engine")
        with pytest.raises(TaskFailedError):
            await shared.watch(FACE_SWAP, "failed")

        for batch in ("", "there is none"):
            with pytest.raises(TaskTimeoutError, match=r"never seen after 0\.3 s"):
                await shared.watch(FACE_SWAP, "never submitted", batch=batch, deadline=0.3)


async def test_a_browser_is_told_of_a_job_by_any_machine(tables: str) -> None:
    async with scene() as s, SharedJobs(tables) as shared, rows(s, tables) as jobs, workers(s, tables):
        await jobs.submit("a")
        sent = b"".join([part async for part in events(shared.watch(FACE_SWAP, "a"), gone=lambda: False)]).decode()
        assert "event: state\nid: done\n" in sent
        data = [line.removeprefix("data: ") for line in sent.splitlines() if line.startswith("data: ")]
        assert msgspec.json.decode(data[-1]) == {
            "id": query(tables, "SELECT task_id FROM a2e_jobs")[0][0],
            "state": "done",
        }
