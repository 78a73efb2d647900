"""What one watcher publishes, and how a wait ends."""

import asyncio
import gc
import weakref
from datetime import UTC, datetime

import pytest

from a2e_async import (
    FACE_SWAP,
    ModerationError,
    RequestError,
    TaskFailedError,
    TaskState,
    TaskTimeoutError,
    TaskWatcher,
)
from a2e_async.groups.face_swap import Swap
from a2e_async.watcher import age_of
from tests.stepping import Service, stepped

Q, R, D, F, U = TaskState.QUEUED, TaskState.RUNNING, TaskState.DONE, TaskState.FAILED, TaskState.UNKNOWN


async def seen(
    service: Service, task_id: str = "a", *, by_id: bool = False
) -> list[tuple[TaskState | None, TaskState]]:
    service.add(task_id)
    target = task_id if by_id else service.look(task_id)
    return [(change.previous, change.state) async for change in TaskWatcher(service, FACE_SWAP, target)]


def test_transitions_come_once_and_in_order() -> None:
    assert stepped(seen(Service())) == [(None, Q), (Q, R), (R, D)]


def test_a_watcher_by_id_reads_at_once() -> None:
    service = Service(lambda _: 0.0)
    assert stepped(seen(service, by_id=True)) == [(None, D)]
    assert service.calls.total() == 1


def test_a_finished_task_costs_no_request() -> None:
    service = Service(lambda _: 0.0)

    async def main() -> Swap:
        service.add("a")
        return await TaskWatcher(service, FACE_SWAP, service.look("a"))

    assert stepped(main()).state is D
    assert not service.calls


def test_an_unknown_word_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    service = Service(lambda _: 20.0)
    service.word = lambda _id, age: "polishing" if 5 < age < 9 else "processing"
    assert stepped(seen(service)) == [(None, R), (R, U), (U, R), (R, D)]
    assert [record.getMessage() for record in caplog.records].count(
        "Unknown status word 'polishing': treated as not final."
    ) <= 1


def test_a_stale_reading_is_not_published() -> None:
    service = Service(lambda _: 20.0)
    service.word = lambda _id, age: "initialized" if age < 2 or 5 < age < 9 else "processing"
    assert stepped(seen(service)) == [(None, Q), (Q, R), (R, D)]


def test_iterating_on_after_the_end_stops_at_once() -> None:
    service = Service()

    async def main() -> None:
        service.add("a")
        watcher = TaskWatcher(service, FACE_SWAP, service.look("a"))
        assert (await watcher).state is D
        assert [change async for change in watcher] == []
        assert (await watcher).state is D

    stepped(main())


def test_a_break_leaves_nothing_behind() -> None:
    service = Service()

    async def main() -> None:
        service.add("a")
        async for change in TaskWatcher(service, FACE_SWAP, service.look("a")):
            if change.state is R:
                break

    stepped(main())


def test_a_slow_listener_gets_the_newest_state() -> None:
    service = Service(lambda _: 10.0)

    async def main() -> list[TaskState]:
        service.add("a")
        states = []
        async for change in TaskWatcher(service, FACE_SWAP, service.look("a")):
            states.append(change.state)
            assert change.at.tzinfo is UTC
            assert change.at <= datetime.now(UTC)
            await asyncio.sleep(30)
        return states

    assert stepped(main()) == [Q, D]


def test_the_deadline_covers_the_whole_wait() -> None:
    service = Service(lambda _: 1e9)

    async def main() -> float:
        service.add("a" * 24)
        watcher = TaskWatcher(service, FACE_SWAP, service.look("a" * 24), deadline=45.0)
        began = asyncio.get_running_loop().time()
        with pytest.raises(TaskTimeoutError, match=r"still running \('processing'\) after 45 s.*goes on") as caught:
            async for _ in watcher:
                pass
        assert caught.value.task_id == "a" * 24
        assert caught.value.task is not None
        assert caught.value.spent == "yes"
        return asyncio.get_running_loop().time() - began

    assert stepped(main()) == pytest.approx(45, abs=0.1)


def test_a_deadline_always_exists() -> None:
    service = Service(lambda _: 1e9)

    async def main() -> float:
        service.add("a")
        began = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError):
            await TaskWatcher(service, FACE_SWAP, service.look("a"))
        return asyncio.get_running_loop().time() - began

    assert stepped(main()) == pytest.approx(FACE_SWAP.patience, abs=1)


