"""Batches that are taken up again: which jobs are known, what is paid anew, how a run is left."""

import asyncio
import gc
import json
import random
import sqlite3
import sys
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from msgspec import structs

import a2e_async
from a2e_async import (
    FACE_SWAP,
    A2ESession,
    AuthenticationError,
    BatchStoppedError,
    DecodeError,
    InsufficientCoinsError,
    JournalError,
    Limits,
    ModerationError,
    NotFoundError,
    PollPolicy,
    RequestError,
    TaskFailedError,
    TaskState,
    TaskTimeoutError,
)
from a2e_async._durations import durations_of
from a2e_async.groups.face_swap import AddSwap
from a2e_async.journal import Entry, read_entries, read_summaries
from a2e_async.sandbox import Account, Rule, Sandbox
from a2e_async.sandbox.handlers import face_swap as swaps
from tests.service import KEY, Scene, scene

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[1]
PACKAGE = Path(a2e_async.__file__).parent
ADD = "/api/v1/userFaceSwapTask/add"
FAST: dict[str, Any] = {"clock": "scaled:1000"}
SWIFT: dict[str, Any] = {"timeout": 1.0, "poll": PollPolicy(shortest=0.05, longest=0.2, grace=0.5)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "swaps.sqlite"


def entries(path: Path) -> dict[str, Entry]:
    return {entry.key: entry for entry in read_entries(path, 1)}


def jobs(s: Scene, count: int, first: int = 0) -> list[dict[str, str]]:
    return [s.swap | {"key": f"k{n}", "name": f"n{n}"} for n in range(first, first + count)]


@pytest.fixture
def fates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tasks fail whose name says so, behind whatever stands before it."""
    start = Account.start

    def failing(account: Account, draft: Any) -> Any:
        _, fails, why = str(draft.fields["name"]).partition("fail:")
        return start(account, structs.replace(draft, failure=why) if fails else draft)

    monkeypatch.setattr(Account, "start", failing)


def spent(s: Scene) -> float:
    return -sum(charge.delta for charge in s.account.ledger if charge.reason != "grant")


async def tell(outcomes: AsyncIterator[Any], told: list[Any]) -> None:
    async for outcome in outcomes:
        told.append(outcome)  # noqa: PERF401 - what was told before an error counts


async def ends(s: Scene, path: Path, source: Any, **settings: Any) -> dict[str, Any]:
    async with s.a2e.batch(FACE_SWAP, journal=path, **settings) as batch:
        found = {outcome.key: outcome async for outcome in batch.run(source)}
        assert [batch.status().coins] == [x.coins for x in read_summaries(path) if x.name == settings.get("name", "")]
        return found


# --- Which job is which -----------------------------------------------------------------------------------------------


async def test_a_job_without_a_key_is_known_by_its_content(path: Path) -> None:
    async with scene(**FAST) as s:
        content = [s.swap, AddSwap(**s.swap), s.swap | {"name": "other"}, s.swap | {"model_version": "v1"}]
        first = await ends(s, path, content)
        assert len(first) == len(s.account.tasks) == 2
        assert sorted(len(key) for key in first) == [16, 16]
        again = await ends(s, path, content[1:3])
        assert {key: end.known for key, end in again.items()} == dict.fromkeys(first, True)
        # A key of its own pays for the same once more.
        await ends(s, path, [s.swap | {"key": "mine"}, s.swap])
        assert len(s.account.tasks) == 3


async def test_one_job_twice_in_one_input_is_paid_once(path: Path) -> None:
    async with scene(**FAST) as s, s.a2e.batch(FACE_SWAP, journal=path) as batch:
        found = [o async for o in batch.run([s.swap | {"key": "k"}] * 20)]
        assert [o.state for o in found] == [TaskState.DONE] * 20
        assert [o.known for o in found] == [False] + [True] * 19
        assert len({o.task.id for o in found if o.task}) == len(s.account.tasks) == 1
        assert batch.status().done == batch.status().ended == 20
        assert batch.status().coins == 10


async def test_a_key_with_another_content_is_refused(path: Path) -> None:
    async with scene(**FAST) as s:
        await ends(s, path, [s.swap | {"key": "k"}])
        [other] = (await ends(s, path, [s.swap | {"key": "k", "name": "changed"}])).values()
        assert other.state is TaskState.FAILED
        assert isinstance(other.error, RequestError)
        assert (other.error.field, other.error.spent, other.coins) == ("key", "no", 0)
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            both = [s.swap | {"key": "m"}, s.swap | {"key": "m", "name": "changed"}]
            assert sorted([str(o.error)[:4] async for o in batch.run(both)]) == ["None", "key:"]
        assert len(s.account.tasks) == 2
        # Two batches of one file know nothing of each other's keys.
        assert not (await ends(s, path, [s.swap | {"key": "k", "name": "changed"}], name="b"))["k"].error


async def test_what_is_known_is_told_with_all_that_was_known(path: Path) -> None:
    async with scene(**FAST) as s:
        [first] = (await ends(s, path, jobs(s, 1))).values()
        before = len(s.account.requests)
        [again] = (await ends(s, path, jobs(s, 1))).values()
        assert len(s.account.requests) == before
        assert (again.key, again.state, again.error, again.coins) == ("k0", TaskState.DONE, None, 10)
        assert first.task.raw == again.task.raw
        assert abs((first.submitted_at - again.submitted_at).total_seconds()) < 1
        assert again.known


# --- Failures ---------------------------------------------------------------------------------------------------------


async def test_a_failure_is_told_again_and_paid_anew_only_if_asked(path: Path, fates: None) -> None:
    async with scene(**FAST) as s:
        source = [s.swap | {"key": "f", "name": "fail:no face"}]
        for known in (False, True):
            [end] = (await ends(s, path, source)).values()
            assert (end.state, end.known, end.coins) == (TaskState.FAILED, known, 0)
            assert isinstance(end.error, TaskFailedError)
            assert "no face" in str(end.error)
        assert len(s.account.tasks) == 1
        [end] = (await ends(s, path, source, retry=["failed"])).values()
        assert not end.known
        assert len(s.account.tasks) == 2
        # Under the same key another content may take the place of one that failed.
        [end] = (await ends(s, path, [s.swap | {"key": "f"}])).values()
        assert (end.state, end.coins) == (TaskState.DONE, 10)
        assert spent(s) == 10
        [end] = (await ends(s, path, [s.swap | {"key": "f"}], retry=["failed"])).values()
        assert end.known


async def test_moderation_is_final(path: Path, fates: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether at the submission or at the end of the task: never sent again, whatever is asked for."""
    show = swaps._outcome

    def moderated(call: Any, task: Any) -> dict[str, object]:
        return show(call, task) | ({"error_code": "1003"} if task.failure else {})

    monkeypatch.setattr(swaps, "_outcome", moderated)
    async with scene(**FAST) as s:
        refusal = json.dumps({"code": 1004, "msg": "the input was refused"})
        s.account.fault(Rule("status", path=ADD, status=403, body=refusal, name="* at once"))
        source = [s.swap | {"key": "at once", "name": "at once"}, s.swap | {"key": "later", "name": "fail:no"}]
        for retry in ([], ["failed"], ["failed", "uncertain"], []):
            again = await ends(s, path, source, retry=retry)
            assert {key: type(end.error) for key, end in again.items()} == dict.fromkeys(
                ("at once", "later"), ModerationError
            )
            assert {key: (end.error.code, end.state, end.coins) for key, end in again.items()} == {
                "at once": (1004, TaskState.FAILED, 0),
                "later": (1003, TaskState.FAILED, 0),
            }
        assert {end.known for end in again.values()} == {True}
        assert len(s.sent("POST", ADD)) == 2
        assert spent(s) == 0


async def test_a_refused_token_stops_everything_and_loses_nothing(path: Path) -> None:
    async with scene(**FAST) as s:
        refused = s.account.fault(Rule("status", path=ADD, status=401))
        refused.first = 0
        source = jobs(s, 60)

        def revoked() -> Iterator[dict[str, str]]:
            for number, job in enumerate(source):
                refused.first = None if number == 15 else refused.first
                yield job

        async with s.a2e.batch(FACE_SWAP, journal=path, max_in_flight=5) as batch:
            told: list[Any] = []
            with pytest.raises(AuthenticationError):
                await tell(batch.run(revoked()), told)
            assert all(outcome.error is None for outcome in told)
            assert 10 <= len(told) == len(s.account.tasks) < 20
            status = batch.status()
            assert (status.submitting, status.done, status.failed) == (0, len(told), 0)
        refused.first = 0
        found = await ends(s, path, source)
        assert {end.state for end in found.values()} == {TaskState.DONE}
        assert len(found) == len(s.account.tasks) == 60
        assert sum(end.known for end in found.values()) == len(told)


async def test_too_few_coins_stop_and_more_coins_go_on(path: Path) -> None:
    async with scene(coins=35, **FAST) as s:
        with pytest.raises(InsufficientCoinsError):
            await ends(s, path, jobs(s, 9))
        assert Counter(entry.phase for entry in entries(path).values())["done"] == 3
        s.account.bank.book(s.account.clock.now(), 1000, "grant")
        found = await ends(s, path, jobs(s, 9))
        assert {end.error for end in found.values()} == {None}
        assert len(s.account.tasks) == 9


async def test_too_many_failures_stop_the_batch(path: Path, fates: None) -> None:
    async with scene(coins=1e6, **FAST) as s:
        source = [s.swap | {"key": f"k{n}", "name": "fail:x" if n % 2 else "fine"} for n in range(500)]
        async with s.a2e.batch(FACE_SWAP, journal=path, max_failed=0.3, max_in_flight=10) as batch:
            with pytest.raises(BatchStoppedError, match=r"max_failed=0\.3"):
                [o async for o in batch.run(source)]
        assert 20 <= len(s.account.tasks) < 60
        # Those of earlier runs are not held against it.
        async with s.a2e.batch(FACE_SWAP, journal=path, max_failed=0.6, max_in_flight=10) as batch:
            assert len([o async for o in batch.run(source[:100])]) == 100


async def test_refused_jobs_leave_no_coin_and_may_be_mended(path: Path) -> None:
    async with scene(**FAST) as s:
        s.account.fault(Rule("status", path=ADD, status=400, body='{"code":400,"msg":"too long"}', first=1))
        [end] = (await ends(s, path, jobs(s, 1))).values()
        assert (end.state, end.coins, entries(path)["k0"].phase) == (TaskState.FAILED, 0, "new")
        [end] = (await ends(s, path, [s.swap | {"key": "k0", "name": "mended"}])).values()
        assert (end.state, end.known) == (TaskState.DONE, False)


async def test_a_wait_that_ran_out_goes_on_next_time(path: Path) -> None:
    async with scene(clock="stepped") as s:
        [late] = (await ends(s, path, jobs(s, 1), deadline=0.1)).values()
        assert isinstance(late.error, TaskTimeoutError)
        assert (late.state, entries(path)["k0"].phase) == (TaskState.QUEUED, "sent")
        s.account.advance(200)
        [end] = (await ends(s, path, jobs(s, 1))).values()
        assert (end.state, end.known, end.coins, len(s.account.tasks)) == (TaskState.DONE, False, 10, 1)


async def test_a_task_that_is_gone_is_not_paid_for_again(path: Path) -> None:
    async with scene(clock="stepped", poll=PollPolicy(shortest=0.05, longest=0.1, grace=0.1)) as s:
        await ends(s, path, jobs(s, 1), deadline=0.1)
        s.account.advance(200)
        s.account.remove(s.account.tasks[0])
        for retry in ([], ["failed", "uncertain"]):
            [end] = (await ends(s, path, jobs(s, 1), retry=retry)).values()
            assert isinstance(end.error, NotFoundError)
        assert len(s.sent("POST", ADD)) == 1


# --- Leaving and going on ---------------------------------------------------------------------------------------------


async def test_a_run_that_is_left_is_taken_up_with_the_same_input(path: Path) -> None:
    async with scene(coins=1e6, **FAST) as s, s.a2e.batch(FACE_SWAP, journal=path, max_in_flight=8) as batch:
        seen: Counter[str] = Counter()
        source = jobs(s, 60)
        for limit in (5, 10, 15, 1000):
            count = 0
            async for outcome in batch.run(source):
                assert outcome.error is None
                seen[outcome.key] += not outcome.known
                count += 1
                if count == limit:
                    break
        assert count == 60
        assert len(s.account.tasks) == batch.status().coins / 10 == spent(s) / 10 == 60
        assert max(seen.values()) == 1


async def test_a_run_in_an_iterator_goes_on_where_it_was_left(path: Path) -> None:
    async with scene(coins=1e6, **FAST) as s, s.a2e.batch(FACE_SWAP, journal=path, max_in_flight=4) as batch:
        rest = iter(jobs(s, 40))
        told: set[str] = set()
        for _ in range(3):
            async with aclosing(batch.run(rest)) as run:
                async for outcome in run:
                    told.add(outcome.key)
                    if len(told) % 10 == 0:
                        break
        told |= {o.key async for o in batch.run(rest)}
        # What was under way when the run was left is not in the iterator any more, but in the journal.
        told |= {o.key async for o in batch.resume()}
        known = {key for key, entry in entries(path).items() if entry.phase == "done"}
        assert len(s.account.tasks) == len(known)
        assert told <= known
        assert len(known) >= 40 - 3 * 4


async def test_two_runs_at_once_are_refused(path: Path) -> None:
    async with scene(clock="stepped") as s, s.a2e.batch(FACE_SWAP, journal=path) as batch:
        run = aiter(batch.run(jobs(s, 2)))
        first = asyncio.ensure_future(anext(run))
        while batch.status().queued < 2:
            await asyncio.sleep(0)
        for other in (batch.run([]), batch.resume()):
            with pytest.raises(RequestError, match="one run"):
                await anext(aiter(other))
        s.account.advance(200)
        assert (await first).error is None
        assert [o.key async for o in run]
        assert [o.key async for o in batch.run([])] == []


async def test_a_cancelled_run_is_settled_by_the_next(path: Path) -> None:
    """The task is cancelled while every submission is on its way."""
    async with scene(coins=1e6, clock="scaled:1000", **SWIFT) as s:
        before = asyncio.all_tasks()
        s.account.fault(Rule("delay", path=ADD, seconds=0.8, every=2, first=1))
        source = jobs(s, 20)

        async def run() -> None:
            async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
                async for _ in batch.run(source):
                    pass

        task = asyncio.ensure_future(run())
        while len(s.sent("POST", ADD)) < 20:
            await asyncio.sleep(0)
        began = asyncio.get_running_loop().time()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.get_running_loop().time() - began < 1
        assert not {t for t in asyncio.all_tasks() - before if "a2e" in t.get_name()}
        phases = Counter(entry.phase for entry in entries(path).values())
        assert phases["sending"] > 0  # the slow half, as far as the machine was in time
        s.account.rules.clear()
        found = await ends(s, path, source)
        assert {end.error for end in found.values()} == {None}
        assert len(s.account.tasks) == 20
        assert spent(s) == 200


async def test_cancel_stops_submitting_and_leaves_what_was_started(path: Path) -> None:
    async with scene(clock="stepped", coins=1e6) as s:
        source = jobs(s, 50)
        async with s.a2e.batch(FACE_SWAP, journal=path, max_in_flight=10) as batch:
            told: list[Any] = []
            task = asyncio.ensure_future(tell(batch.run(source), told))
            while batch.status().queued < 10:
                await asyncio.sleep(0)
            assert await batch.cancel() == 0
            await task
            assert told == []
            with pytest.raises(BatchStoppedError, match="cancelled"):
                [o async for o in batch.run(source)]
        assert len(s.account.tasks) == 10
        assert not s.sent("DELETE", "")
        s.account.advance(1000)
        async with s.a2e.batch(FACE_SWAP, journal=path, max_in_flight=10) as batch:
            assert len([o async for o in batch.resume()]) == 10
            assert len(s.account.tasks) == 10


async def test_a_request_that_cannot_be_read_any_more_is_one_jobs_failure(path: Path) -> None:
    async with scene(clock="stepped") as s:
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            task = asyncio.ensure_future(tell(batch.run(jobs(s, 2)), []))
            while batch.status().queued < 2:
                await asyncio.sleep(0)
            await batch.cancel()
            await task
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE jobs SET request = ? WHERE key = 'k0'", (b'{"name":' + b"[" * 100_000,))
        s.account.advance(1000)
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            found = {outcome.key: outcome async for outcome in batch.resume()}
        assert found["k1"].state is TaskState.DONE
        assert isinstance(found["k0"].error, RequestError)


async def test_cancel_takes_back_what_is_still_queued(path: Path) -> None:
    async with scene(clock="stepped", coins=1e6) as s:
        source = jobs(s, 30)
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            run = aiter(batch.run(source[:20]))
            first = asyncio.ensure_future(anext(run))
            while batch.status().queued < 20:
                await asyncio.sleep(0)
            s.account.advance(15)
            assert {t.state(s.account.clock.now()) for t in s.account.tasks} == {"processing"}
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            await run.aclose()
            run = aiter(batch.run(source))
            first = asyncio.ensure_future(anext(run))
            while batch.status().queued + batch.status().running < 30 or len(batch._course.running) < 30:
                await asyncio.sleep(0)
            assert await batch.cancel(remove=True) == 10
            with pytest.raises(StopAsyncIteration):
                await first
            assert batch.status().coins == spent(s) == 200
        assert len(s.account.tasks) == 20
        assert Counter(entry.phase for entry in entries(path).values()) == {"sent": 20, "new": 10}
        refunds = [charge.delta for charge in s.account.ledger if charge.reason == "refund"]
        assert refunds == [10] * 10
        s.account.advance(1000)
        s.account.pace(1000)
        found = await ends(s, path, source)
        assert {end.error for end in found.values()} == {None}
        assert len(s.account.tasks) == 30
        assert spent(s) == 300


async def test_cancel_takes_back_what_was_just_being_submitted(path: Path) -> None:
    """Its answer arrives while the run is being ended."""
    async with scene(clock="stepped", coins=1e6) as s:
        s.account.fault(Rule("delay", path=ADD, seconds=0.2))
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            first = asyncio.ensure_future(anext(aiter(batch.run(jobs(s, 5)))))
            while len(s.sent("POST", ADD)) < 5:
                await asyncio.sleep(0)
            assert await batch.cancel(remove=True) == 5
            await asyncio.gather(first, return_exceptions=True)
            assert batch.status().coins == spent(s) == 0
        assert s.account.tasks == []


async def test_what_is_taken_back_is_noted_before_the_journal_is_closed(path: Path) -> None:
    """The run ends, and its block is left, while removals are still under way."""
    async with scene(clock="stepped", coins=1e6) as s:
        s.account.fault(Rule("delay", method="DELETE", seconds=0.05))
        batch = s.a2e.batch(FACE_SWAP, journal=path)

        async def run() -> None:
            async with batch:
                await tell(batch.run(jobs(s, 5)), [])

        task = asyncio.ensure_future(run())
        while batch.status().queued < 5:
            await asyncio.sleep(0)
        assert await batch.cancel(remove=True) == 5
        await task
        assert {entry.phase for entry in entries(path).values()} == {"new"}
        assert batch.status().coins == spent(s) == 0


async def test_resume_needs_no_input(path: Path) -> None:
    async with scene(clock="stepped", coins=1e6) as s:
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            first = asyncio.ensure_future(anext(aiter(batch.run(jobs(s, 700)))))
            while batch.status().queued < 700:
                await asyncio.sleep(0.01)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
        s.account.advance(1000)
        async with s.a2e.batch(FACE_SWAP, journal=path) as batch:
            found = [o async for o in batch.resume()]
            assert len({o.key for o in found}) == len(found) == 700
            assert {o.state for o in found} == {TaskState.DONE}
            assert [o async for o in batch.resume()] == []
        assert len(s.sent("POST", ADD)) == 700
        async with s.a2e.batch(FACE_SWAP) as batch:
            with pytest.raises(JournalError, match="without a journal"):
                [o async for o in batch.resume()]


async def test_an_input_that_breaks_keeps_what_was_started(path: Path) -> None:
    async with scene(coins=1e6, clock="scaled:1000", **SWIFT) as s:

        async def torn() -> AsyncIterator[dict[str, str]]:
            for job in jobs(s, 10):
                yield job
            while len(s.sent("POST", ADD)) < 10:
                await asyncio.sleep(0)
            raise LookupError("the list is torn")

        with pytest.raises(LookupError, match="torn"):
            await ends(s, path, torn())
        assert len(entries(path)) == 10
        found = await ends(s, path, jobs(s, 10))
        assert {end.error for end in found.values()} == {None}
        assert len(s.account.tasks) == 10


@pytest.mark.parametrize("journal", [True, False])
async def test_an_input_that_breaks_lets_answers_under_way_arrive(path: Path, *, journal: bool) -> None:
    async with scene(clock="stepped") as s:
        s.account.fault(Rule("delay", path=ADD, seconds=0.15))

        async def torn() -> AsyncIterator[dict[str, str]]:
            for job in jobs(s, 3):
                yield job
            while len(s.sent("POST", ADD)) < 3:
                await asyncio.sleep(0)
            raise LookupError("the list is torn")

        async with s.a2e.batch(FACE_SWAP, journal=path if journal else None) as batch:
            with pytest.raises(LookupError, match="torn"):
                await tell(batch.run(torn()), [])
            assert batch.status().queued == len(s.account.tasks) == 3
        assert not journal or {entry.phase for entry in entries(path).values()} == {"sent"}


async def test_a_rate_holds_over_the_batch(path: Path) -> None:
    async with scene(**FAST) as s:
        await ends(s, path, jobs(s, 1))
        began = asyncio.get_running_loop().time()
        await ends(s, path, jobs(s, 21), rate=40)
        assert asyncio.get_running_loop().time() - began >= 16 / 40


# --- Results ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        *("a/b", "..", ".hidden", "a\\b", "nul\0", "x" * 201, "a:b", "tail.", "a\nb", "é" * 101),
        *("con", "NUL", "Aux.x", "lpt1", "COM¹", "CONIN$"),
    ],
)
async def test_a_key_that_is_no_file_name_is_refused_before_it_is_paid(path: Path, key: str) -> None:
    async with scene(**FAST) as s:
        [end] = (await ends(s, path, [s.swap | {"key": key}], out=path.parent / "{key}.mp4")).values()
        assert isinstance(end.error, RequestError)
        assert end.error.field == "key"
        assert s.account.requests == []
        assert sorted(file.suffix for file in path.parent.iterdir() if ".lock" not in file.name) == [".sqlite"]


