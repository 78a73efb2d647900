"""Journals of several machines on one database: who goes on with a job, also where statements arrive twice or late."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

pytest.importorskip("psycopg", reason="needs the dependency group `engines`")

import psycopg

from a2e_async import FACE_SWAP, BudgetExceededError, JournalError, RequestError, TransportTimeoutError
from a2e_async._budget import WaitingError
from a2e_async._deadline import permitted
from a2e_async._endpoint import Permit
from a2e_async._limits import Gate
from a2e_async._reconcile import new_tag
from a2e_async._rows import LEASE, Entry, Phase
from a2e_async.integrations import _database
from a2e_async.integrations.postgres import Database, PostgresJournal, TakenError, migrate
from a2e_async.sandbox import Rule
from tests.servers import PostgreSQL
from tests.service import scene

pytestmark = pytest.mark.anyio

ADD = "/api/v1/userFaceSwapTask/add"
Open = Callable[[], Awaitable[PostgresJournal]]


@pytest.fixture
async def open_one(database: str) -> AsyncIterator[Open]:
    """Open journals of one batch, each as if on a machine of its own."""
    await migrate(database)
    opened: list[Database] = []

    async def one() -> PostgresJournal:
        opened.append(await Database(database).open())
        return PostgresJournal(opened[-1], await opened[-1].enrol("face_swap", "", "me"))

    yield one
    for each in opened:
        await each.aclose()


async def intend(journal: PostgresJournal, key: str = "k", price: float = 10.0, tag: str | None = None) -> int:
    return await journal.intend(key, b"d", b"{}", tag or new_tag(), price)


async def known(journal: PostgresJournal, key: str = "k") -> Entry:
    entry = await journal.find(key)
    assert entry is not None
    return entry


async def new_row(journal: PostgresJournal, key: str = "k") -> int:
    job = await intend(journal, key)
    await journal.withdrawn(job)
    return job


# --- Who goes on with a job -------------------------------------------------------------------------------------------


async def test_of_two_that_found_a_job_one_sends_it(open_one: Open) -> None:
    a, b = await open_one(), await open_one()
    await new_row(a)
    for journal in (a, b):
        assert (await known(journal)).phase == "new"
    await intend(a, tag="a2e:a")
    with pytest.raises(TakenError, match="another worker went on with job 'k'"):
        await intend(b)
    assert (await known(b)).tag == "a2e:a"


async def test_of_two_that_found_none_one_sends_it(open_one: Open) -> None:
    journals = [await open_one() for _ in range(4)]
    ends = await asyncio.gather(*(intend(journal) for journal in journals), return_exceptions=True)
    assert sorted(type(end).__name__ for end in ends) == ["TakenError"] * 3 + ["int"]


async def test_a_late_answer_of_the_first_is_kept_and_stops_the_second(open_one: Open) -> None:
    """The first stood still while a second took over; it was the first's submission that became a task."""
    a, b = await open_one(), await open_one()
    job = await intend(a)
    entry = await known(b)
    assert entry.phase == "sending"
    await a.started(job, "id of a", 10.0)
    for change in (
        b.withdrawn(job),
        b.adopted(job, "id of b", 10.0, "", 0.0),
        b.ended(job, Phase.UNCERTAIN, None),
        b.doubted(job),
        b.given_up(job, "why"),
        intend(b),
    ):
        with pytest.raises(TakenError):
            await change
    assert ((await known(b)).phase, (await known(b)).task_id) == ("sent", "id of a")


async def test_who_wakes_up_after_its_successor_writes_nothing_more(open_one: Open) -> None:
    a, b = await open_one(), await open_one()
    job = await intend(a)
    await known(b)
    await b.withdrawn(job)
    await intend(b, tag="a2e:b")
    for change in (
        a.started(job, "id", 10.0),
        a.withdrawn(job),
        a.ended(job, Phase.FAILED, 0.0, failure=b"{}"),
        a.doubted(job),
        intend(a),
    ):
        with pytest.raises(TakenError):
            await change
    assert ((await known(b)).phase, (await known(b)).tag) == ("sending", "a2e:b")


async def test_of_two_successors_one_sends_it_anew(open_one: Open) -> None:
    a, b, c = await open_one(), await open_one(), await open_one()
    job = await intend(a)
    for journal in (b, c):
        await known(journal)
    await b.withdrawn(job)
    await intend(b, tag="a2e:b")
    with pytest.raises(TakenError):
        await c.withdrawn(job)
    with pytest.raises(TakenError):
        await intend(c)
    assert (await known(c)).tag == "a2e:b"


