"""Jobs handed out to workers on real queues, real databases and over TCP: each is paid for once, and none is lost."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("procrastinate", reason="needs the dependency group `engines`")

from a2e_async import FACE_SWAP, A2ESession, PollPolicy, RequestError
from a2e_async._rows import Phase
from a2e_async.integrations import _desk, procrastinate
from a2e_async.integrations.postgres import Database, PostgresJournal, migrate
from a2e_async.integrations.procrastinate import Engine, adopt, dead, retry
from a2e_async.sandbox import Rule, Sandbox
from tests.servers import PostgreSQL
from tests.service import KEY, SWIFT, Scene, scene

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
ADD = "/api/v1/userFaceSwapTask/add"
FAST: dict[str, Any] = {"clock": "scaled:1000"}
SOON: dict[str, Any] = {"timeout": 1.0, "poll": PollPolicy(shortest=0.05, longest=0.2, grace=0.5)}


@pytest.fixture
async def dsn(database: str) -> str:
    await migrate(database)
    return database


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is to be tried again is so within a tenth of a second."""
    monkeypatch.setattr(procrastinate, "_LONGEST", 0.1)
    monkeypatch.setattr(_desk, "_RENEWED", 0.1)


@asynccontextmanager
async def working(engine: Engine, concurrency: int = 20) -> AsyncIterator[None]:
    work = asyncio.ensure_future(engine.work(concurrency))
    try:
        yield
    finally:
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work


def jobs(s: Scene, count: int, first: int = 0) -> list[dict[str, str]]:
    return [s.swap | {"key": f"k{n}", "name": f"n{n}"} for n in range(first, first + count)]


async def phases(engine: Engine) -> Counter[str]:
    return Counter(dict(await engine.database.rows("SELECT phase, count(*) FROM a2e_jobs GROUP BY phase")))


async def until(engine: Engine, **wanted: int) -> None:
    async with asyncio.timeout(60):
        while await phases(engine) != Counter(wanted):
            await asyncio.sleep(0.02)


async def until_dead(engine: Engine, count: int) -> list[Any]:
    async with asyncio.timeout(60):
        while len(found := await dead(engine.database)) != count:
            await asyncio.sleep(0.02)
    return found


async def spent(engine: Engine) -> float:
    [(coins,)] = await engine.database.rows("SELECT sum(spent)::float8 FROM a2e_batches")
    return float(coins)


# --- Handing out ------------------------------------------------------------------------------------------------------


async def test_jobs_are_paid_once_however_often_they_are_handed_out(dsn: str) -> None:
    async with scene(coins=1e6, **FAST) as s, Engine(dsn, s.a2e) as engine:
        first = await engine.submit_many(FACE_SWAP, jobs(s, 30))
        assert (first.new, first.known) == (30, 0)
        again = await asyncio.gather(*(engine.submit_many(FACE_SWAP, jobs(s, 40)) for _ in range(4)))
        assert sum(one.new for one in again) == 10
        async with working(engine):
            await until(engine, done=40)
            assert (await engine.submit_many(FACE_SWAP, jobs(s, 40))).new == 0
        assert len(s.account.tasks) == 40
        assert await spent(engine) == 1e6 - s.account.coins == 400
        assert await engine.database.rows("SELECT * FROM procrastinate_jobs WHERE task_name = 'a2e.take'") == []
        entry = await engine.find(FACE_SWAP, "k7")
        assert entry is not None
        assert FACE_SWAP.read(entry.record or b"").name.endswith(" n7")
        assert await engine.find(FACE_SWAP, "k7", name="another") is None


