"""One deadline for a whole job, and what becomes of tasks whose owner goes away."""

import asyncio
import logging
from pathlib import Path
from typing import Any

import anyio
import pytest

from a2e_async import (
    FACE_SWAP,
    QueueTimeoutError,
    RateLimitError,
    RequestError,
    SubmissionUncertainError,
    TaskFailedError,
    TaskState,
    TaskTimeoutError,
    TransportTimeoutError,
    WaitLimits,
)
from a2e_async.job import Job
from a2e_async.sandbox import Rule
from a2e_async.sandbox.objects import SAMPLES
from tests.service import Scene, scene

pytestmark = pytest.mark.anyio

ADD = "*/userFaceSwapTask/add"


async def until_sent(s: Scene, method: str, path: str) -> None:
    while not s.sent(method, path):
        await asyncio.sleep(0.005)


async def until_hit(rule: Rule) -> None:
    while not rule.hits:
        await asyncio.sleep(0.005)


def notes(error: BaseException) -> str:
    return "\n".join(getattr(error, "__notes__", []))


async def test_from_files_to_a_file_in_time(tmp_path: Path) -> None:
    async with scene() as s, s.a2e.job(deadline=60) as job:
        files = {"face_url": SAMPLES / "face.jpg", "video_url": SAMPLES / "clip.mp4"}
        swap = await job.run(FACE_SWAP, name="clip", **files)
        saved = await job.save(swap, tmp_path / "out.mp4")
    assert saved.stat().st_size
    assert (job.removed, job.left) == ([], [])


async def test_a_url_uploaded_in_a_job_serves_as_an_input() -> None:
    async with scene() as s, s.a2e.job(deadline=60) as job:
        url = await job.upload(SAMPLES / "face.jpg")
        assert (await job.run(FACE_SWAP, **s.swap | {"face_url": url})).state is TaskState.DONE


async def test_a_slow_upload_is_cut_and_nothing_is_started() -> None:
    async with scene() as s:
        s.account.fault(Rule("delay", method="PUT", path="/storage/*", seconds=20))
        with pytest.raises(TransportTimeoutError, match="while uploading: nothing was started") as caught:
            async with s.a2e.job(deadline=0.3) as job:
                await job.run(FACE_SWAP, **s.swap | {"face_url": SAMPLES / "face.jpg"})
        assert caught.value.spent == "no"
        assert caught.value.retry_safe
        assert not s.account.tasks


async def test_nothing_is_sent_once_the_deadline_has_passed() -> None:
    async with scene() as s:
        s.account.fault(Rule("status", path=ADD, status=429, retry_after=1))
        async with s.a2e.job(deadline=0.4) as job:
            with pytest.raises(RateLimitError, match=r"wait 1 s.* longer than the deadline allows"):
                await job.start(FACE_SWAP, **s.swap)
            with pytest.raises(TransportTimeoutError, match="while submitting: nothing was started") as caught:
                await job.start(FACE_SWAP, **s.swap)
        assert (caught.value.spent, caught.value.sent, caught.value.retry_safe) == ("no", False, True)
        assert len(s.sent("POST", "/add")) == 1


async def test_nothing_is_sent_late_though_nothing_holds_it_back(tmp_path: Path) -> None:
    async with scene() as s:
        async with s.a2e.job(deadline=0.05) as job:
            await asyncio.sleep(0.1)
            for late in (
                lambda: job.start(FACE_SWAP, **s.swap),
                lambda: job.upload(SAMPLES / "face.jpg"),
                lambda: job.save("https://a/b.mp4", tmp_path),
            ):
                with pytest.raises(TransportTimeoutError, match="the deadline passed while"):
                    await late()
        assert not s.account.requests