async def test_an_end_that_others_noted_too_is_no_quarrel(open_one: Open) -> None:
    a, b = await open_one(), await open_one()
    job = await intend(a)
    await a.started(job, "id", 10.0)
    await known(b)
    await a.ended(job, Phase.DONE, 12.0, record=b"{}")
    await b.ended(job, Phase.DONE, 12.0, record=b"{}")
    with pytest.raises(TakenError):
        await b.ended(job, Phase.FAILED, 0.0, record=b"{}")
    assert (await known(b)).phase == "done"


async def test_a_statement_may_arrive_twice(open_one: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does where the answer to a commit is lost."""
    journal = await open_one()
    once = Database.do

    async def twice(self: Database, work: Any) -> Any:
        await once(self, work)
        return await once(self, work)

    monkeypatch.setattr(Database, "do", twice)
    job = await intend(journal, price=7.0)
    await journal.withdrawn(job)
    assert await intend(journal, price=7.0) == job
    await journal.doubted(job)
    await journal.adopted(job, "id", 10.0, "twin", 5.0)
    entry = await known(journal)
    assert (entry.phase, entry.coins, entry.lost, entry.twins) == ("sent", 10.0, 5.0, "twin")
    await journal.ended(job, Phase.UNCERTAIN, None)
    await known(journal)
    await intend(journal, price=3.0)  # what may have been paid before counts on
    assert (await known(journal)).lost == 12.0
    assert (await journal.summary()).coins == 15.0


async def test_a_statement_that_arrives_late_changes_nothing(open_one: Open) -> None:
    """The network delivers what its sender has long sent again on another connection."""
    journal = await open_one()
    sent: list[tuple[Any, Any]] = []
    rows = journal.database.rows

    async def noted(sql: Any, values: Any = ()) -> Any:
        sent.append((sql, values))
        return await rows(sql, values)

    journal.database.rows = noted  # type: ignore[method-assign]
    job = await intend(journal)
    await journal.withdrawn(job)
    await intend(journal)
    await journal.doubted(job)
    await journal.started(job, "id", 10.0)
    await journal.ended(job, Phase.DONE, 10.0, record=b"{}")
    before = await rows("SELECT * FROM a2e_jobs")
    for statement in sent[:-1]:
        await rows(*statement)
    assert await rows("SELECT * FROM a2e_jobs") == before


# --- Until when somebody may be sending -------------------------------------------------------------------------------


async def test_a_successor_counts_from_the_end_of_the_lease(open_one: Open) -> None:
    a, b = await open_one(), await open_one()
    job = await intend(a)
    entry = await known(b)
    assert entry.doubted is not None
    assert entry.doubted - entry.intended == pytest.approx(LEASE, abs=1e-3)
    await a.doubted(job)
    entry = await known(b)
    assert entry.doubted is not None
    assert entry.doubted < time.time() + 1  # its sender has seen to it that nothing is sent any more
    assert _database.PATIENCE < LEASE


async def test_clocks_need_not_agree(open_one: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = await open_one(), await open_one()
    before = time.time()
    await intend(a)
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3600)
    entry = await known(b)
    assert before + 3600 - 1 <= entry.intended <= time.time()
    assert entry.doubted == pytest.approx(entry.intended + LEASE, abs=1e-3)


async def test_what_does_not_leave_in_time_does_not_leave(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its turn comes after its lease: it is withdrawn, and intended anew."""
    intents: list[str | None] = []
    monkeypatch.setattr(PostgresJournal, "lease", 0.3)
    noted = PostgresJournal.intend

    async def spied(self: PostgresJournal, *args: Any, **more: Any) -> int:
        intents.append(args[3])
        return await noted(self, *args, **more)

    monkeypatch.setattr(PostgresJournal, "intend", spied)
    await migrate(database)
    async with scene(clock="scaled:1000") as s:
        s.account.fault(Rule("status", path=ADD, status=429, headers={"Retry-After": "1"}, first=1))
        async with s.a2e.batch(FACE_SWAP, journal=database) as batch:
            ends = [outcome async for outcome in batch.run([s.swap | {"key": "k"}, s.swap | {"key": "m"}])]
        assert [end.error for end in ends] == [None, None]
        assert len(s.account.tasks) == 2
        tags = {str(task.wire_fields()["name"]).partition(" ")[0] for task in s.account.tasks}
    assert len(intents) > 2
    assert tags < set(intents)


@pytest.mark.parametrize("clock", ["until", "lapse"])
async def test_a_machine_that_slept_sends_nothing_late(clock: str) -> None:
    """The loop's clock may have stood still meanwhile, so both are asked."""
    gate = Gate(1)
    now = asyncio.get_running_loop().time() if clock == "until" else time.time()
    permit = Permit(**{clock: now - 0.001})
    with pytest.raises(TransportTimeoutError) as told:
        await permitted(gate, 1.0, permit, "POST /paid")
    assert (told.value.sent, permit.missed, permit.left) == (False, True, 0.0)
    assert await permitted(gate, 1.0, Permit(**{clock: now + 60}), "POST /paid") is not None


# --- Coins ------------------------------------------------------------------------------------------------------------


async def limit(journal: PostgresJournal, coins: float) -> None:
    await journal.database.rows("UPDATE a2e_batches SET max_coins = %s WHERE id = %s", (coins, journal.batch))


async def spent(journal: PostgresJournal) -> float:
    both = "SELECT spent::float8, (SELECT coalesce(sum(a2e_coins(j)), 0)::float8 FROM a2e_jobs j) FROM a2e_batches"
    [(coins, counted)] = await journal.database.rows(both)
    assert coins == counted
    return float(coins)


@pytest.mark.parametrize(("price", "cost", "jobs"), [(10.0, 10.0, 10), (10.0, 20.0, 5), (0.0, 30.0, 4), (0.0, 0.0, 24)])
async def test_workers_together_spend_no_more_than_the_batch_may(
    open_one: Open, price: float, cost: float, jobs: int
) -> None:
    """Prices may double meanwhile; where there is none, one goes at a time."""
    journals = [await open_one() for _ in range(4)]
    await limit(journals[0], 100)
    most = 0.0

    async def submit(journal: PostgresJournal, key: str) -> bool:
        nonlocal most
        while True:
            try:
                job = await intend(journal, key, price)
            except WaitingError:
                await asyncio.sleep(0.01)
                continue
            except BudgetExceededError:
                return False
            await asyncio.sleep(0)
            await journal.started(job, f"id {key}", cost)
            most = max(most, await spent(journal))
            return True

    sent = await asyncio.gather(*(submit(journals[n % 4], f"k{n}") for n in range(24)))
    # The last without a price may cost more than is left: that is known when it has its answer.
    assert (sum(sent), most) == (jobs, jobs * cost)
    assert most <= 100 or not price
    assert (await journals[0].summary()).counts["sending"] == 0


async def test_coins_that_come_back_may_be_spent_again(open_one: Open) -> None:
    a, b = await open_one(), await open_one()
    await limit(a, 10)
    job = await intend(a, "one")
    with pytest.raises(WaitingError):
        await intend(b, "two")
    await a.started(job, "id", 10.0)
    with pytest.raises(BudgetExceededError, match="10 of max_coins=10 are spent, and the next job may cost 10") as told:
        await intend(b, "two")
    assert type(told.value) is BudgetExceededError
    await a.ended(job, Phase.FAILED, 0.0, record=b"{}")
    await intend(b, "two")
    assert await spent(b) == 10


async def test_what_a_dead_worker_left_in_doubt_keeps_nobody_waiting(open_one: Open) -> None:
    a, b = await open_one(), await open_one()
    await limit(a, 25)
    await intend(a, "left")
    await a.database.rows("UPDATE a2e_jobs SET intended = clock_timestamp() - interval '3 minutes'")
    await intend(b, "next")
    assert await spent(b) == 20
    with pytest.raises(WaitingError):
        await intend(b, "third")


# --- When the database is away ----------------------------------------------------------------------------------------


@asynccontextmanager
async def opened(dsn: str) -> AsyncIterator[PostgresJournal]:
    await migrate(dsn)
    journal = await PostgresJournal.open(dsn, kind="face_swap", account="me")
    try:
        yield journal
    finally:
        await journal.aclose()


async def whole(journal: PostgresJournal, key: str) -> None:
    job = await intend(journal, key)
    await journal.started(job, f"id {key}", 10.0)
    await journal.ended(job, Phase.DONE, 10.0, record=b"{}")


@pytest.mark.parametrize("how", ["restart", "kill"])
async def test_notes_survive_a_restart_of_the_database(own_postgres: PostgreSQL, how: str) -> None:
    async with opened(own_postgres.create()) as journal:
        written = asyncio.gather(*(whole(journal, f"k{n}") for n in range(300)))
        while not await journal.unfinished():
            await asyncio.sleep(0)
        if how == "kill":
            await asyncio.to_thread(own_postgres.kill)
            await asyncio.to_thread(own_postgres.start)
        else:
            await asyncio.to_thread(own_postgres.restart)
        await written
        summary = await journal.summary()
        assert (summary.counts["done"], summary.coins) == (300, 3000)


class Wire:
    """Passes bytes on to a server; while it is cut, it swallows them."""

    def __init__(self, port: int) -> None:
        self._port, self.cut = port, False
        self._tasks: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        me = asyncio.current_task()
        assert me
        self._tasks.add(me)
        back, there = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            await asyncio.gather(self._pass(reader, there), self._pass(back, writer))
        finally:
            for one in (writer, there):
                one.close()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if not self.cut:
                    sink.write(data)
            sink.close()


async def test_notes_survive_a_network_that_is_cut_and_says_nothing(
    postgres: PostgreSQL, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_database, "_ONCE", 0.5)
    wire = Wire(postgres.port)
    async with wire as port:
        async with opened(database.replace(f":{postgres.port}/", f":{port}/")) as journal:
            job = await intend(journal)
            wire.cut = True
            noted = asyncio.ensure_future(journal.started(job, "id", 10.0))
            await asyncio.sleep(1.2)  # longer than a statement may take
            assert not noted.done()
            wire.cut = False
            await noted
            assert (await known(journal)).task_id == "id"


async def test_a_database_that_stays_away_is_told(
    own_postgres: PostgreSQL, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_database, "PATIENCE", 0.5)
    monkeypatch.setattr(_database, "_ONCE", 0.5)
    dsn = own_postgres.create().replace("a2e@", "a2e:well-kept@")
    async with opened(dsn) as journal:
        await asyncio.to_thread(own_postgres.stop)
        with pytest.raises(JournalError, match=r"cannot be used .*Nothing is lost: run again") as told:
            await intend(journal)
        with pytest.raises(JournalError, match="cannot be used"):
            await Database(dsn).open()
        await asyncio.to_thread(own_postgres.start)
    assert "well-kept" not in f"{told.value!r} {journal.database!r} {vars(journal.database)!r} {caplog.text}"


# --- What it stands in ------------------------------------------------------------------------------------------------


async def test_tables_are_made_once_and_by_one(database: str) -> None:
    with pytest.raises(JournalError, match="has no tables of a2e-async: make them with `a2e migrate`"):
        await PostgresJournal.open(database, kind="face_swap", account="me")
    assert sorted(await asyncio.gather(*(migrate(database) for _ in range(4)))) == [False, False, False, True]
    async with opened(database) as journal:
        found = await journal.database.rows("SELECT to_regclass('a2e_jobs'), to_regclass('procrastinate_jobs')")
        assert found == [("a2e_jobs", "procrastinate_jobs")]
        await journal.database.rows("UPDATE a2e_layout SET version = version + 1")
    for newer in (migrate(database), PostgresJournal.open(database, kind="face_swap", account="me")):
        with pytest.raises(JournalError, match=r"newer a2e-async \(layout 2; this one knows 1\)"):
            await newer


@pytest.mark.parametrize("dsn", ["postgresql://u:well-kept@[", "postgresql://u:well-kept@h/d?nonsense=1"])
async def test_a_dsn_that_is_none_is_not_repeated(dsn: str) -> None:
    with pytest.raises(JournalError, match="postgresql://user:password@host:port/database") as told:
        Database(dsn)
    assert "well-kept" not in str(told.value)


async def test_what_the_database_cannot_keep_is_the_fault_of_that_job(open_one: Open) -> None:
    journal = await open_one()
    with pytest.raises(RequestError, match="PostgreSQL cannot keep this"):
        await journal.find("nul\0")
    await whole(journal, "k")


async def test_memory_is_given_back(open_one: Open) -> None:
    journal = await open_one()
    for n in range(20):
        await whole(journal, f"k{n}")
        await new_row(journal, f"new {n}")
        journal.forget(f"new {n}")
    assert journal._fences == {}


async def test_ends_and_starts_are_told_to_whoever_listens(open_one: Open, database: str) -> None:
    journal = await open_one()
    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as db:
        await db.execute("LISTEN a2e_jobs")
        job = await intend(journal)
        await journal.doubted(job)
        await journal.started(job, "id", 10.0)
        await journal.saved(job, "path")
        await journal.ended(job, Phase.DONE, 10.0, record=b"{}")
        told = [json.loads(one.payload) async for one in db.notifies(timeout=30, stop_after=2)]
    assert told == [{"batch": journal.batch, "job": job, "phase": phase} for phase in ("sent", "done")]


async def test_a_cancellation_that_the_pool_loses_reaches_whoever_waits(open_one: Open) -> None:
    database, begun = (await open_one()).database, asyncio.Event()

    async def deaf(_: object) -> int:
        begun.set()
        with suppress(asyncio.CancelledError):  # as `asyncio.wait_for` may do before Python 3.12
            await asyncio.Event().wait()
        return 1

    task = asyncio.ensure_future(database.do(deaf))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