async def test_rows_and_queue_are_written_together(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scene() as s, Engine(dsn, s.a2e) as engine:
        once = Database.do

        async def twice(self: Database, work: Any) -> Any:
            await once(self, work)
            return await once(self, work)

        monkeypatch.setattr(Database, "do", twice)  # as where the answer to a commit is lost
        assert (await engine.submit_many(FACE_SWAP, jobs(s, 5))).new == 0
        monkeypatch.setattr(Database, "do", once)
        for table in ("a2e_jobs", "procrastinate_jobs"):
            assert len(await engine.database.rows(f"SELECT * FROM {table}")) == 5

        async def torn() -> AsyncIterator[dict[str, str]]:
            for job in jobs(s, 600):
                yield job
            raise LookupError("the list is torn")

        with pytest.raises(LookupError, match="torn"):
            await engine.submit_many(FACE_SWAP, torn())
        for table in ("a2e_jobs", "procrastinate_jobs"):
            assert len(await engine.database.rows(f"SELECT * FROM {table}")) == 500


async def test_what_no_worker_could_send_is_refused_at_once(dsn: str, tmp_path: Path) -> None:
    async with scene() as s, Engine(dsn, s.a2e) as engine:
        for bad, field in (
            (s.swap | {"face_url": tmp_path / "face.jpg"}, "face_url"),
            (s.swap | {"key": "\ud800"}, "key"),
            (s.swap | {"video_url": "clip.mp4"}, "video_url"),
            (s.swap | {"unknown": "x"}, ""),
        ):
            with pytest.raises(RequestError) as told:
                await engine.submit_many(FACE_SWAP, [s.swap | {"key": "good"}, bad])
            assert told.value.field == field
        with pytest.raises(RequestError, match="max_coins: must not be negative"):
            await engine.submit_many(FACE_SWAP, [], max_coins=-1)
        with pytest.raises(RequestError, match="'k' was used before"):
            await engine.submit_many(FACE_SWAP, [s.swap | {"key": "k", "name": name} for name in "ab"])
        assert await phases(engine) == {}
        await engine.submit_many(FACE_SWAP, [s.swap | {"key": "k"}])
        with pytest.raises(RequestError, match="'k' was used before"):
            await engine.submit_many(FACE_SWAP, [s.swap | {"key": "other"}, s.swap | {"key": "k", "name": "changed"}])
        assert await phases(engine) == {"new": 1}


async def test_a_new_key_of_the_account_goes_on_with_its_jobs(dsn: str, at_once: None) -> None:
    async with scene(**FAST) as s, Engine(dsn, s.a2e) as engine:
        await engine.submit_many(FACE_SWAP, jobs(s, 3))
        async with A2ESession("sk_new", base_url=s.sandbox.url, **SWIFT) as renewed, Engine(dsn, renewed) as other:
            async with working(other):
                with pytest.raises(Exception, match="belongs to another account"):
                    await other.submit_many(FACE_SWAP, jobs(s, 3))
                assert await phases(engine) == {"new": 3}
                assert (await other.submit_many(FACE_SWAP, jobs(s, 4), rekey=True)).new == 1
                await until(engine, done=4)
        assert s.account.tasks == []
        assert len(s.sandbox.account("sk_new").tasks) == 4


# --- What stands in the way -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["reset_after", "reset_before", "status"])
async def test_lost_answers_are_looked_for(dsn: str, at_once: None, kind: str) -> None:
    rule = (
        Rule("status", path=ADD, status=503, after=True, share=0.3)
        if kind == "status"
        else Rule(kind, path=ADD, share=0.3)
    )
    async with scene(coins=1e6, **FAST, **SOON) as s, Engine(dsn, s.a2e) as engine:
        s.account.fault(rule)
        await engine.submit_many(FACE_SWAP, jobs(s, 30))
        async with working(engine, 40):
            await until(engine, done=30)
        assert rule.hits
        assert len(s.account.tasks) == 30
        assert await spent(engine) == 300


async def test_an_outage_is_waited_out(dsn: str, at_once: None) -> None:
    async with scene(**FAST) as s, Engine(dsn, s.a2e) as engine:
        down = s.account.fault(Rule("status", path=ADD, status=429, headers={"Retry-After": "0"}))
        await engine.submit_many(FACE_SWAP, jobs(s, 5))
        async with working(engine):
            while down.hits < 20:
                await asyncio.sleep(0.01)
            assert await dead(engine.database) == []
            down.first = 0
            await until(engine, done=5)
        assert len(s.account.tasks) == 5


async def test_what_is_refused_is_on_the_list_of_the_dead(dsn: str) -> None:
    refusal = json.dumps({"code": 1004, "msg": "the input was refused"})
    async with scene(**FAST) as s, Engine(dsn, s.a2e) as engine:
        s.account.fault(Rule("status", path=ADD, status=403, body=refusal, name="* moderated"))
        odd = s.account.fault(Rule("status", path=ADD, status=400, body='{"code":400,"msg":"too long"}', name="* odd"))
        source = [s.swap | {"key": name, "name": name} for name in ("moderated", "odd", "fine")]
        await engine.submit_many(FACE_SWAP, source)
        async with working(engine):
            await until(engine, failed=1, new=1, done=1)
            found = {job.key: job for job in await until_dead(engine, 2)}
            assert (found["moderated"].phase, found["moderated"].final) == ("failed", True)
            assert (found["odd"].phase, found["odd"].final) == ("new", False)
            assert "the input was refused" in found["moderated"].why
            assert "too long" in found["odd"].why
            with pytest.raises(RequestError, match="refused by moderation, which is final"):
                await retry(engine.database, "face_swap", "moderated")
            for key in ("fine", "nobody"):
                with pytest.raises(RequestError, match=f"'{key}' is no dead job"):
                    await retry(engine.database, "face_swap", key)
            odd.first = 0
            await retry(engine.database, "face_swap", "odd")
            await until(engine, failed=1, done=2)
            # Another input may take the place of one that was refused.
            mended = s.swap | {"key": "moderated", "name": "mended"}
            assert (await engine.submit_many(FACE_SWAP, [mended])).new == 1
            await until(engine, done=3)
            assert await dead(engine.database) == []
        assert len(s.sent("POST", ADD)) == 5


async def test_too_few_coins_stop_the_batch_until_there_are_more(dsn: str, at_once: None) -> None:
    async with scene(coins=25, **FAST) as s, Engine(dsn, s.a2e) as engine:
        await engine.submit_many(FACE_SWAP, jobs(s, 6))
        async with working(engine, 2):
            found = await until_dead(engine, 4)
            assert {job.phase for job in found} == {"new"}
            assert all("InsufficientCoinsError" in job.why for job in found)
            s.account.bank.book(s.account.clock.now(), 1000, "grant")
            await asyncio.sleep(0.2)  # what was stopped stays so for a tenth of a second
            for job in found:
                await retry(engine.database, job.kind, job.key, name=job.name)
            await until(engine, done=6)
        assert len(s.account.tasks) == 6


async def test_workers_together_keep_to_the_coins_of_a_batch(dsn: str, at_once: None) -> None:
    async with scene(coins=1e6, **FAST) as s, AsyncExitStack() as stack:
        engines = []
        for _ in range(3):
            a2e = await stack.enter_async_context(A2ESession(KEY, base_url=s.sandbox.url, **SWIFT))
            engines.append(await stack.enter_async_context(Engine(dsn, a2e)))
        await engines[0].submit_many(FACE_SWAP, jobs(s, 20), max_coins=75)
        async with working(engines[0]), working(engines[1]), working(engines[2]):
            found = await until_dead(engines[0], 13)
            assert all("max_coins=75 are spent" in job.why for job in found)
            assert len(s.account.tasks) == 7
            assert await spent(engines[0]) == 70
            await engines[0].submit_many(FACE_SWAP, [], max_coins=1000)
            await asyncio.sleep(0.2)  # as above
            for job in found:
                await retry(engines[0].database, job.kind, job.key)
            await until(engines[0], done=20)
        assert await spent(engines[0]) == 200


async def test_an_uncertain_job_is_adopted_or_paid_anew(dsn: str) -> None:
    async with scene(**FAST) as s, Engine(dsn, s.a2e) as engine:
        handed = await engine.submit_many(FACE_SWAP, jobs(s, 2))
        journal = PostgresJournal(engine.database, handed.batch)
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        for entry in await journal.unfinished():
            await journal.find(entry.key)
            job = await journal.intend(entry.key, entry.digest, entry.request, f"a2e:{entry.key}", 10.0)
            await journal.ended(job, Phase.UNCERTAIN, None)
        assert [job.phase for job in await dead(engine.database)] == ["uncertain"] * 2
        await adopt(engine.database, "face_swap", "k0", task.id)
        async with working(engine):
            await until(engine, done=1, uncertain=1)
            await retry(engine.database, "face_swap", "k1")
            await until(engine, done=2)
        with pytest.raises(RequestError, match="no dead job"):
            await adopt(engine.database, "face_swap", "k1", task.id)
        assert await spent(engine) == 30  # the uncertain one may have been paid for


# --- Workers that come and go -----------------------------------------------------------------------------------------


async def test_a_web_app_has_it_in_its_lifespan_and_leaves_in_peace(dsn: str) -> None:
    async with scene(coins=1e6, **FAST) as s:
        s.account.fault(Rule("delay", path=ADD, seconds=0.3))
        async with Engine(dsn, s.a2e, concurrency=4) as engine:
            await engine.submit_many(FACE_SWAP, jobs(s, 20))
            while not s.account.requests or "/add" not in s.account.requests[-1].path:
                await asyncio.sleep(0.001)
        async with Engine(dsn, s.a2e) as engine:
            # Whatever was under way had its answer.
            found = await phases(engine)
            assert found["sending"] == 0
            assert len(s.account.tasks) == found["sent"] + found["done"] > 0
            states = await engine.database.rows(
                "SELECT status, count(*) FROM procrastinate_jobs WHERE task_name = 'a2e.take' GROUP BY 1"
            )
            assert states == [("todo", found["new"])]
            async with working(engine):
                await until(engine, done=20)
        assert len(s.account.tasks) == 20


async def test_a_restart_of_the_database_is_no_end(own_postgres: PostgreSQL, at_once: None) -> None:
    dsn = own_postgres.create()
    await migrate(dsn)
    async with scene(coins=1e6, **FAST) as s, Engine(dsn, s.a2e) as engine:
        await engine.submit_many(FACE_SWAP, jobs(s, 100))
        async with working(engine, 5):
            while len(s.account.tasks) < 20:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(own_postgres.kill)
            await asyncio.to_thread(own_postgres.start)
            await until(engine, done=100)
        assert len(s.account.tasks) == 100
        assert await spent(engine) == 1000


async def test_a_worker_can_leave_while_the_database_is_away(own_postgres: PostgreSQL, at_once: None) -> None:
    dsn = own_postgres.create()
    await migrate(dsn)
    async with scene(coins=1e6, **FAST) as s:
        async with Engine(dsn, s.a2e) as engine:
            await engine.submit_many(FACE_SWAP, jobs(s, 200))
            async with working(engine, 5):
                while len(s.account.tasks) < 20:
                    await asyncio.sleep(0.01)
                await asyncio.to_thread(own_postgres.kill)
            await asyncio.to_thread(own_postgres.start)
            found = await phases(engine)
            assert len(s.account.tasks) == found["sent"] + found["done"] + found["sending"]


WORKER = """
import sys
import a2e_async._rows
a2e_async._rows.LEASE = 1.0  # seconds that others wait before they go on with what this one left
from a2e_async import PollPolicy, RetryPolicy
from a2e_async.cli import main, worker
from a2e_async.session import A2ESession
poll, retry = PollPolicy(shortest=0.05, longest=0.2, grace=0.3), RetryPolicy(base=0.01, longest=0.05)
worker.A2ESession = lambda: A2ESession(timeout=0.7, poll=poll, retry=retry)
sys.exit(main(["worker", "--concurrency", "20"]))
"""


@pytest.fixture
def workers(dsn: str) -> Iterator[Any]:
    started: list[asyncio.subprocess.Process] = []

    async def start(url: str) -> asyncio.subprocess.Process:
        environment = os.environ | {"A2E_DSN": dsn, "A2E_BASE_URL": url, "A2E_API_KEY": KEY}
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", WORKER), cwd=ROOT, env=environment, stderr=pipe
        )
        started.append(process)
        assert process.stderr
        assert (await process.stderr.readline()).startswith(b"a2e: submits and watches the jobs in postgresql://")
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()