@pytest.mark.parametrize("out", ["results", "{name}.mp4", "{}.mp4", "{key:>9}.mp4", "{key!r}.mp4", "{key", "{{key}}"])
async def test_a_pattern_must_tell_jobs_apart(out: str) -> None:
    async with scene() as s:
        with pytest.raises(RequestError, match="out: "):
            s.a2e.batch(FACE_SWAP, out=out)


async def test_an_id_chooses_no_folder(path: Path) -> None:
    async with scene(**FAST) as s:
        swap = {"_id": "../../evil", "current_status": "completed", "result_url": s.sandbox.video_url, "coins": 10}
        s.account.fault(Rule("status", path=ADD, status=200, body=json.dumps({"code": 0, "data": swap})))
        [end] = (await ends(s, path, jobs(s, 1), out=path.parent / "a" / "b" / "{id}.mp4")).values()
        assert (end.state, type(end.error), end.path) == (TaskState.DONE, DecodeError, None)
        assert not list(path.parent.rglob("evil*"))


async def test_only_what_is_missing_is_downloaded_again(path: Path) -> None:
    async with scene(**FAST) as s:
        out = path.parent / "results" / "{key}-{id}.mp4"
        first = await ends(s, path, jobs(s, 4), out=out)
        files = {key: end.path for key, end in first.items()}
        assert all(file is not None and file.stat().st_size > 100 for file in files.values())
        assert {entry.path for entry in entries(path).values()} == {str(file) for file in files.values()}
        files["k2"].unlink()
        kept = files["k1"].stat().st_mtime_ns
        before = len([r for r in s.account.requests if "/api/" not in r.path])
        again = await ends(s, path, jobs(s, 4), out=out)
        assert len([r for r in s.account.requests if "/api/" not in r.path]) == before + 1
        assert {key: (end.path, end.known) for key, end in again.items()} == {k: (f, True) for k, f in files.items()}
        assert files["k2"].exists()
        assert files["k1"].stat().st_mtime_ns == kept
        assert len(s.account.tasks) == 4