async def test_a_paid_request_under_way_is_not_cut_and_its_task_is_named() -> None:
    async with scene() as s:
        s.account.fault(Rule("delay", path=ADD, seconds=0.6))
        with pytest.raises(TaskTimeoutError, match=r"queued .* after 0\.3 s") as caught:
            async with s.a2e.job(deadline=0.3) as job:
                await job.run(FACE_SWAP, **s.swap)
        (task,) = s.account.tasks
        assert caught.value.task_id == task.id
        assert job.left == [task.id]
        assert task.id in notes(caught.value)


async def test_a_wait_ends_with_the_deadline() -> None:
    async with scene(clock="stepped") as s:
        with pytest.raises(TaskTimeoutError) as caught:
            async with s.a2e.job(deadline=0.4) as job:
                await job.run(FACE_SWAP, **s.swap)
        assert caught.value.task_id == s.account.tasks[0].id
        assert caught.value.limit == 0.4
        assert "after 0.4 s. The job goes on" in str(caught.value)
        # Whoever waits again is told how it stands by then.
        with pytest.raises(TaskTimeoutError, match="still queued"):
            await job.watch(FACE_SWAP, caught.value.task_id)
        s.account.advance(600)
        assert (await job.watch(FACE_SWAP, caught.value.task_id)).state is TaskState.DONE


async def test_a_slow_download_is_cut_and_leaves_nothing_behind(tmp_path: Path) -> None:
    async with scene() as s:
        swap = await s.a2e.run(FACE_SWAP, **s.swap)
        s.account.fault(Rule("dribble", path="/results/*", pace=1.0))
        with pytest.raises(TaskTimeoutError, match=r"is done, but .* downloading after 0\.4 s") as caught:
            async with s.a2e.job(deadline=0.4) as job:
                await job.save(swap, tmp_path / "out.mp4")
        assert (caught.value.task_id, caught.value.task, caught.value.spent) == (swap.id, swap, "yes")
        with pytest.raises(TransportTimeoutError, match="downloading: nothing was saved"):
            async with s.a2e.job(deadline=0.4) as job:
                await job.save(swap.result_url or "", tmp_path / "out.mp4")
        assert not list(tmp_path.iterdir())


async def test_limits_hold_for_what_is_run_in_a_job() -> None:
    async with scene(clock="stepped") as s:
        with pytest.raises(QueueTimeoutError):
            async with s.a2e.job(limits=WaitLimits(queue=0.3)) as job:
                await job.run(FACE_SWAP, **s.swap)


async def interrupted(s: Scene, job: Job, *, at: tuple[str, str] = ("GET", "userFaceSwapTask")) -> BaseException:
    """Cancel a run when a request has reached the server; return what came out of the block."""

    async def block() -> asyncio.CancelledError:
        try:
            async with job:
                await job.run(FACE_SWAP, **s.swap)
        except asyncio.CancelledError as cancelled:
            return cancelled
        raise AssertionError

    running = asyncio.ensure_future(block())
    await until_sent(s, *at)
    running.cancel()
    error = await running
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task() and "a2e" in task.get_name()]
    return error


@pytest.mark.parametrize("policy", ["detach", "remove"])
async def test_what_a_cancelled_job_leaves(policy: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "a2e_async")
    async with scene(clock="stepped") as s:
        job = s.a2e.job(on_cancel=policy)
        error = await interrupted(s, job)
        gone = policy == "remove"
        assert len(s.account.tasks) == (not gone)
        assert s.account.coins == (1000 if gone else 990)
        assert (len(job.removed), len(job.left)) == ((1, 0) if gone else (0, 1))
        assert (job.removed + job.left)[0] in notes(error)
        told = "Took back" if gone else "Left"
        (record,) = (record for record in caplog.records if record.name == "a2e_async")
        assert record.getMessage().startswith(f"{told} face_swap {record.a2e_task_id}")


