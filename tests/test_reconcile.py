"""What became of a submission whose answer was lost: found, proven absent, or honestly unknown."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from a2e_async import (
    FACE_SWAP,
    FACE_SWAP_PREVIEW,
    VOICE_CLONE,
    A2EError,
    AuthenticationError,
    NotFoundError,
    PollPolicy,
    ServerError,
    SubmissionUncertainError,
    TaskState,
    TransportError,
)
from a2e_async._answer import Page
from a2e_async._reconcile import GIVE_UP, KEPT, MARGIN, SKEW, Reconciler, UnprovableError, new_tag
from a2e_async._rows import LEASE
from a2e_async._wire import PageQuery
from a2e_async.groups.face_swap import FaceSwapTasks, Swap
from a2e_async.journal import read_entries
from a2e_async.sandbox import Rule
from a2e_async.sandbox.handlers import face_swap as swaps
from tests.service import Scene, scene
from tests.stepping import SteppingLoop, stepped

ADD = "/api/v1/userFaceSwapTask/add"
LIST = "/api/v1/userFaceSwapTask/records"
SETTLE = 90.0
POLICY = PollPolicy(shortest=1.0, longest=15.0)
SWIFT: dict[str, Any] = {"timeout": 1.0, "poll": PollPolicy(shortest=0.05, longest=0.2, grace=0.5)}


def clock() -> float:
    return asyncio.get_running_loop().time()


class Records:
    """A listing that answers from memory, by the loop's time; its clock may be wrong by `skew` seconds."""

    def __init__(self, *, skew: float = 0.0, latency: float = 0.0) -> None:
        self.rows: list[tuple[float, float, str, str]] = []
        self.skew, self.latency = skew, latency
        self.walks: list[float] = []
        self.asked = 0
        self.before: Callable[[int], None] = lambda _page: None
        self.most = 100
        self.pages, self.counts = True, True

    def add(self, name: str, *, at: float | None = None, shown: float = 0.0) -> str:
        """A record made at a moment by the true time, and listed from another on."""
        made = clock() if at is None else at
        self.rows.append((made, max(made, shown), f"{len(self.rows):024x}", name))
        return self.rows[-1][2]

    def task(self, row: tuple[float, float, str, str]) -> Swap:
        made, _, id_, name = row
        stamp = datetime.fromtimestamp(made + self.skew, UTC).isoformat()
        return Swap(id=id_, name=name, created_at=stamp, coins=10.0)

    async def call(self, endpoint: Any, request: Any) -> Any:
        assert endpoint is FaceSwapTasks.records
        assert isinstance(request, PageQuery)
        self.asked += 1
        if request.page == 1:
            self.walks.append(clock())
        self.before(request.page)
        await asyncio.sleep(self.latency)
        shown = sorted((row for row in self.rows if row[1] <= clock()), reverse=True)
        size = min(request.size, self.most)
        first = (request.page - 1) * size if self.pages else 0
        return Page([self.task(row) for row in shown[first : first + size]], len(shown) if self.counts else None)


def reconciler(records: Records) -> Reconciler[Swap]:
    return Reconciler(records, FACE_SWAP, POLICY, SETTLE, now=clock)