async def test_a_download_that_fails_is_told_and_made_up_for(path: Path) -> None:
    async with scene(**FAST) as s:
        out = path.parent / "{key}.mp4"
        broken = s.account.fault(Rule("status", path="/sandbox-files/*", status=404))
        paths = {r.path for r in s.account.requests}
        assert not paths
        broken.path = "*.mp4"
        [end] = (await ends(s, path, jobs(s, 1), out=out)).values()
        assert (end.state, end.path, end.coins) == (TaskState.DONE, None, 10)
        assert end.error is not None
        assert broken.hits
        broken.first = 0
        [end] = (await ends(s, path, jobs(s, 1), out=out)).values()
        assert (end.error, end.path, end.known) == (None, path.parent / "k0.mp4", True)
        assert len(s.account.tasks) == 1


async def test_a_known_result_whose_renewal_is_refused_is_still_told(path: Path) -> None:
    async with scene(**FAST) as s:
        await ends(s, path, jobs(s, 1))
        s.account.fault(Rule("status", path="*.mp4", status=404))
        s.account.fault(Rule("status", method="GET", path="/api/*", status=401))
        async with s.a2e.batch(FACE_SWAP, journal=path, out=path.parent / "{key}.mp4") as batch:
            told: list[Any] = []
            with pytest.raises(AuthenticationError):
                await tell(batch.run(jobs(s, 1)), told)
            assert [(o.key, o.state, type(o.error)) for o in told] == [("k0", TaskState.DONE, AuthenticationError)]
            assert (batch.status().submitting, batch.status().done) == (0, 1)


