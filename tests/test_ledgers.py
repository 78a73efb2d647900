"""What every journal does, in a file and in PostgreSQL alike."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from a2e_async import FACE_SWAP, JournalError, TaskState
from a2e_async._ledger import take_up
from a2e_async._reconcile import new_tag
from a2e_async._rows import Ledger, Phase
from a2e_async.config import SessionConfig
from a2e_async.sandbox import Rule
from tests.journals import finish
from tests.service import scene

pytestmark = pytest.mark.anyio

ADD = "/api/v1/userFaceSwapTask/add"


@pytest.fixture(params=["file", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where there may be a journal."""
    if request.param == "file":
        return tmp_path / "swaps.sqlite"
    pytest.importorskip("psycopg", reason="needs the dependency group `engines`")
    migrate = import_module("a2e_async.integrations.postgres").migrate
    dsn = request.getfixturevalue("database")
    asyncio.run(migrate(dsn))
    return dsn


async def opened(place: Path | str, name: str = "", *, key: str = "sk_me", rekey: bool = False) -> Ledger:
    return await take_up(place, SessionConfig(api_key=key), "face_swap", name, rekey=rekey)


@asynccontextmanager
async def journal_at(place: Path | str, name: str = "", **settings: Any) -> AsyncIterator[Ledger]:
    journal = await opened(place, name, **settings)
    try:
        yield journal
    finally:
        await journal.aclose()


async def test_times_prices_and_counts_come_back(place: Path | str) -> None:
    async with journal_at(place) as journal:
        await finish(journal, "done", 12.5)
        asked = await journal.intend("asked", b"d", b"{}", "a2e:1", 7.0, anchor="older")
        doubt = await journal.doubted(asked)
        assert doubt.doubted is not None
        assert doubt.doubted >= doubt.intended
        back = await journal.intend("back", b"d", b"{}", "a2e:2", 5.0)
        await journal.withdrawn(back)
        failed = await journal.intend("failed", b"d", b"{}", "a2e:3", 5.0)
        await journal.started(failed, "id", 5.0)
        await journal.ended(failed, Phase.FAILED, 0.0, record=b"{}")
        unclear = await journal.intend("unclear", b"d", b"{}", None, 3.0)
        await journal.ended(unclear, Phase.UNCERTAIN, None)
        found = await journal.intend("found", b"d", b"{}", "a2e:4", 2.0)
        await journal.adopted(found, "id", 4.0, "twin", 4.0)
        await journal.saved(found, "place")
        summary = await journal.summary()
        assert summary.coins == 12.5 + 7 + 3 + 8
        assert {k: n for k, n in summary.counts.items() if n} == dict.fromkeys(
            ("new", "sending", "sent", "done", "failed", "uncertain"), 1
        )
        assert [e.key for e in await journal.unfinished()] == ["asked", "back", "found"]
        assert [e.key for e in await journal.unfinished(asked)] == ["back", "found"]
        assert [e.key for e in await journal.unfinished(limit=1)] == ["asked"]
        assert await journal.find("nobody") is None
        entry = await journal.find("found")
        assert entry is not None
        assert (entry.task_id, entry.coins, entry.twins, entry.lost, entry.path) == ("id", 4.0, "twin", 4.0, "place")
        entry = await journal.find("asked")
        assert entry is not None
        assert (entry.digest, entry.request, entry.anchor, entry.price) == (b"d", b"{}", "older", 7.0)
        # What is sent anew although it may have been paid counts twice.
        again = await journal.find("unclear")
        assert again is not None
        await journal.intend("unclear", b"d", b"{}", "a2e:5", 3.0)
        assert (await journal.summary()).coins == 12.5 + 7 + 6 + 8
        assert [done.record for done in await journal.lately_done(3)] == [b"{}"]


