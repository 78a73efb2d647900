"""What the processes of one account share through a real PostgreSQL: a rate, and the brake after a 429."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise

import pytest

pytest.importorskip("psycopg", reason="needs the dependency group `engines`")
pytest.importorskip("pyrate_limiter", reason="needs the dependency group `engines`")

import psycopg
from pyrate_limiter import Limiter, Rate, RedisBucket
from redis.asyncio import Redis

from a2e_async import A2ESession, ConfigError, JournalError, Limits, RateLimitError, RetryPolicy, TransportError
from a2e_async.integrations._database import migrate
from a2e_async.integrations.postgres_limits import SharedRate, shared_brake
from a2e_async.observer import Braked
from a2e_async.sandbox import Rule
from tests.integrations import asker
from tests.service import KEY, SWIFT, Scene, scene
from tests.snippets import ROOT

pytestmark = pytest.mark.anyio

COINS, FACES = "/api/v1/user/remainingCoins", "/api/v1/userFaceSwapImage/records"


@pytest.fixture
async def tables(database: str) -> str:
    await migrate(database)
    return database


ONCE = {"retry": RetryPolicy(attempts=1, patience=1000.0)}


# The rate


async def test_a_rate_is_one_rate_for_all_who_share_it(tables: str) -> None:
    taken: list[float] = []

    async def take(rate: SharedRate, count: int) -> None:
        for _ in range(count):
            await rate.acquire()
            taken.append(time.monotonic())

    async with SharedRate(tables, 50) as one, SharedRate(tables, 50) as two, SharedRate(tables, 50) as three:
        began = time.monotonic()
        await asyncio.gather(*(take(rate, 20) for rate in (one, two, three, three)))

    assert len(taken) == 80
    assert taken[-1] - began > 79 / 50 - 0.2


async def test_what_one_process_took_another_waits_for(tables: str) -> None:
    taken: list[str] = []

    async def take(who: str) -> None:
        async with SharedRate(tables, 1 / 3600) as rate:
            await rate.acquire()
            taken.append(who)

    await take("first")
    waits = [asyncio.ensure_future(take("late")) for _ in range(3)]
    await asyncio.wait(waits, timeout=0.5)
    assert taken == ["first"]
    async with SharedRate(tables, 1 / 3600, name="another account") as other:
        await other.acquire()
    for wait in waits:
        wait.cancel()
    await asyncio.wait(waits)


async def test_a_weight_takes_as_many(tables: str) -> None:
    async with SharedRate(tables, 10) as rate:
        began = time.monotonic()
        await rate.acquire(5)
        await rate.acquire()
        assert time.monotonic() - began > 0.35


async def test_a_session_keeps_a_shared_rate_and_comes_back_after_a_cut(tables: str) -> None:
    async with SharedRate(tables, 1000) as rate, scene(limits=Limits(limiter=rate)) as s:
        await s.a2e.account.coins()
        cut(tables)
        await asyncio.gather(*(s.a2e.account.coins() for _ in range(5)))  # what failed was not sent, and is repeated
        assert s.sent("GET", COINS) == [200] * 6


async def test_without_a_database_nothing_is_sent(own_postgres) -> None:
    await migrate(dsn := own_postgres.create())
    async with SharedRate(dsn, 1000) as rate, scene(limits=Limits(limiter=rate)) as s:
        own_postgres.kill()
        with pytest.raises(
            TransportError, match=r"not sent: Limits.limiter failed \(JournalError.*cannot be used"
        ) as caught:
            await s.a2e.face_swap.tasks.add(**s.swap)
        assert not caught.value.sent
        assert s.account.requests == []
        own_postgres.start()
        await s.a2e.account.coins()


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
async def test_a_shared_rate_has_to_be_positive(rate: float) -> None:
    with pytest.raises(ConfigError, match=r"^SharedRate: rate"):
        SharedRate("", rate)


class Buckets:
    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter

    async def acquire(self, weight: int = 1) -> bool:
        return await self.limiter.try_acquire_async("a2e", weight)


async def test_a_bucket_in_redis_fits(redis_url: str) -> None:
    async def one(redis: Redis) -> None:
        bucket = await RedisBucket.init([Rate(10, 1000 * 3600)], redis, "a2e-limits")
        with Limiter(bucket) as limiter:
            async with A2ESession(KEY, base_url=s.sandbox.url, limits=Limits(limiter=Buckets(limiter))) as a2e:
                with suppress(TimeoutError):
                    async with asyncio.timeout(1.0):
                        while True:
                            await a2e.account.coins()

    async with scene() as s, Redis.from_url(redis_url) as first, Redis.from_url(redis_url) as second:
        await asyncio.gather(one(first), one(second))
        assert s.sent("GET", COINS) == [200] * 10


# The brake


def cut(dsn: str) -> None:
    """End every connection to a database but our own."""
    with psycopg.connect(dsn, autocommit=True) as db:
        db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@asynccontextmanager
async def another(s: Scene, dsn: str, key: str = KEY) -> AsyncIterator[A2ESession]:
    async with A2ESession(key, base_url=s.sandbox.url, **(SWIFT | ONCE)) as a2e, shared_brake(a2e, dsn):
        yield a2e


def braked(a2e: A2ESession) -> float:
    return a2e._transport.pool().gate.braked()


async def is_braked(a2e: A2ESession) -> float:
    async with asyncio.timeout(30):
        while not (left := braked(a2e)):
            await asyncio.sleep(0.01)
    return left


async def meet_429(s: Scene, a2e: A2ESession, seconds: int = 300) -> None:
    rule = Rule("status", path=FACES, first=1, status=429, headers={"Retry-After": str(seconds)})
    s.account.fault(rule)
    with pytest.raises(RateLimitError):
        await a2e.face_swap.images.records()


async def test_a_429_brakes_the_other_sessions_of_the_account_and_no_other_account(tables: str) -> None:
    async with scene(**ONCE) as s, another(s, tables) as one, another(s, tables) as two:
        async with another(s, tables, "sk_other") as stranger:
            await meet_429(s, one)
            assert 200 < await is_braked(two) <= 300
            assert braked(stranger) == 0
            await stranger.account.coins()


async def test_the_other_process_sends_nothing_during_the_pause(tables: str) -> None:
    async with scene("real") as s, another(s, tables) as a2e:
        words = [sys.executable, "-m", asker.__name__, s.sandbox.url, KEY, tables]
        with subprocess.Popen(words, cwd=ROOT) as process:  # noqa: ASYNC220 - starting it takes a moment
            try:
                while len(s.sent("GET", COINS)) < 20:
                    await asyncio.sleep(0.01)
                await meet_429(s, a2e, 4)
                before = len(s.sent("GET", COINS))
                while len(s.sent("GET", COINS)) < before + 20:
                    await asyncio.sleep(0.01)
            finally:
                process.kill()
        (refused,) = [entry.at for entry in s.account.requests if entry.status == 429]
        asked = [entry.at for entry in s.account.requests if entry.path == COINS]
        pause = max(later - earlier for earlier, later in pairwise(asked) if later > refused)
        assert pause > 3000, "milliseconds, of four seconds asked for"


async def test_who_comes_later_finds_the_rest_of_the_pause(tables: str) -> None:
    async with scene() as s:
        async with another(s, tables) as one, another(s, tables) as two:
            await meet_429(s, one)
            await is_braked(two)
        async with another(s, tables) as late:
            assert 200 < braked(late) <= 300


async def test_after_a_cut_each_listens_again_and_what_was_told_meanwhile_is_found(tables: str) -> None:
    async with scene() as s, another(s, tables) as one, another(s, tables) as two:
        cut(tables)
        await meet_429(s, one)
        assert 200 < await is_braked(two) <= 300


async def test_nobody_repeats_what_was_heard(tables: str) -> None:
    events: list[object] = []
    async with (
        scene() as s,
        await psycopg.AsyncConnection.connect(tables, autocommit=True) as db,
        another(s, tables) as one,
        another(s, tables) as two,
        another(s, tables) as three,
    ):
        two._teller.observers.append(events.append)
        await db.execute("LISTEN a2e_brakes")
        await meet_429(s, one)
        await is_braked(two)
        await is_braked(three)
        heard = [note.payload async for note in db.notifies(timeout=1.0)]
    assert len(heard) == 1
    assert KEY not in heard[0]
    assert not [event for event in events if isinstance(event, Braked)]


async def test_a_database_that_is_away_stops_nobody(own_postgres, caplog: pytest.LogCaptureFixture) -> None:
    await migrate(dsn := own_postgres.create())
    async with scene() as s, another(s, dsn) as one, another(s, dsn) as two:
        own_postgres.kill()
        await one.account.coins()
        await meet_429(s, one, 2)
        await two.account.coins()
        while "No database" not in caplog.text:
            await asyncio.sleep(0.01)
        own_postgres.start()
        while braked(one):
            await asyncio.sleep(0.05)
        await meet_429(s, one)
        await is_braked(two)


async def test_a_database_that_is_not_there_is_told_at_once(own_postgres) -> None:
    await migrate(dsn := own_postgres.create())
    own_postgres.kill()
    async with A2ESession(KEY) as a2e:
        with pytest.raises(JournalError, match="cannot be used"):
            async with shared_brake(a2e, dsn):
                pass
