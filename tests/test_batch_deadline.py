"""A batch's deadline spans each job from its being taken up to its result; cancelled, it may take back what waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from a2e_async import (
    FACE_SWAP,
    Batch,
    Limits,
    Outcome,
    QueueTimeoutError,
    RateLimitError,
    RequestError,
    RetryPolicy,
    ServerError,
    SessionConfig,
    SubmissionUncertainError,
    Task,
    TaskState,
    TaskTimeoutError,
    TransportError,
    TransportTimeoutError,
    WaitLimits,
)
from a2e_async._wire import has_files
from a2e_async.errors import A2EError
from a2e_async.journal import Phase, read_entries
from a2e_async.sandbox import Rule
from a2e_async.sandbox.objects import SAMPLES
from tests.service import Scene, scene
from tests.stepping import Service, SteppingLoop, stepped

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


@pytest.mark.anyio
async def test_a_brake_that_is_waited_out_makes_no_job_late(journal: Path | None) -> None:
    async with scene(retry=RetryPolicy(base=0.01, longest=0.4)) as s:
        s.account.fault(Rule("status", path=ADD, first=2, status=429, retry_after=1))
        outcomes = await ends(s, jobs(s, 2), journal=journal, deadline=1.5)
        assert [outcome.error for outcome in outcomes] == [None] * 2
        assert max(outcome.seconds for outcome in outcomes) > 1.4


@pytest.mark.anyio
async def test_a_service_that_says_when_it_will_be_back_is_waited_for_from_the_start() -> None:
    async with scene(retry=RetryPolicy(base=0.01, longest=0.1, attempts=2, patience=0.2)) as s:
        s.account.fault(Rule("status", path="*/quote", first=1, status=503, retry_after=1))
        (outcome,) = await ends(s, jobs(s), max_coins=1000)
        assert outcome.state is TaskState.DONE


@pytest.mark.anyio
async def test_a_slow_upload_is_cut(journal: Path | None) -> None:
    async with scene() as s:
        s.account.fault(Rule("delay", method="PUT", path="/storage/*", seconds=20))
        (outcome,) = await ends(s, [s.swap | {"face_url": SAMPLES / "face.jpg"}], journal=journal, deadline=0.3)
        assert isinstance(outcome.error, TransportTimeoutError)
        assert "while uploading: nothing was started" in str(outcome.error)
        assert (outcome.state, outcome.coins, outcome.error.spent) == (TaskState.FAILED, 0, "no")
        assert phases(journal) == []
        assert not s.account.tasks


@pytest.mark.anyio
async def test_a_paid_request_under_way_is_not_cut(journal: Path | None) -> None:
    async with scene(clock="stepped") as s:
        s.account.fault(Rule("delay", path=ADD, seconds=0.6))
        (outcome,) = await ends(s, jobs(s), journal=journal, deadline=0.3)
        assert isinstance(outcome.error, TaskTimeoutError)
        assert (outcome.error.task_id, outcome.error.limit) == (s.account.tasks[0].id, 0.3)
        assert phases(journal) == ([Phase.SENT] if journal else [])


@pytest.mark.anyio
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


@pytest.mark.anyio
async def test_a_slow_download_is_cut_and_made_up_for(tmp_path: Path) -> None:
    out, journal = f"{tmp_path}/out/{{key}}.mp4", tmp_path / "swaps.sqlite"
    async with scene() as s:
        rule = s.account.fault(Rule("dribble", path="/results/*", pace=1.0))
        (outcome,) = await ends(s, jobs(s), journal=journal, out=out, deadline=3.0)
        assert outcome.state is TaskState.DONE
        assert isinstance(outcome.error, TaskTimeoutError)
        assert "stays at the service" in str(outcome.error)
        assert not list((tmp_path / "out").iterdir())
        s.account.rules.remove(rule)
        (again,) = await ends(s, jobs(s), journal=journal, out=out)
        assert again.path
        assert len(s.account.tasks) == 1


@pytest.mark.anyio
async def test_limits_bound_the_phases_of_each_task(journal: Path | None) -> None:
    async with scene(clock="stepped") as s:
        outcomes = await ends(s, jobs(s, 3), journal=journal, limits=WaitLimits(queue=0.4))
        assert {type(outcome.error) for outcome in outcomes} == {QueueTimeoutError}
        assert phases(journal) == ([Phase.SENT] * 3 if journal else [])


@pytest.mark.anyio
@pytest.mark.parametrize("way", ["cancelled", "left", "broken"])
@pytest.mark.parametrize("policy", ["detach", "remove"])
async def test_what_a_batch_cut_short_leaves(journal: Path | None, policy: Any, way: str) -> None:
    async with scene(clock="stepped") as s:
        batch = s.a2e.batch(FACE_SWAP, journal=journal, on_cancel=policy)
        running = asyncio.ensure_future(cut_short(s, batch.run(source(s, breaks=way == "broken")), batch))
        while not running.done() and (len(s.account.tasks) < 3 or not s.sent("POST", "batchDetail")):
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


@pytest.mark.anyio
async def test_a_second_cancellation_cuts_neither_the_taking_back_nor_its_record(journal: Path | None) -> None:
    async with scene(clock="stepped") as s:
        s.account.fault(Rule("delay", method="DELETE", seconds=0.3))
        batch = s.a2e.batch(FACE_SWAP, journal=journal, on_cancel="remove")
        running = asyncio.ensure_future(cut_short(s, batch.run(jobs(s, 3)), batch))
        while len(s.account.tasks) < 3 or not s.sent("POST", "batchDetail"):
            await asyncio.sleep(0.005)
        for _ in range(4):
            running.cancel()
            await asyncio.sleep(0.05)
        await asyncio.wait([running])
        assert running.cancelled()
        assert len(batch.removed) == 3
        assert set(phases(journal)) == ({Phase.NEW} if journal else set())


@pytest.mark.anyio
async def test_a_paid_request_under_way_when_it_is_cancelled_is_taken_back_too(journal: Path | None) -> None:
    async with scene(clock="stepped") as s:
        rule = s.account.fault(Rule("delay", path=ADD, seconds=0.8))
        batch = s.a2e.batch(FACE_SWAP, journal=journal, on_cancel="remove")
        running = asyncio.ensure_future(cut_short(s, batch.run(jobs(s, 1)), batch))
        while not rule.hits:
            await asyncio.sleep(0.005)
        running.cancel()
        await asyncio.wait([running])
        assert len(batch.removed) == 1
        assert s.account.coins == 1000


@pytest.mark.anyio
async def test_nothing_is_sent_after_a_cancellation(journal: Path | None) -> None:
    async with scene(clock="stepped") as s:
        s.account.fault(Rule("status", path=ADD, first=1, status=429, retry_after=1))
        batch = s.a2e.batch(FACE_SWAP, journal=journal, on_cancel="remove")
        running = asyncio.ensure_future(cut_short(s, batch.run(jobs(s, 1)), batch))
        while not s.sent("POST", "/add"):
            await asyncio.sleep(0.005)
        before = len(s.sent("POST", "/add"))
        await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.wait([running])
        await asyncio.sleep(1.2)
        assert len(s.sent("POST", "/add")) == before
        assert set(phases(journal)) <= {Phase.NEW, Phase.SENDING}
        outcomes = await ends(s, jobs(s), journal=journal, deadline=0.2)
        assert len(s.account.tasks) == len(outcomes) == 1


# --- On a clock that jumps --------------------------------------------------------------------------------------------


class Station(Service):
    """A service that also starts tasks; each takes a minute, as does each upload and download."""

    def __init__(self, trouble: A2EError | None = None) -> None:
        super().__init__(lambda _: 60.0)
        self.trouble, self.until = trouble, 0.0

    async def prepare(self, _endpoint: Any, request: Any) -> Any:
        await asyncio.sleep(60 if has_files(request) else 0)
        return request

    async def save_all(self, _task: Task, _to: Path) -> None:
        await asyncio.sleep(60)

    async def call(self, endpoint: Any, request: Any, permit: Any = None) -> Any:
        if self.trouble is not None and self.now() < self.until:
            raise self.trouble
        if permit is None:
            return await super().call(endpoint, request)
        permit.left = self.now()
        task_id = str(len(self.born))
        self.add(task_id)
        return self.look(task_id)

    def batch(self, *, transfers: int = 8, **settings: Any) -> Batch[Any]:
        config = SessionConfig(api_key="sk_x", limits=Limits(transfers=transfers))
        return Batch(self, FACE_SWAP, self, config, **settings)  # type: ignore[arg-type]


URLS = {"name": "n", "face_url": "https://a/f", "video_url": "https://a/v"}


async def outcomes_of(batch: Batch[Any], source: Any) -> list[Outcome[Task]]:
    async with batch:
        return [outcome async for outcome in batch.run(source)]


async def timed(batch: Batch[Any], source: Any) -> tuple[list[Outcome[Task]], float]:
    began = asyncio.get_running_loop().time()
    found = await outcomes_of(batch, source)
    return found, asyncio.get_running_loop().time() - began


def test_a_rate_makes_no_job_late() -> None:
    found, took = stepped(timed(Station().batch(rate=0.1, deadline=90), [URLS] * 60))
    assert {outcome.state for outcome in found} == {TaskState.DONE}
    assert took > 590


def test_waiting_for_a_turn_to_transfer_makes_no_job_late() -> None:
    source = [URLS | {"face_url": Path(f"{number}.jpg")} for number in range(10)]
    found, took = stepped(timed(Station().batch(transfers=1, deadline=200, out="{key}.mp4"), source))
    assert [outcome.error for outcome in found] == [None] * 10
    assert took >= 1200


def test_transfers_of_its_own_do_count() -> None:
    source = [URLS | {"face_url": Path("1.jpg")}]
    (upload,) = stepped(outcomes_of(Station().batch(deadline=50), source))
    assert isinstance(upload.error, TransportTimeoutError)
    (wait,) = stepped(outcomes_of(Station().batch(deadline=110), source))
    assert isinstance(wait.error, TaskTimeoutError)
    assert wait.state is TaskState.RUNNING
    (download,) = stepped(outcomes_of(Station().batch(deadline=170, out="{key}.mp4"), source))
    assert isinstance(download.error, TaskTimeoutError)
    assert download.state is TaskState.DONE


async def troubled(trouble: A2EError, *, seconds: float, slept: float = 0.0) -> list[TaskState]:
    """Run three jobs; trouble begins with the second, and the machine sleeps in it."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SteppingLoop)
    station = Station(trouble)

    async def source() -> AsyncIterator[dict[str, str]]:
        for number in range(3):
            yield URLS
            if number == 0:
                await asyncio.sleep(100)
                station.until = loop.time() + seconds + slept
                loop.call_later(100, lambda: setattr(loop, "now", loop.now + slept))

    return [outcome.state for outcome in await outcomes_of(station.batch(deadline=90), source())]


OUTAGE = TransportError("no network", sent=False)


@pytest.mark.parametrize(
    ("trouble", "seconds"),
    [
        (OUTAGE, 500.0),
        (ServerError("maintenance", http_status=503, retry_after=600.0), 3600.0),
        (RateLimitError("slow down", retry_after=600.0), 3600.0),
    ],
)
def test_trouble_that_is_waited_out_makes_no_job_late(trouble: A2EError, seconds: float) -> None:
    assert stepped(troubled(trouble, seconds=seconds)) == [TaskState.DONE] * 3


def test_a_machine_that_sleeps_in_an_outage_has_not_been_without_the_service_all_the_time() -> None:
    with pytest.raises(TransportError, match="no network"):
        stepped(troubled(OUTAGE, seconds=1000.0))
    assert stepped(troubled(OUTAGE, seconds=500.0, slept=3 * 3600.0)) == [TaskState.DONE] * 3


# --- Over TCP ---------------------------------------------------------------------------------------------------------


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


@pytest.mark.anyio
async def test_what_makes_no_sense_is_refused() -> None:
    async with scene() as s:
        with pytest.raises(RequestError, match="on_cancel"):
            s.a2e.batch(FACE_SWAP, on_cancel="kill")