def steps(test: Callable[[Records, Reconciler[Swap]], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on a loop whose time jumps."""

    def run() -> None:
        async def main() -> None:
            records = Records()
            await test(records, reconciler(records))

        stepped(main())

    run.__name__ = test.__name__
    return run


# --- The search by itself, on a clock that jumps ----------------------------------------------------------------------


@steps
async def test_what_is_listed_is_found_without_waiting(records: Records, search: Reconciler[Swap]) -> None:
    began, tag = clock(), new_tag()
    id_ = records.add(f"{tag} clip")
    records.add(f"{new_tag()} another")
    [task] = await search.find(tag, began, began)
    assert (task.id, clock() - began, records.asked) == (id_, pytest.approx(POLICY.shortest, abs=0.01), 2)


@steps
async def test_absence_takes_two_walks_after_the_time_to_settle(records: Records, search: Reconciler[Swap]) -> None:
    began = clock()
    await asyncio.sleep(5)
    assert await search.find(new_tag(), began, began + 5) == []
    assert len([at for at in records.walks if at >= began + 5 + SETTLE]) == 2
    assert clock() < began + 5 + SETTLE + 30
    assert len(records.walks) < 30


@steps
async def test_while_its_sender_may_be_at_work_somewhere_nothing_is_proven(
    records: Records, search: Reconciler[Swap]
) -> None:
    began = clock()
    end = began + LEASE - 5
    assert await search.find(new_tag(), began - 5, end) == []
    assert len([at for at in records.walks if at >= end + SETTLE]) == 2
    # A clock that was set back does not make it wait for as long.
    again = clock()
    assert await search.find(new_tag(), again + 3600, again + 3600) == []
    assert clock() < again + LEASE + SETTLE + 30


@pytest.mark.parametrize("late", [0.5, 20.0, SETTLE - 0.01, SETTLE + 0.01])
def test_a_record_that_is_listed_late_is_found(late: float) -> None:
    """The last one shows up between the two walks that would have proven its absence."""

    async def main() -> None:
        records, began, tag = Records(), clock(), new_tag()
        id_ = records.add(tag, shown=began + late)
        assert [task.id for task in await reconciler(records).find(tag, began, began)] == [id_]

    stepped(main())


@steps
async def test_a_record_made_while_pages_are_turned_is_found(records: Records, search: Reconciler[Swap]) -> None:
    began, tag = clock(), new_tag()
    id_ = records.add(tag)
    for _ in range(349):
        records.add("older or newer")
    records.before = lambda _page: [records.add("new") for _ in range(37)] and None
    records.latency = 0.3
    assert [task.id for task in await search.find(tag, began, began)] == [id_]
    # As many new ones as a page holds move the whole page on.
    records.before = lambda _page: [records.add("new") for _ in range(100)] and None if records.asked < 60 else None
    assert await search.find(new_tag(), began, began) == []


@steps
async def test_the_walk_ends_behind_what_was_there_before(records: Records, search: Reconciler[Swap]) -> None:
    for _ in range(5000):
        records.add("old")
    first = await search.anchor()
    assert (first, records.asked) == (f"{4900:024x}", 1)
    assert await search.anchor() == first
    assert records.asked == 1
    began = clock()
    assert await search.find(new_tag(), began, began, first) == []
    assert records.asked == 1 + 2 * len(records.walks[1:])


@steps
async def test_what_was_just_made_is_no_landmark_yet(records: Records, search: Reconciler[Swap]) -> None:
    assert await search.anchor() == ""
    made = []
    for _ in range(40):
        id_ = records.add("ours")
        made.append((clock(), id_))
        search.saw(records.task(records.rows[-1]), None)
        await asyncio.sleep(0.5)
    last = await search.anchor()
    [at] = [at for at, id_ in made if id_ == last]
    assert MARGIN <= clock() - at <= MARGIN + 2


@steps
async def test_without_a_landmark_the_walk_ends_a_day_earlier(records: Records, search: Reconciler[Swap]) -> None:
    await asyncio.sleep(1e6)
    records.before = lambda _page: (_ for _ in ()).throw(ServerError("no", http_status=503))
    assert await search.anchor() is None
    records.before = lambda _page: None
    for n in range(5000):
        records.add("old", at=clock() - KEPT - 1 - n)
    asked, began = records.asked, clock()
    assert await search.find(new_tag(), began, began, None) == []
    assert records.asked - asked == len(records.walks) - 1


@pytest.mark.parametrize("skew", [-900_000.0, -7200.0, 7200.0, 900_000.0])
def test_the_clock_of_the_service_may_be_wrong(skew: float) -> None:
    async def main() -> None:
        await asyncio.sleep(1e6)
        records, began, tag = Records(skew=skew), clock(), new_tag()
        search = reconciler(records)
        records.add("before")
        anchor = await search.anchor()
        id_ = records.add(tag)
        await asyncio.sleep(2)
        for _ in range(150):
            records.add("newer")
        assert [task.id for task in await search.find(tag, began, began, anchor)] == [id_]
        assert await search.find(new_tag(), began, began, anchor) == []

    stepped(main())


@steps
async def test_two_tasks_of_one_submission_come_oldest_first(records: Records, search: Reconciler[Swap]) -> None:
    began, tag = clock(), new_tag()
    first = records.add(f"{tag} clip")
    await asyncio.sleep(0.3)
    second = records.add(f"{tag} clip")
    assert [task.id for task in await search.find(tag, began, began)] == [first, second]


@steps
async def test_a_name_that_is_cut_still_tells(records: Records, search: Reconciler[Swap]) -> None:
    began, tag = clock(), new_tag()
    records.add(f"{tag} {'x' * 500}"[:18])
    assert len(await search.find(tag, began, began)) == 1


@steps
async def test_hundreds_of_doubts_share_their_walks(records: Records, search: Reconciler[Swap]) -> None:
    began = clock()

    async def doubt(n: int, tag: str) -> int:
        await asyncio.sleep(n * 0.01)
        return len(await search.find(tag, began + n * 0.01, began + n * 0.01))

    tags = [new_tag() for _ in range(400)]
    for tag in tags[::2]:
        records.add(tag, shown=began + 30)
    found = await asyncio.gather(*(doubt(n, tag) for n, tag in enumerate(tags)))
    assert found == [1, 0] * 200
    assert len(records.walks) < 50
    assert records.asked < 50 * 4


@steps
async def test_what_joins_later_is_judged_by_walks_of_its_own(records: Records, search: Reconciler[Swap]) -> None:
    """A walk that began before a doubt arose says nothing of it."""
    began, tag = clock(), new_tag()
    records.latency = 40.0
    first = asyncio.create_task(search.find(new_tag(), began - SETTLE, began - SETTLE))
    await asyncio.sleep(POLICY.shortest + 1)
    records.add(tag, shown=clock() + 60)
    assert len(await search.find(tag, clock(), clock() - SETTLE)) == 1
    assert await first == []


@steps
async def test_a_listing_that_fails_for_a_while_is_waited_for(records: Records, search: Reconciler[Swap]) -> None:
    began, tag = clock(), new_tag()
    records.add(tag)

    def fail(_page: int) -> None:
        if clock() < began + GIVE_UP - 20:
            raise ServerError("no", http_status=503)

    records.before = fail
    assert len(await search.find(tag, began, began)) == 1
    records.before = lambda page: fail(page) if page == 2 else None
    assert await search.find(new_tag(), clock(), clock()) == []


@steps
async def test_a_listing_that_always_fails_proves_nothing(records: Records, search: Reconciler[Swap]) -> None:
    def fail(_page: int) -> None:
        raise ServerError("no", http_status=503)

    records.before, began = fail, clock()
    with pytest.raises(UnprovableError, match="cannot be read") as caught:
        await search.find(new_tag(), began, began)
    assert not caught.value.lasting
    assert GIVE_UP <= clock() - began < GIVE_UP + SETTLE + 60


@steps
async def test_lists_that_nobody_read_while_the_machine_slept_were_not_unreadable(
    records: Records, search: Reconciler[Swap]
) -> None:
    began, tag = clock(), new_tag()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SteppingLoop)
    down = began + 3 * 3600 + GIVE_UP / 2

    def fail(_page: int) -> None:
        if clock() < down:
            raise TransportError("no network")

    records.before = fail
    records.add(tag)
    loop.call_later(GIVE_UP / 2, lambda: setattr(loop, "now", loop.now + 3 * 3600))
    [task] = await search.find(tag, began, began)
    assert task.name == tag
    # One that begins to fail only now is waited for anew.
    records.before = lambda _page: None
    assert await search.find(new_tag(), clock(), clock()) == []


@pytest.mark.parametrize(("size", "counts"), [(100, True), (100, False), (50, True), (50, False), (10, True)])
def test_a_listing_without_its_older_records_proves_nothing(size: int, *, counts: bool) -> None:
    """The service ignores the number of the page, and perhaps its size too."""

    async def main() -> None:
        records, began = Records(), clock()
        records.most, records.pages, records.counts = size, False, counts
        for _ in range(250):
            records.add("newer")
        with pytest.raises(UnprovableError):
            await reconciler(records).find(new_tag(), began, began)

    stepped(main())


@pytest.mark.parametrize("count", [0, 3, 60, 100, 200])
def test_a_service_with_smaller_pages_is_read_to_the_end(count: int) -> None:
    async def main() -> None:
        records, began = Records(), clock()
        records.most = 20
        for _ in range(count):
            records.add("newer")
        search = reconciler(records)
        assert await search.find(new_tag(), began, began) == []
        tag = new_tag()
        records.add(tag, at=began - 1)
        assert len(await search.find(tag, began, began)) == 1

    stepped(main())


@steps
async def test_a_short_list_that_ignores_the_page_is_enough(records: Records, search: Reconciler[Swap]) -> None:
    records.pages, began = False, clock()
    for _ in range(60):
        records.add("newer")
    assert await search.find(new_tag(), began, began) == []


@steps
async def test_what_was_sent_long_ago_is_not_given_out_as_absent(records: Records, search: Reconciler[Swap]) -> None:
    tag = new_tag()
    with pytest.raises(UnprovableError, match="so long ago") as caught:
        await search.find(tag, clock() - KEPT - 1, clock() - KEPT - 1)
    assert caught.value.lasting
    records.add(tag, at=clock() - KEPT - 1)
    assert len(await search.find(tag, clock() - KEPT - 2, clock() - KEPT - 2)) == 1


@steps
async def test_a_refused_token_is_told_at_once(records: Records, search: Reconciler[Swap]) -> None:
    def refuse(_page: int) -> None:
        raise AuthenticationError("no", http_status=401)

    records.before, began = refuse, clock()
    finds = [search.find(new_tag(), began, began) for _ in range(5)]
    ends = await asyncio.gather(*finds, return_exceptions=True)
    assert [type(end) for end in ends] == [AuthenticationError] * 5
    assert records.asked == 1
    records.before = lambda _page: None
    assert await search.find(new_tag(), began, began) == []


@steps
async def test_a_doubt_that_is_cancelled_disturbs_no_other(records: Records, search: Reconciler[Swap]) -> None:
    began, tag = clock(), new_tag()
    records.latency = 2.0
    doubts = [asyncio.create_task(search.find(new_tag(), began, began)) for _ in range(20)]
    stays = asyncio.create_task(search.find(tag, began, began))
    await asyncio.sleep(2)
    for doubt in doubts:
        doubt.cancel()
    await asyncio.wait(doubts)
    records.add(tag)
    assert len(await stays) == 1
    asked = records.asked
    await asyncio.sleep(500)
    assert records.asked == asked
    last = asyncio.create_task(search.find(tag, began, began))
    await asyncio.sleep(1.5)
    last.cancel()
    await asyncio.wait([last])


@steps
async def test_kinds_without_a_name_are_not_looked_for(records: Records, search: Reconciler[Swap]) -> None:
    for kind in (FACE_SWAP_PREVIEW, VOICE_CLONE):
        lost: Reconciler[Any] = Reconciler(records, kind, POLICY, SETTLE, now=clock)
        with pytest.raises(UnprovableError) as caught:
            await lost.find("", clock(), clock())
        assert caught.value.lasting
    assert records.asked == 0


# --- Over TCP, with the journal ---------------------------------------------------------------------------------------


def phases(path: Path) -> dict[str, str]:
    return {entry.key: entry.phase for entry in read_entries(path, 1)}


def spent(s: Scene) -> float:
    return -sum(charge.delta for charge in s.account.ledger if charge.reason != "grant")


@pytest.mark.anyio
async def test_each_way_to_lose_an_answer_is_paid_once(tmp_path: Path) -> None:
    rules = {
        "reset-after": Rule("reset_after", path=ADD, first=1),
        "reset-before": Rule("reset_before", path=ADD, first=1),
        "html": Rule("html", path=ADD, first=1, after=True),
        "html-before": Rule("html", path=ADD, first=1),
        "503": Rule("status", path=ADD, status=503, first=1, after=True),
        "503-before": Rule("status", path=ADD, status=503, first=1),
        "504": Rule("status", path=ADD, status=504, first=1, after=True),
        "408": Rule("status", path=ADD, status=408, first=1, after=True),
        "empty": Rule("status", path=ADD, status=200, body="{}", first=1, after=True),
        "no id": Rule("status", path=ADD, status=200, body='{"code":0,"data":{"coins":10}}', first=1, after=True),
        "torn": Rule("status", path=ADD, status=200, body='{"code":0,"da', first=1, after=True),
        "late": Rule("delay", path=ADD, seconds=1.2, first=1),
        "fine": Rule("status", path=ADD, status=429, first=1),
    }
    async with scene(**SWIFT) as s, s.a2e.batch(FACE_SWAP, journal=tmp_path / "j") as batch:
        for name, rule in rules.items():
            s.account.fault(rule).name = f"* {name}"
        jobs = [s.swap | {"key": name, "name": name} for name in rules]
        ends = {o.key: o async for o in batch.run(jobs)}
        assert {key: (end.state, end.error, end.coins) for key, end in ends.items()} == dict.fromkeys(
            rules, (TaskState.DONE, None, 10.0)
        )
        assert sorted(task.wire_fields()["name"].partition(" ")[2] for task in s.account.tasks) == sorted(rules)
        assert {end.task.id for end in ends.values() if end.task} == {task.id for task in s.account.tasks}
        twice = {rule.name.removeprefix("* ") for rule in rules.values() if rule.hits == 2}
        assert twice == {"reset-before", "html-before", "503-before", "fine"}
        assert spent(s) == batch.status().coins == 10 * len(rules)


@pytest.mark.anyio
async def test_a_service_that_loses_every_submission_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("a2e_async._submit._TRIES", 2)
    policy = PollPolicy(shortest=0.05, longest=0.2, grace=0.1)
    async with scene(timeout=0.4, poll=policy) as s:
        down = s.account.fault(Rule("status", path=ADD, status=503))
        async with s.a2e.batch(FACE_SWAP, journal=tmp_path / "j", max_coins=100) as batch:
            [end] = [o async for o in batch.run([s.swap | {"key": "k"}])]
            assert (end.state, end.coins, batch.status().coins, down.hits) == (TaskState.FAILED, 0, 0, 2)
            assert isinstance(end.error, A2EError)
            assert "2 times" in str(end.error)
            assert (end.error.spent, end.error.retry_safe) == ("no", True)
        assert phases(tmp_path / "j") == {"k": "new"}
        down.first = 0
        async with s.a2e.batch(FACE_SWAP, journal=tmp_path / "j") as batch:
            assert [o.state async for o in batch.resume()] == [TaskState.DONE]


@pytest.mark.anyio
async def test_records_that_show_up_late_over_the_wire(tmp_path: Path) -> None:
    async with scene(**SWIFT) as s, s.a2e.batch(FACE_SWAP, journal=tmp_path / "j") as batch:
        s.account.lag(40)  # 0.4 s of real time, within the grace
        s.account.fault(Rule("reset_after", path=ADD, name="* after", first=1))
        s.account.fault(Rule("reset_before", path=ADD, name="* before", first=1))
        jobs = [s.swap | {"key": name, "name": name} for name in ("after", "before", "fine")]
        assert {o.key: o.error async for o in batch.run(jobs)} == dict.fromkeys(("after", "before", "fine"))
        assert len(s.account.tasks) == 3
        assert spent(s) == batch.status().coins == 30


@pytest.mark.anyio
async def test_jobs_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    async with scene(**SWIFT) as s, s.a2e.batch(FACE_SWAP, journal=tmp_path / "j") as batch:
        s.account.fault(Rule("reset_after", path=ADD, first=3))
        ends = [o async for o in batch.run([s.swap | {"key": f"k{n}"} for n in range(5)])]
        assert len({o.task.id for o in ends if o.task}) == len(s.account.tasks) == 5
        assert {o.state for o in ends} == {TaskState.DONE}


@pytest.mark.anyio
async def test_a_task_that_was_made_twice_is_reported_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scene(**SWIFT) as s:
        start = s.account.start

        def twice(draft: Any) -> Any:
            if draft.fields["name"].endswith(" double"):
                start(draft)
            return start(draft)

        monkeypatch.setattr(s.account, "start", twice)
        s.account.fault(Rule("reset_after", path=ADD, name="* double", first=1))
        jobs = [s.swap | {"key": "double", "name": "double"}, s.swap | {"key": "single", "name": "single"}]
        async with s.a2e.batch(FACE_SWAP, journal=tmp_path / "j") as batch:
            ends = {o.key: o async for o in batch.run(jobs)}
            first, second = [t.id for t in s.account.tasks if str(t.wire_fields()["name"]).endswith("double")]
            assert ends["double"].task is not None
            assert (ends["double"].task.id, ends["double"].twins) == (first, (second,))
            assert ends["single"].twins == ()
            assert spent(s) == batch.status().coins == 30
        async with s.a2e.batch(FACE_SWAP, journal=tmp_path / "j") as batch:
            assert batch.status().coins == 30
            again = {o.key: o async for o in batch.run(jobs)}
            assert again["double"].twins == (second,)
            assert batch.status().coins == 30


@pytest.mark.anyio
async def test_doubts_among_more_records_than_a_page_holds(tmp_path: Path) -> None:
    """While the search turns the pages, the rest of the batch fills them."""
    async with scene(coins=1e6, **SWIFT) as s, s.a2e.batch(FACE_SWAP, journal=tmp_path / "j") as batch:
        s.account.fault(Rule("reset_after", path=ADD, every=10, first=1))
        s.account.fault(Rule("reset_before", path=ADD, every=25, nth=7))
        ends = [o async for o in batch.run([s.swap | {"key": f"k{n}"} for n in range(260)])]
        assert [o.error for o in ends] == [None] * 260
        assert len(s.account.tasks) == len({o.task.id for o in ends if o.task}) == 260
        assert spent(s) == batch.status().coins == 2600
        assert len(s.sent("GET", LIST)) < 150


@pytest.mark.anyio
async def test_a_listing_out_of_order_for_a_while_and_for_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "j"
    async with scene(**SWIFT) as s:
        jobs = [s.swap | {"key": "k"}]
        s.account.fault(Rule("reset_after", path=ADD, first=1))
        broken = s.account.fault(Rule("status", path=LIST))
        monkeypatch.setattr("a2e_async._reconcile.GIVE_UP", 0.3)
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            [lost] = [o async for o in batch.run(jobs)]
        assert lost.state is TaskState.UNCERTAIN
        assert isinstance(lost.error, SubmissionUncertainError)
        assert lost.error.spent == "unknown"
        assert "cannot be read" in str(lost.error)
        assert phases(path) == {"k": "sending"}
        broken.first = broken.hits + 8
        monkeypatch.setattr("a2e_async._reconcile.GIVE_UP", GIVE_UP)
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            [found] = [o async for o in batch.run(jobs)]
            assert (found.state, found.coins, batch.status().coins) == (TaskState.DONE, 10, 10)
        assert len(s.sent("POST", ADD)) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("status", [404, 400, 405])
async def test_a_listing_that_is_not_there_leaves_the_job_uncertain(tmp_path: Path, status: int) -> None:
    path = tmp_path / "j"
    async with scene(**SWIFT) as s:
        s.account.fault(Rule("reset_after", path=ADD, first=1))
        gone = s.account.fault(Rule("status", path=LIST, status=status))
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            [lost] = [o async for o in batch.run([s.swap | {"key": "k"}])]
        assert lost.state is TaskState.UNCERTAIN
        assert isinstance(lost.error, SubmissionUncertainError)
        assert phases(path) == {"k": "sending"}
        gone.first = 0
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            assert [o.state async for o in batch.resume()] == [TaskState.DONE]
        assert len(s.sent("POST", ADD)) == 1


@pytest.mark.anyio
async def test_what_has_no_name_stays_uncertain_until_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "j"
    async with scene(**SWIFT) as s:
        posts = "/userFaceSwapPreview/add"
        jobs = [{"key": "k", "face_url": s.sandbox.face_url, "video_url": s.sandbox.video_url}]
        s.account.fault(Rule("reset_after", path=f"*{posts}", first=1))

        async def run(**settings: Any) -> Any:
            async with s.a2e.batch(FACE_SWAP_PREVIEW, journal=path, **settings) as batch:
                [outcome] = [o async for o in batch.run(jobs)]
            return outcome

        first, second = await run(), await run()
        assert [o.state for o in (first, second)] == [TaskState.UNCERTAIN] * 2
        assert (first.known, second.known) == (False, True)
        assert isinstance(second.error, SubmissionUncertainError)
        assert "carries no name" in str(first.error)
        assert phases(path) == {"k": "uncertain"}
        async with s.a2e.batch(FACE_SWAP_PREVIEW, journal=path) as batch:
            assert [o async for o in batch.resume()] == []
        assert len(s.sent("POST", posts)) == 1
        assert (await run(retry={"failed"})).state is TaskState.UNCERTAIN
        assert (await run(retry={"uncertain"})).state is TaskState.DONE
        assert (await run(retry={"uncertain"})).known
        assert len(s.sent("POST", posts)) == 2


@pytest.mark.anyio
async def test_a_doubt_left_behind_is_settled_by_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "j"
    async with scene(**SWIFT) as s:
        before = asyncio.all_tasks()
        s.account.fault(Rule("reset_after", path=ADD, name="* a", first=1))
        s.account.fault(Rule("reset_before", path=ADD, name="* b", first=1))
        jobs = [s.swap | {"key": name, "name": name} for name in "ab"]
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            run = asyncio.ensure_future(anext(aiter(batch.run(jobs))))
            while len(s.sent("POST", ADD)) < 2:
                await asyncio.sleep(0)
            s.account.fault(Rule("status", path=LIST, first=3))
            while len(s.sent("GET", LIST)) < 2:
                await asyncio.sleep(0)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        assert phases(path) == {"a": "sending", "b": "sending"}
        assert not {task for task in asyncio.all_tasks() - before if "a2e" in task.get_name()}
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            assert {o.key: o.error async for o in batch.resume()} == {"a": None, "b": None}
        assert len(s.account.tasks) == 2
        assert len(s.sent("POST", ADD)) == 3


@pytest.mark.anyio
async def test_a_service_that_changes_names_proves_no_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where an answer shows that names are not kept, a name that is not listed says nothing."""
    shape = swaps._shape
    monkeypatch.setattr(swaps, "_shape", lambda call, task: shape(call, task) | {"name": "untitled"})
    async with scene(**SWIFT) as s, s.a2e.batch(FACE_SWAP, journal=tmp_path / "j", max_in_flight=1) as batch:
        s.account.fault(Rule("reset_after", path=ADD, nth=2))
        ends = [o async for o in batch.run([s.swap | {"key": f"k{n}"} for n in range(3)])]
        assert [o.state for o in ends] == [TaskState.DONE, TaskState.UNCERTAIN, TaskState.DONE]
        assert "names" in str(ends[1].error)
        assert len(s.sent("POST", ADD)) == len(s.account.tasks) == 3
    assert phases(tmp_path / "j")["k1"] == "sending"


@pytest.mark.anyio
async def test_a_service_that_tells_no_names_proves_no_absence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shape = swaps._shape
    monkeypatch.setattr(swaps, "_shape", lambda call, task: shape(call, task) | {"name": ""})
    async with scene(**SWIFT) as s, s.a2e.batch(FACE_SWAP, journal=tmp_path / "j") as batch:
        s.account.fault(Rule("reset_after", path=ADD))
        [end] = [o async for o in batch.run([s.swap])]
        assert end.state is TaskState.UNCERTAIN
        assert "without a name" in str(end.error)
        assert len(s.sent("POST", ADD)) == len(s.account.tasks) == 1


@steps
async def test_a_record_without_a_name_that_is_newer_leaves_the_doubt(
    records: Records, search: Reconciler[Swap]
) -> None:
    records.add("clip")
    await asyncio.sleep(2 * MARGIN)
    anchor, began = await search.anchor(), clock()
    assert await search.find(new_tag(), began, began, anchor) == []
    records.add("")
    with pytest.raises(UnprovableError, match="without a name"):
        await search.find(new_tag(), began, began, anchor)


@steps
async def test_records_without_names_from_before_do_no_harm(records: Records, search: Reconciler[Swap]) -> None:
    records.add("")
    await asyncio.sleep(2 * MARGIN)
    anchor, began = await search.anchor(), clock()
    assert await search.find(new_tag(), began, began, anchor) == []
    with pytest.raises(UnprovableError, match="without a name"):
        await search.find(new_tag(), began, began)
    await asyncio.sleep(2 * SKEW)
    assert await search.find(new_tag(), clock(), clock()) == []


@steps
async def test_names_that_turn_out_to_change_end_the_search(records: Records, search: Reconciler[Swap]) -> None:
    began, tag = clock(), new_tag()
    doubt = asyncio.create_task(search.find(tag, began, began))
    await asyncio.sleep(SETTLE / 2)
    search.saw(records.task((clock(), 0, "0" * 24, "untitled")), new_tag())
    with pytest.raises(UnprovableError, match="names"):
        await doubt


def test_refusals_of_the_listing_are_no_absence() -> None:
    """Whatever it is, nobody is told that there is no task."""

    async def main(error: Exception) -> None:
        records, began = Records(), clock()

        def refuse(_page: int) -> None:
            raise error

        records.before = refuse
        with pytest.raises((UnprovableError, type(error))):
            await reconciler(records).find(new_tag(), began, began)

    for error in (NotFoundError("no", http_status=404), ValueError("defect")):
        stepped(main(error))
