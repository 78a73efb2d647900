"""A batch's deadline spans each job from its being taken up to its result; cancelled, it may take back what waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from a2e_async import (
    FACE_SWAP,
    Outcome,
    QueueTimeoutError,
    RequestError,
    SubmissionUncertainError,
    Task,
    TaskState,
    TaskTimeoutError,
    TransportTimeoutError,
    WaitLimits,
)
from a2e_async.journal import Phase, read_entries
from a2e_async.sandbox import Rule
from tests.service import Scene, scene

pytestmark = pytest.mark.anyio

SAMPLES = Path(__file__).parents[1] / "a2e_async" / "sandbox" / "samples"
ADD = "*/userFaceSwapTask/add"


@pytest.fixture(params=[True, False], ids=["journal", "no journal"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "swaps.sqlite" if request.param else None


def jobs(s: Scene, count: int = 1) -> list[dict[str, Any]]:
    return [s.swap | {"key": f"k{n}"} for n in range(count)]


async def ends(s: Scene, source: Any, **settings: Any) -> list[Outcome[Task]]:
    async with s.a2e.batch(FACE_SWAP, **settings) as batch:
        return [outcome async for outcome in batch.run(source)]


def phases(journal: Path | None) -> list[str]:
    return [entry.phase for entry in read_entries(journal, 1)] if journal else []


async def test_a_job_whose_time_is_up_before_it_was_sent_is_not_sent(journal: Path | None) -> None:
    async with scene() as s:
        s.account.fault(Rule("status", path=ADD, first=1, status=429, retry_after=1))
        (outcome,) = await ends(s, jobs(s), journal=journal, deadline=0.4)
        assert isinstance(outcome.error, TransportTimeoutError)
        assert "before anything was started" in str(outcome.error)
        assert (outcome.state, outcome.coins, outcome.error.spent) == (TaskState.FAILED, 0, "no")
        assert phases(journal) == ([Phase.NEW] if journal else [])
        (again,) = await ends(s, jobs(s), journal=journal, deadline=30)
        assert again.state is TaskState.DONE
        assert len(s.account.tasks) == 1


async def test_a_slow_upload_is_cut(journal: Path | None) -> None:
    async with scene() as s:
        s.account.fault(Rule("delay", method="PUT", path="/storage/*", seconds=20))
        (outcome,) = await ends(s, [s.swap | {"face_url": SAMPLES / "face.jpg"}], journal=journal, deadline=0.3)
        assert isinstance(outcome.error, TransportTimeoutError)
        assert not s.account.tasks


async def test_a_paid_request_under_way_is_not_cut(journal: Path | None) -> None:
    async with scene(clock="stepped") as s:
        s.account.fault(Rule("delay", path=ADD, seconds=0.6))
        (outcome,) = await ends(s, jobs(s), journal=journal, deadline=0.3)
        assert isinstance(outcome.error, TaskTimeoutError)
        assert outcome.error.task_id == s.account.tasks[0].id
        assert phases(journal) == ([Phase.SENT] if journal else [])


async def test_a_job_in_doubt_stays_so_and_is_settled_by_the_next_run(tmp_path: Path) -> None:
    journal = tmp_path / "swaps.sqlite"
    async with scene(timeout=1.0) as s:
        s.account.lag(3600)
        s.account.fault(Rule("reset_after", path=ADD, first=1))
        (outcome,) = await ends(s, jobs(s), journal=journal, deadline=0.5)
        assert outcome.state is TaskState.UNCERTAIN
        assert isinstance(outcome.error, SubmissionUncertainError)
        assert "the deadline passed" in str(outcome.error)
        assert phases(journal) == [Phase.SENDING]
        s.account.lag(0)
        (again,) = await ends(s, jobs(s), journal=journal, deadline=30)
        assert again.state is TaskState.DONE
        assert len(s.account.tasks) == 1


async def test_a_slow_download_is_cut_and_made_up_for(tmp_path: Path) -> None:
    out, journal = f"{tmp_path}/out/{{key}}.mp4", tmp_path / "swaps.sqlite"
    async with scene() as s:
        rule = s.account.fault(Rule("dribble", path="/results/*", pace=1.0))
        (outcome,) = await ends(s, jobs(s), journal=journal, out=out, deadline=3.0)
        assert outcome.state is TaskState.DONE
        assert isinstance(outcome.error, TransportTimeoutError)
        assert "stays at the service" in str(outcome.error)
        assert not list((tmp_path / "out").iterdir())
        s.account.rules.remove(rule)
        (again,) = await ends(s, jobs(s), journal=journal, out=out)
        assert again.path
        assert len(s.account.tasks) == 1


async def test_limits_bound_the_phases_of_each_task(journal: Path | None) -> None:
    async with scene(clock="stepped") as s:
        outcomes = await ends(s, jobs(s, 3), journal=journal, limits=WaitLimits(queue=0.4))
        assert {type(outcome.error) for outcome in outcomes} == {QueueTimeoutError}
        assert phases(journal) == ([Phase.SENT] * 3 if journal else [])


@pytest.mark.parametrize("way", ["cancelled", "left", "broken"])
@pytest.mark.parametrize("policy", ["detach", "remove"])
async def test_what_a_batch_cut_short_leaves(journal: Path | None, policy: Any, way: str) -> None:
    async with scene(clock="stepped") as s:
        batch = s.a2e.batch(FACE_SWAP, journal=journal, on_cancel=policy)
        running = asyncio.ensure_future(cut_short(s, batch.run(source(s, breaks=way == "broken")), batch))
        while len(s.account.tasks) < 3 or not s.sent("POST", "batchDetail"):
            await asyncio.sleep(0.005)
        if way == "cancelled":
            running.cancel()
        if way == "left":
            await batch.__aexit__(None, None, None)
        await asyncio.gather(running, return_exceptions=True)
        gone = policy == "remove"
        assert len(s.account.tasks) == (0 if gone else 3)
        assert s.account.coins == (1000 if gone else 970)
        assert len(batch.removed) == (3 if gone else 0)
        assert batch.status().coins == (0 if gone else 30)
        assert set(phases(journal)) == ({Phase.NEW if gone else Phase.SENT} if journal else set())


async def source(s: Scene, *, breaks: bool) -> AsyncIterator[dict[str, Any]]:
    for job in jobs(s, 3):
        yield job
    while breaks:
        await asyncio.sleep(0.01)
        if s.sent("POST", "batchDetail"):
            raise OSError("the input is gone")


async def cut_short(s: Scene, outcomes: Any, batch: Any) -> None:
    async with batch, aclosing(outcomes):
        async for _ in outcomes:
            pass


async def test_what_makes_no_sense_is_refused() -> None:
    async with scene() as s:
        with pytest.raises(RequestError, match="on_cancel"):
            s.a2e.batch(FACE_SWAP, on_cancel="kill")
