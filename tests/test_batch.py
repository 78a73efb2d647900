"""Many jobs: bounded, independent of each other, lazily taken up."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from a2e_async import (
    FACE_SWAP,
    A2ESession,
    InsufficientCoinsError,
    ModerationError,
    Outcome,
    RequestError,
    RetryPolicy,
    SubmissionUncertainError,
    TaskFailedError,
    TaskState,
    TaskTimeoutError,
    TransportError,
)
from a2e_async.groups.face_swap import AddSwap
from a2e_async.sandbox import Rule
from tests.service import scene
from tests.snippets import SAMPLES

pytestmark = pytest.mark.anyio


async def drain(outcomes: AsyncIterator[Outcome[Any]], ends: dict[str, TaskState]) -> None:
    async for outcome in outcomes:
        ends[outcome.key] = outcome.state


async def test_one_failure_disturbs_no_other_job() -> None:
    async with scene() as s:
        s.account.fault(Rule("reset_after", name="lost"))
        jobs = [
            s.swap | {"key": "good", "name": "good"},
            s.swap | {"key": "failed", "name": "fail:no face"},
            s.swap | {"key": "moderated", "name": "moderation:no"},
            s.swap | {"key": "lost", "name": "lost"},
            s.swap | {"key": "typo", "nam": "x"},
            s.swap | {"key": "space", "video_url": "http://a b"},
            AddSwap(**s.swap),
            "nonsense",
        ]
        async with s.a2e.batch(FACE_SWAP) as batch:
            ends = {outcome.key: outcome async for outcome in batch.run(jobs)}
        assert {key: type(end.error) for key, end in ends.items()} == {
            "good": type(None),
            "failed": TaskFailedError,
            "moderated": ModerationError,
            "lost": SubmissionUncertainError,
            "typo": RequestError,
            "space": RequestError,
            "7": type(None),
            "8": RequestError,
        }
        assert ends["lost"].state is TaskState.UNCERTAIN
        assert ends["failed"].state is ends["typo"].state is TaskState.FAILED
        assert ends["failed"].coins == 0
        assert ends["good"].state is TaskState.DONE
        assert "Fields: " in str(ends["typo"].error)
        assert "face_url" in str(ends["typo"].error)
        assert len(s.sent("POST", "/add")) == 5
        assert batch.status().total == batch.status().ended == len(jobs)
        lost = 10.0
        assert s.account.coins == 1000 - sum(end.coins for end in ends.values()) - lost


async def test_input_is_taken_up_as_room_appears() -> None:
    taken = 0

    async with scene(coins=1e9) as s:

        def endless() -> Iterator[dict[str, str]]:
            nonlocal taken
            while True:
                taken += 1
                yield s.swap

        async with s.a2e.batch(FACE_SWAP, max_in_flight=10) as batch:
            seen = 0
            async for outcome in batch.run(endless()):
                assert outcome.state is TaskState.DONE
                seen += 1
                if seen == 30:
                    break
        assert taken <= 30 + 2 * 10 + 1


async def test_no_more_than_the_limit_are_in_flight() -> None:
    async with scene(clock="stepped") as s:
        async with s.a2e.batch(FACE_SWAP, max_in_flight=7) as batch:
            first = asyncio.ensure_future(anext(aiter(batch.run([s.swap] * 50))))
            while len(s.account.tasks) < 7 or batch.status().queued < 7:
                await asyncio.sleep(0)
            assert len(s.account.tasks) == batch.status().total == 7
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)


async def test_asynchronous_input() -> None:
    async with scene() as s:

        async def jobs() -> AsyncIterator[dict[str, str]]:
            for n in range(5):
                await asyncio.sleep(0)
                yield s.swap | {"key": f"k{n}"}

        async with s.a2e.batch(FACE_SWAP) as batch:
            assert {o.key async for o in batch.run(jobs())} == {f"k{n}" for n in range(5)}


async def test_leaving_stops_submission_and_leaves_tasks_alone() -> None:
    async with scene(clock="stepped") as s:
        before = asyncio.all_tasks()
        async with s.a2e.batch(FACE_SWAP, max_in_flight=3) as batch:
            run = asyncio.ensure_future(anext(aiter(batch.run([s.swap] * 9))))
            while len(s.account.tasks) < 3:
                await asyncio.sleep(0)
        await asyncio.gather(run, return_exceptions=True)
        assert len(s.account.tasks) == 3
        assert not s.sent("DELETE", "")
        assert not {t for t in asyncio.all_tasks() - before if "a2e" in t.get_name()}


async def test_input_that_breaks_is_the_callers_error() -> None:
    async with scene() as s:

        def broken() -> Iterator[dict[str, str]]:
            yield s.swap
            raise LookupError("the list is torn")

        async with s.a2e.batch(FACE_SWAP) as batch:
            with pytest.raises(LookupError, match="torn"):
                async for _ in batch.run(broken()):
                    pass


async def test_an_empty_batch_ends() -> None:
    async with scene() as s, s.a2e.batch(FACE_SWAP) as batch:
        assert [o async for o in batch.run([])] == []


async def test_a_batch_runs_more_than_once() -> None:
    async with scene() as s, s.a2e.batch(FACE_SWAP) as batch:
        for _ in range(2):
            assert [o.state async for o in batch.run([s.swap])] == [TaskState.DONE]


async def test_a_deadline_holds_for_each_job() -> None:
    async with scene(clock="stepped") as s, s.a2e.batch(FACE_SWAP, deadline=0.1) as batch:
        [outcome] = [o async for o in batch.run([s.swap])]
        assert isinstance(outcome.error, TaskTimeoutError)
        assert outcome.state is TaskState.QUEUED
        assert outcome.task is not None
        assert outcome.seconds >= 0.1


async def test_coins_that_run_out_stop_the_batch_after_what_was_started() -> None:
    async with scene(coins=25) as s, s.a2e.batch(FACE_SWAP, max_in_flight=2) as batch:
        ends: dict[str, TaskState] = {}
        with pytest.raises(InsufficientCoinsError):
            await drain(batch.run([s.swap] * 9), ends)
        assert list(ends.values()) == [TaskState.DONE] * 2
        assert len(s.sent("POST", "/add")) <= 4


async def test_the_limit_must_make_sense() -> None:
    async with scene() as s:
        with pytest.raises(RequestError, match="max_in_flight"):
            s.a2e.batch(FACE_SWAP, max_in_flight=0)


async def test_a_service_that_asks_to_wait_long_fails_no_job() -> None:
    """Longer than any single call has patience for."""
    retry = RetryPolicy(base=0.01, longest=0.05, patience=0.2)
    async with scene(retry=retry) as s:
        s.account.fault(Rule("status", status=429, headers={"Retry-After": "1"}, path="*/add", first=5))
        async with s.a2e.batch(FACE_SWAP) as batch:
            assert [o.state async for o in batch.run([s.swap] * 20)] == [TaskState.DONE] * 20
        assert len(s.account.tasks) == 20


async def test_an_outage_is_waited_out() -> None:
    retry = RetryPolicy(base=0.01, longest=0.05, attempts=2)
    async with scene(retry=retry) as s:

        def jobs() -> Iterator[dict[str, str]]:
            yield s.swap
            while not s.account.tasks:
                yield s.swap
            s.account.fault(Rule("reset_before", path="*/quote", first=60))
            yield from [s.swap] * 8

        async with s.a2e.batch(FACE_SWAP, max_coins=1000, max_in_flight=2) as batch:
            states = [outcome.state async for outcome in batch.run(jobs())]
        assert set(states) == {TaskState.DONE}
        assert len(states) == len(s.account.tasks) >= 9
        assert len([status for status in s.sent("POST", "/quote") if not status]) == 60


async def test_a_service_that_never_answered_stops_the_batch() -> None:
    async with scene() as s:
        url = s.sandbox.url
    retry = RetryPolicy(base=0.01, longest=0.02, attempts=2)
    job = {"name": "n", "face_url": "https://a.example/f.jpg", "video_url": "https://a.example/v.mp4"}
    async with A2ESession("sk_test", base_url=url, retry=retry) as a2e, a2e.batch(FACE_SWAP) as batch:
        taken = 0

        def endless() -> Iterator[dict[str, str]]:
            nonlocal taken
            while True:
                taken += 1
                yield job

        ends: dict[str, TaskState] = {}
        with pytest.raises(TransportError, match="no connection"):
            await drain(batch.run(endless()), ends)
        assert not ends
        assert taken <= 1100


async def test_no_upload_goes_on_for_a_batch_that_has_stopped() -> None:
    async with scene() as s:
        face = SAMPLES / "face.jpg"
        s.account.fault(Rule("reset_before", path="*/upload-presigned-url"))
        async with s.a2e.batch(FACE_SWAP) as batch:
            ends: dict[str, TaskState] = {}
            with pytest.raises(TransportError):
                await drain(batch.run([s.swap | {"face_url": face}] * 50), ends)
        assert not ends
        assert len(s.sent("POST", "/upload-presigned-url")) <= 10