# --- Large inputs -----------------------------------------------------------------------------------------------------


async def test_a_million_jobs_begin_at_once_and_take_no_room(path: Path) -> None:
    async with scene(coins=1e9, clock="scaled:100000") as s:
        taken = 0
        swap = s.swap

        def million() -> Iterator[dict[str, str]]:
            nonlocal taken
            for n in range(1_000_000):
                taken += 1
                yield swap | {"key": f"k{n}"}

        marks: list[int] = []
        async with (
            s.a2e.batch(FACE_SWAP, journal=path, max_in_flight=20) as batch,
            aclosing(batch.run(million())) as run,
        ):
            count = 0
            async for outcome in run:
                assert outcome.error is None
                count += 1
                assert taken <= count + 20
                # By then all that is kept of ended tasks has reached its bound.
                if count == 1200:
                    tracemalloc.start()
                if count in {1250, 1300, 1350, 2250, 2300, 2350}:
                    marks.append(_own_memory())
                if count == 2350:
                    break
        tracemalloc.stop()
    # The sandbox in this process grows as well: only what the client's modules hold is counted. That goes up and down
    # with the jobs in flight, so the least counts. A thousand jobs: one kept outcome each would be twice as much.
    assert min(marks[3:]) - min(marks[:3]) < 250_000