@pytest.mark.parametrize("latency", [0.0, 100.0])
def test_each_deadline_is_its_own_whatever_is_being_read(latency: float) -> None:
    service = Service(lambda _: 1e9, latency=latency)

    async def late(number: int) -> float:
        deadline = 10 + number * 1.7 % 9
        began = asyncio.get_running_loop().time()
        with pytest.raises(TaskTimeoutError):
            await TaskWatcher(service, FACE_SWAP, service.look(str(number)), deadline=deadline)
        return asyncio.get_running_loop().time() - began - deadline

    async def main() -> list[float]:
        service.add(*map(str, range(100)))
        return await asyncio.gather(*map(late, range(100)))

    times = stepped(main())
    assert min(times) >= -1e-6
    assert max(times) <= 0.1


def test_a_deadline_that_is_over_ends_the_next_wait_at_once() -> None:
    service = Service(lambda _: 1e9)

    async def main() -> float:
        service.add("a")
        watcher = TaskWatcher(service, FACE_SWAP, service.look("a"), deadline=2.0)
        with pytest.raises(TaskTimeoutError):
            await watcher
        began = asyncio.get_running_loop().time()
        with pytest.raises(TaskTimeoutError):
            await watcher
        return asyncio.get_running_loop().time() - began

    assert stepped(main()) <= 0.1


@pytest.mark.parametrize("left", [0.0, 0.0004, 0.016])
def test_a_wait_with_less_left_than_a_clock_ticks_is_told_how_it_stands(left: float) -> None:
    service = Service(lambda _: 1e9, latency=0.5)

    async def main() -> None:
        service.add("a")
        # A timer that was early by as much ended the wait before.
        until = asyncio.get_running_loop().time() + left
        with pytest.raises(TaskTimeoutError, match="still queued"):
            await TaskWatcher(service, FACE_SWAP, "a", until=until)

    stepped(main())
    assert service.calls.total() == 1


def test_several_may_wait_for_one_watcher() -> None:
    service = Service()

    async def main() -> None:
        service.add("a")
        watcher = TaskWatcher(service, FACE_SWAP, service.look("a"))
        first, second, third = (asyncio.ensure_future(watcher) for _ in range(3))
        await asyncio.sleep(2)
        first.cancel()
        assert [change.state async for change in watcher] == [R, D]
        assert (await second).state is (await third).state is D

    stepped(main())


def test_a_watcher_goes_without_the_collectors_help() -> None:
    service = Service()

    async def main() -> None:
        service.add("a")
        watcher = TaskWatcher(service, FACE_SWAP, service.look("a"))
        known = weakref.ref(watcher)
        gc.disable()
        try:
            await watcher
            del watcher
            assert known() is None
        finally:
            gc.enable()

    stepped(main())


@pytest.mark.parametrize("how", [{"deadline": 0}, {"deadline": -1}, {"every": 0}, {"every": float("nan")}])
def test_a_wait_of_no_length_is_refused(how: dict[str, float]) -> None:
    with pytest.raises(RequestError, match=next(iter(how))):
        TaskWatcher(Service(), FACE_SWAP, "a", **how)


def test_a_callers_own_time_limit_stays_his() -> None:
    service = Service(lambda _: 1e9)

    async def main() -> None:
        service.add("a")
        async with asyncio.timeout(5):
            await TaskWatcher(service, FACE_SWAP, service.look("a"))

    with pytest.raises(TimeoutError) as caught:
        stepped(main())
    assert not isinstance(caught.value, TaskTimeoutError)


def failed(**fields: object) -> Swap:
    return Swap(id="a", status="failed", **fields)


@pytest.mark.parametrize("fields", [{"failure_message": "no face found"}, {"failed_message": "no face found"}])
def test_failure_tells_the_services_reason(fields: dict[str, object]) -> None:
    async def main() -> None:
        await TaskWatcher(Service(), FACE_SWAP, failed(**fields))

    with pytest.raises(TaskFailedError, match="face_swap a failed: no face found") as caught:
        stepped(main())
    assert (caught.value.task_id, caught.value.spent) == ("a", "no")


def test_a_task_failed_by_moderation_is_a_moderation_error() -> None:
    async def main() -> None:
        await TaskWatcher(Service(), FACE_SWAP, failed(error_code="1004", failure_message="refused"))

    with pytest.raises(ModerationError, match="final") as caught:
        stepped(main())
    assert (caught.value.code, caught.value.task_id) == (1004, "a")


@pytest.mark.parametrize("task_id", ["short", "z" * 24, "f" * 24])
def test_an_id_without_a_readable_time_is_new(task_id: str) -> None:
    assert age_of(task_id) == 0.0


def test_an_id_tells_its_age() -> None:
    assert age_of("66e63777" + "0" * 16) > 60 * 86_400