async def test_what_runs_already_is_left_alone() -> None:
    async with scene(clock="per-poll:3") as s:
        job = s.a2e.job(on_cancel="remove")

        async def block() -> None:
            async with job:
                async for change in job.watch(await job.start(FACE_SWAP, **s.swap)):
                    if change.state is TaskState.RUNNING:
                        raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            await block()
        assert len(job.left) == len(s.account.tasks) == 1
        assert not s.sent("DELETE", "")


async def test_cancelled_while_the_paid_request_is_under_way_its_task_is_known() -> None:
    async with scene(clock="stepped") as s:
        s.account.fault(Rule("delay", path=ADD, seconds=0.3))
        job = s.a2e.job(on_cancel="remove")
        await interrupted(s, job, at=("POST", "/add"))
        assert len(job.removed) == 1
        assert s.account.coins == 1000


async def test_an_answer_that_does_not_come_in_time_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("a2e_async.job.FAREWELL", 0.1)
    async with scene(clock="stepped") as s:
        s.account.fault(Rule("delay", path=ADD, seconds=5))
        error = await interrupted(s, s.a2e.job(on_cancel="remove"), at=("POST", "/add"))
        assert "may exist" in notes(error)
        assert "face_swap.tasks.records()" in notes(error)
        path = "POST /api/v1/userFaceSwapTask/add"
        assert caplog.messages == [
            f"{path}: the task may exist, and may have cost coins. Look in face_swap.tasks.records()."
        ]


async def test_a_lost_answer_of_a_cancelled_request_is_told() -> None:
    async with scene(clock="stepped") as s:
        s.account.fault(Rule("reset_after", path=ADD, seconds=0.2))
        error = await interrupted(s, s.a2e.job(), at=("POST", "/add"))
        assert "may exist" in notes(error)


async def test_cancelled_before_anything_left_it_ends_at_once() -> None:
    async with scene() as s:
        s.a2e._transport.pool().gate.hold(3)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2), s.a2e.job(on_cancel="remove") as job:
                await job.start(FACE_SWAP, **s.swap)
        assert not s.sent("POST", "/add")
        assert (job.removed, job.left) == ([], [])


@pytest.mark.parametrize(("method", "path"), [("DELETE", "*"), ("POST", ADD)])
async def test_a_second_cancellation_does_not_cut_the_parting(method: str, path: str) -> None:
    async with scene(clock="stepped") as s:
        rule = s.account.fault(Rule("delay", method=method, path=path, seconds=0.3))
        job = s.a2e.job(on_cancel="remove")

        async def block() -> None:
            async with job:
                await job.run(FACE_SWAP, **s.swap)

        running = asyncio.ensure_future(block())
        await until_sent(s, "GET", "userFaceSwapTask") if method == "DELETE" else await until_hit(rule)
        running.cancel()
        for _ in range(3):
            await asyncio.sleep(0.05)
            running.cancel()
        await asyncio.wait([running])
        assert running.cancelled()
        assert len(job.removed) == 1
        assert s.account.coins == 1000


async def test_what_was_answered_429_is_not_sent_again_after_a_cancellation() -> None:
    async with scene(clock="stepped") as s:
        rule = s.account.fault(Rule("status", path=ADD, first=1, status=429, seconds=0.3))

        async def block() -> None:
            async with s.a2e.job() as job:
                await job.run(FACE_SWAP, **s.swap)

        running = asyncio.ensure_future(block())
        await until_hit(rule)
        running.cancel()
        await asyncio.wait([running])
        await asyncio.sleep(0.1)
        assert len(s.sent("POST", "/add")) == 1
        assert not s.account.tasks


async def test_what_waits_to_be_sent_again_is_not_sent_after_a_cancellation() -> None:
    async with scene(clock="stepped") as s:
        s.account.fault(Rule("status", path=ADD, first=2, status=429, retry_after=1))

        async def block() -> None:
            async with s.a2e.job() as job:
                await job.run(FACE_SWAP, **s.swap)

        running = asyncio.ensure_future(block())
        while len(s.sent("POST", "/add")) < 2:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.wait([running])
        await asyncio.sleep(1.2)
        assert len(s.sent("POST", "/add")) == 2