def _own_memory() -> int:
    gc.collect()
    package = [tracemalloc.Filter(inclusive=True, filename_pattern=str(PACKAGE / "*"))]
    others = [tracemalloc.Filter(inclusive=False, filename_pattern=str(PACKAGE / "sandbox" / "*"))]
    found = tracemalloc.take_snapshot().filter_traces(package + others).statistics("filename")
    return sum(entry.size for entry in found)


# --- Killed again and again -------------------------------------------------------------------------------------------

CHILD = """
import asyncio, os, sys
from a2e_async import FACE_SWAP, A2ESession, Limits, PollPolicy, RetryPolicy

async def main(url, path, key, face, video):
    retry, poll = RetryPolicy(base=0.01, longest=0.05), PollPolicy(shortest=0.05, longest=0.2, grace=0.2)
    limits = Limits(submissions=16)
    async with A2ESession(key, base_url=url, timeout=0.6, retry=retry, poll=poll, limits=limits) as a2e:
        async with a2e.batch(FACE_SWAP, journal=path, max_in_flight=30) as batch:
            jobs = ({"key": f"k{n}", "name": f"n{n}", "face_url": face, "video_url": video} for n in range(60))
            async for o in batch.run(jobs):
                os.write(1, f"{o.key} {o.state} {o.coins:g} {o.known:d}\\n".encode())
            os.write(1, f"end {batch.status().coins:g}\\n".encode())

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("seed", [1, 2])
async def test_killed_at_any_instant_nothing_is_lost_or_paid_twice(path: Path, seed: int) -> None:
    chance = random.Random(seed)
    rules = [
        Rule("reset_after", path=ADD, share=0.08),
        Rule("reset_before", path=ADD, share=0.08),
        Rule("status", path=ADD, status=503, after=True, share=0.05),
        Rule("status", status=503, share=0.05),
        Rule("status", status=429, headers={"Retry-After": "0"}, share=0.05),
        Rule("delay", path=ADD, seconds=0.05, share=0.5),
    ]
    async with Sandbox(clock="scaled:200", coins=1e6, seed=seed, faults=rules) as sandbox:
        command = (sys.executable, "-c", CHILD, sandbox.url, path, KEY, sandbox.face_url, sandbox.video_url)
        account = sandbox.account(KEY)
        told: dict[str, str] = {}
        again: set[str] = set()
        for kill in range(6):
            process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
            assert process.stdout
            reading = asyncio.ensure_future(process.stdout.read())
            if kill < 5:
                # After so many more requests than it had seen before, which is no matter of how fast this machine is.
                until = len(account.requests) + chance.randint(1, 60)
                while len(account.requests) < until and process.returncode is None:
                    await asyncio.sleep(0.001)
                if process.returncode is None:
                    process.kill()
            await process.wait()
            for text in (await reading).decode().splitlines():
                key, *rest = text.split()
                if key != "end":
                    assert key not in told or rest[2] == "1", "a known end is told as known"
                    again |= {key} & told.keys()
                    told[key] = " ".join(rest[:2])
        assert process.returncode == 0
        assert told == {f"k{n}": "done 10" for n in range(60)}
        names = Counter(str(task.wire_fields()["name"]).partition(" ")[2] for task in account.tasks)
        assert names == {f"n{n}": 1 for n in range(60)}
        [summary] = await anyio.to_thread.run_sync(read_summaries, path)
        paid = -sum(charge.delta for charge in account.ledger if charge.reason != "grant")
        assert paid == summary.coins == sum(entry.coins or 0 for entry in entries(path).values()) == 600
        assert text == "end 600"


async def test_many_submissions_at_once_change_nothing(path: Path) -> None:
    async with scene(coins=1e6, limits=Limits(submissions=64), **FAST) as s:
        found = await ends(s, path, jobs(s, 200))
        assert {end.error for end in found.values()} == {None}
        assert len(s.account.tasks) == 200
        assert spent(s) == 2000


async def test_how_long_tasks_take_is_known_from_the_journal(tmp_path: Path) -> None:
    async with scene(coins=1e6) as s:
        async with s.a2e.batch(FACE_SWAP, journal=tmp_path / "j") as batch:
            assert len([o async for o in batch.run([s.swap | {"key": f"k{n}"} for n in range(20)])]) == 20
        known = list(durations_of(s.a2e, "face_swap"))
        assert len(known) == 20
        async with A2ESession(KEY, base_url=s.sandbox.url) as other:
            async with other.batch(FACE_SWAP, journal=tmp_path / "j"):
                again = durations_of(other, "face_swap")
            assert len(again) == 20
            assert max(again) < 5  # by our clock, though the sandbox's runs a hundred times as fast
            assert again.first > 0