async def test_workers_that_are_killed_lose_nothing_and_pay_nothing_twice(dsn: str, workers: Any) -> None:
    rules = [Rule("delay", path=ADD, seconds=0.05, share=0.5), Rule("reset_after", path=ADD, share=0.05)]
    async with Sandbox(clock="scaled:200", coins=1e6, seed=1, faults=rules) as sandbox:
        account = sandbox.account(KEY)
        async with A2ESession(KEY, base_url=sandbox.url, **SWIFT) as a2e, Engine(dsn, a2e) as engine:
            one, two, three = [await workers(sandbox.url) for _ in range(3)]
            s = Scene(sandbox, account, a2e)
            await engine.submit_many(FACE_SWAP, jobs(s, 300))
            for process, share in ((one, 60), (two, 140)):
                while len(account.tasks) < share:
                    await asyncio.sleep(0.005)
                process.kill()
                await process.wait()
            await until(engine, done=300)
            three.send_signal(signal.SIGTERM)
            _, said = await three.communicate()
            assert three.returncode == 0, said
            names = Counter(str(task.wire_fields()["name"]).partition(" ")[2] for task in account.tasks)
            assert names == {f"n{n}": 1 for n in range(300)}
            assert await spent(engine) == 3000
            assert await engine.database.rows("SELECT * FROM procrastinate_jobs WHERE task_name = 'a2e.take'") == []
