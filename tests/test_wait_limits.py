"""How long a task may be queued, run and stand still, and machines that sleep while somebody waits."""

import asyncio
import pickle

import pytest

from a2e_async import (
    FACE_SWAP,
    ConfigError,
    QueueTimeoutError,
    RunTimeoutError,
    StallTimeoutError,
    TaskState,
    TaskTimeoutError,
    TaskWatcher,
    WaitLimits,
)
from a2e_async.errors import ServerError
from a2e_async.groups.face_swap import Swap
from tests.stepping import Service, SteppingLoop, stepped


async def wait(service: Service, limits: WaitLimits, *, iterate: bool = False, deadline: float | None = None) -> Swap:
    service.add("a")
    watcher = TaskWatcher(service, FACE_SWAP, service.look("a"), limits=limits, deadline=deadline)
    if iterate:
        return [change.task async for change in watcher][-1]
    return await watcher


@pytest.mark.parametrize("iterate", [False, True])
@pytest.mark.parametrize(
    ("limits", "error", "text", "state"),
    [
        (WaitLimits(queue=20), QueueTimeoutError, "not begun after 20 s", TaskState.QUEUED),
        (WaitLimits(queue=60, run=30), RunTimeoutError, "running for 30 s", TaskState.RUNNING),
        (WaitLimits(stall=40), StallTimeoutError, "unchanged for 40 s", TaskState.RUNNING),
    ],
)
def test_each_limit_has_an_error_of_its_own(
    limits: WaitLimits, error: type[TaskTimeoutError], text: str, state: TaskState, *, iterate: bool
) -> None:
    service = Service(lambda _: 500.0)
    service.word = lambda _id, age: "processing" if age > 30 else "initialized"

    with pytest.raises(error, match=text) as caught:
        stepped(wait(service, limits, iterate=iterate))

    assert caught.value.task_id == "a"
    assert isinstance(caught.value.task, Swap)
    assert caught.value.task.state is state
    assert "goes on" in str(caught.value)
    assert caught.value.spent == "yes"
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_what_keeps_within_its_limits_is_done() -> None:
    service = Service(lambda _: 100.0)
    service.word = lambda _id, age: "processing" if age > 30 else "initialized"
    assert stepped(wait(service, WaitLimits(queue=40, run=80, stall=80))).state is TaskState.DONE


def test_a_limit_ends_the_wait_in_time_however_rarely_it_is_read() -> None:
    service = Service(lambda _: 5000.0)
    service.word = lambda _id, age: "processing" if age > 30 else "initialized"

    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(RunTimeoutError):
            await wait(service, WaitLimits(run=100))
        return loop.time() - began

    assert 130 <= stepped(main()) <= 150


def test_what_ends_within_the_last_second_is_done() -> None:
    service = Service(lambda _: 99.0)
    service.word = lambda _id, age: "processing" if age > 1 else "initialized"
    assert stepped(wait(service, WaitLimits(queue=5, run=100, stall=101))).state is TaskState.DONE


def test_a_change_of_word_within_a_state_is_no_stall() -> None:
    service = Service(lambda _: 80.0)
    service.word = lambda _id, age: "initialized" if age < 30 else "sent" if age < 55 else "processing"
    assert stepped(wait(service, WaitLimits(stall=35))).state is TaskState.DONE


def test_a_stale_reading_puts_nothing_back_into_the_queue() -> None:
    service = Service(lambda _: 100.0)
    service.word = lambda _id, age: "processing" if 10 < age < 20 or age > 60 else "initialized"
    assert stepped(wait(service, WaitLimits(queue=25))).state is TaskState.DONE


def test_the_deadline_comes_first_where_it_is_nearer() -> None:
    service = Service(lambda _: 500.0)
    with pytest.raises(TaskTimeoutError, match="after 30 s") as caught:
        stepped(wait(service, WaitLimits(queue=60, run=60), deadline=30.0))
    assert type(caught.value) is TaskTimeoutError


@pytest.mark.parametrize("name", ["queue", "run", "stall"])
def test_a_limit_is_a_span_of_time(name: str) -> None:
    with pytest.raises(ConfigError, match="positive"):
        WaitLimits(**{name: 0.0})


async def sleeps(service: Service, seconds: float, *, ids: int = 1, deadline: float = 600.0) -> list[object]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SteppingLoop)
    names = [str(n) for n in range(ids)]
    service.add(*names)
    waits = [
        asyncio.ensure_future(_awaited(TaskWatcher(service, FACE_SWAP, service.look(name), deadline=deadline)))
        for name in names
    ]
    await asyncio.sleep(30)
    loop.now += seconds
    return await asyncio.gather(*waits, return_exceptions=True)


async def _awaited(watcher: TaskWatcher[Swap]) -> Swap:
    return await watcher


def test_what_ended_while_the_machine_slept_is_done_and_not_late() -> None:
    service = Service(lambda _: 300.0)
    (swap,) = stepped(sleeps(service, 3 * 3600.0))
    assert isinstance(swap, Swap)
    assert swap.state is TaskState.DONE


def test_what_goes_on_after_a_long_sleep_is_late_after_one_more_look() -> None:
    service = Service(lambda _: 1e6)

    async def main() -> float:
        (error,) = await sleeps(service, 3 * 3600.0)
        assert isinstance(error, TaskTimeoutError)
        return asyncio.get_running_loop().time()

    end = stepped(main())
    assert end <= 1000 + 30 + 3 * 3600 + 20
    assert service.times[-1][0] >= 1000 + 30 + 3 * 3600


def test_a_service_that_is_down_after_a_sleep_ends_the_wait_all_the_same() -> None:
    service = Service(lambda _: 1e6)
    service.faults["detail"] = lambda call: ServerError("down", http_status=503) if call > 3 else None
    (error,) = stepped(sleeps(service, 3 * 3600.0))
    assert isinstance(error, TaskTimeoutError)


def test_waking_up_is_no_storm() -> None:
    service = Service(lambda _: 300.0)

    async def main() -> int:
        found = await sleeps(service, 3600.0, ids=1000)
        assert all(isinstance(swap, Swap) for swap in found)
        return len([at for at, _ in service.times if at >= 1000 + 30 + 3600])

    assert stepped(main()) == 5, "a thousand tasks, two hundred to a request"