async def test_time_that_is_up_takes_back_though_nobody_hears_of_it() -> None:
    async with scene(clock="stepped") as s:
        async with s.a2e.job(deadline=0.3, on_cancel="remove") as job:
            with pytest.raises(TaskTimeoutError):
                await job.run(FACE_SWAP, **s.swap)
        assert len(job.removed) == 1
        assert s.account.coins == 1000


async def test_what_was_taken_back_cost_nothing() -> None:
    async with scene(clock="stepped") as s:
        with pytest.raises(TaskTimeoutError) as caught:
            async with s.a2e.job(deadline=0.3, on_cancel="remove") as job:
                await job.run(FACE_SWAP, **s.swap)
        assert caught.value.spent == "no"
        assert job.removed == [caught.value.task_id]
        assert str(caught.value).endswith("after 0.3 s. It was taken back.")


async def test_a_deadline_begins_with_the_block() -> None:
    async with scene() as s:
        with pytest.raises(RequestError, match="async with"):
            await s.a2e.job(deadline=60).run(FACE_SWAP, **s.swap)
        assert not s.account.tasks


async def test_anyio_scopes_do_not_cut_the_parting() -> None:
    async with scene(clock="stepped") as s:
        job = s.a2e.job(on_cancel="remove")
        with anyio.move_on_after(0.3) as scope:
            async with job:
                await job.run(FACE_SWAP, **s.swap)
        assert scope.cancelled_caught
        assert len(job.removed) == 1
        assert s.account.coins == 1000


async def test_the_parting_is_bounded(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "a2e_async")
    monkeypatch.setattr("a2e_async.job.PARTING", 0.2)
    async with scene(clock="stepped") as s:
        s.account.fault(Rule("delay", method="DELETE", seconds=30))
        job = s.a2e.job(on_cancel="remove")
        error = await interrupted(s, job)
        assert len(job.left) == 1
        assert job.left[0] in notes(error)
        assert caplog.messages[-1] == f"Left face_swap {job.left[0]}: the service did not answer in time."


async def test_one_failure_in_a_group_takes_the_others_back() -> None:
    async with scene(clock="stepped") as s:
        job = s.a2e.job(on_cancel="remove")

        async def block() -> None:
            async with job, asyncio.TaskGroup() as group:
                for number in range(3):
                    group.create_task(job.run(FACE_SWAP, **s.swap | {"name": str(number)}))
                while len(s.account.tasks) < 3 or not s.sent("POST", "batchDetail"):
                    await asyncio.sleep(0.005)
                raise ValueError("the app gave up")

        with pytest.raises(ExceptionGroup) as caught:
            await block()
        assert len(job.removed) == 3
        assert all(task_id in notes(caught.value) for task_id in job.removed)
        assert s.account.coins == 1000


async def test_a_failed_task_is_no_longer_the_jobs() -> None:
    async with scene() as s:
        with pytest.raises(TaskFailedError) as caught:
            async with s.a2e.job(on_cancel="remove") as job:
                await job.run(FACE_SWAP, **s.swap | {"name": "fail:no face"})
        assert (job.removed, job.left, notes(caught.value)) == ([], [], "")


async def test_an_uncertain_submission_is_raised_as_ever() -> None:
    async with scene() as s:
        s.account.fault(Rule("reset_after", path=ADD))
        with pytest.raises(SubmissionUncertainError):
            async with s.a2e.job(deadline=30, on_cancel="remove") as job:
                await job.run(FACE_SWAP, **s.swap)


@pytest.mark.parametrize("wrong", [{"deadline": 0}, {"deadline": -1.0}, {"on_cancel": "kill"}])
async def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    async with scene() as s:
        with pytest.raises(RequestError):
            s.a2e.job(**wrong)