async def test_an_intent_that_is_cancelled_is_not_left_in_doubt(place: Path | str) -> None:
    async with journal_at(place) as journal:
        tasks = [asyncio.ensure_future(journal.intend(f"k{n}", b"d", b"{}", new_tag(), 1.0)) for n in range(20)]
        for turns, task in enumerate(tasks):
            for _ in range(turns // 4):
                await asyncio.sleep(0)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        sent = {f"k{n}" for n, task in enumerate(tasks) if not task.cancelled()}
    async with journal_at(place) as journal:
        assert {entry.key for entry in await journal.unfinished() if entry.phase != "new"} == sent


@pytest.mark.parametrize("key", ["k\udcff", "\ud800", "nul\0", "🙂" * 400, "'; DROP TABLE jobs; --", " "])
async def test_any_key_ends_in_an_outcome(place: Path | str, key: str) -> None:
    async with scene(clock="scaled:1000") as s, s.a2e.batch(FACE_SWAP, journal=place) as batch:
        jobs = [s.swap | {"key": key}, s.swap | {"key": "other"}]
        ends = {o.key: o async for o in batch.run(jobs)}
        assert ends["other"].state is TaskState.DONE
        assert ends[key].state is (TaskState.FAILED if ends[key].error else TaskState.DONE)
        assert len(s.account.tasks) == 2 - bool(ends[key].error)


async def test_the_end_is_written_before_the_outcome_is_told(place: Path | str) -> None:
    async with scene(clock="scaled:1000") as s, s.a2e.batch(FACE_SWAP, journal=place) as batch:
        assert batch._journal is not None
        jobs = [s.swap | {"key": f"k{n}", "name": "fail:no face" if n % 3 else "n"} for n in range(12)]
        async for outcome in batch.run(jobs):
            entry = await batch._journal.find(outcome.key)
            assert entry is not None
            assert entry.phase == outcome.state
            assert outcome.task is not None
            assert entry.task_id == outcome.task.id
            assert entry.coins == outcome.coins == (10 if outcome.state is TaskState.DONE else 0)


async def test_a_batch_is_taken_up_again(place: Path | str) -> None:
    async with scene(clock="scaled:1000", coins=1e6) as s:
        s.account.fault(Rule("reset_after", path=ADD, share=0.2))
        jobs = [s.swap | {"key": f"k{n}", "name": f"n{n}"} for n in range(40)]
        for stop in (5, 15, 40):
            async with s.a2e.batch(FACE_SWAP, journal=place, max_in_flight=8) as batch:
                ends = []
                async for outcome in batch.run(jobs):
                    ends.append(outcome)
                    if len(ends) == stop:
                        break
        assert {end.state for end in ends} == {TaskState.DONE}
        assert len(ends) == len(s.account.tasks) == 40
        assert batch.status().coins == 1e6 - s.account.coins == 400


async def test_one_at_a_time_has_a_batch(place: Path | str) -> None:
    async with journal_at(place, "swaps"):
        for _ in range(2):
            with pytest.raises(JournalError, match=rf"batch 'swaps' is held by process {os.getpid()} "):
                await opened(place, "swaps")
        async with journal_at(place, "others"):
            pass
    async with journal_at(place, "swaps"):
        pass


async def test_another_account_is_refused(place: Path | str) -> None:
    async with journal_at(place) as journal:
        await finish(journal, "k")
    with pytest.raises(JournalError, match="another account"):
        await opened(place, key="sk_other")
    async with journal_at(place, key="sk_new", rekey=True) as journal:
        assert (await journal.summary()).counts["done"] == 1
    async with journal_at(place, key="sk_new"):
        pass
    with pytest.raises(JournalError, match="another account"):
        await opened(place)
    # Each batch has an account of its own.
    async with journal_at(place, "b", key="sk_third"):
        pass


async def test_a_summary_is_of_one_batch(place: Path | str) -> None:
    async with journal_at(place, "a") as a, journal_at(place, "b") as b:
        await finish(a, "k")
        found = [await a.summary(), await b.summary()]
    assert [(s.name, s.counts["done"], s.coins) for s in found] == [("a", 1, 10), ("b", 0, 0)]
