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
from a2e_async._durations import durations_of
from a2e_async.errors import A2EError, RateLimitError, ServerError, TransportError, TransportTimeoutError
from a2e_async.groups.face_swap import Swap
from tests.stepping import Service, SteppingLoop, stepped

HOURS = 3 * 3600.0


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
    assert caught.value.limit in {limits.queue, limits.run, limits.stall} - {None}
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


def test_what_runs_already_is_not_taken_for_queued() -> None:
    service = Service(lambda _: 500.0)
    service.word = lambda _id, _age: "processing"
    durations_of(service, FACE_SWAP.name).add(*[480.0] * 20)  # nothing is read for a long while
    assert stepped(wait(service, WaitLimits(queue=5))).state is TaskState.DONE


def test_a_limit_that_passed_while_nobody_looked_is_looked_into() -> None:
    service = Service(lambda _: 100.0)
    service.word = lambda _id, age: "processing" if age > 10 else "initialized"

    async def main() -> list[TaskState]:
        service.add("a")
        states = []
        async for change in TaskWatcher(service, FACE_SWAP, service.look("a"), limits=WaitLimits(queue=20)):
            states.append(change.state)
            await asyncio.sleep(40)
        return states

    assert stepped(main()) == [TaskState.QUEUED, TaskState.RUNNING, TaskState.DONE]


def test_a_wait_that_begins_too_late_looks_once() -> None:
    service = Service(lambda _: 1e6, latency=0.5)

    async def main() -> float:
        service.add("a")
        loop = asyncio.get_running_loop()
        watcher = TaskWatcher(service, FACE_SWAP, "a", deadline=600.0, until=loop.time() - 60)
        began = loop.time()
        with pytest.raises(TaskTimeoutError, match=r"still running .* after 600 s"):
            await watcher
        return loop.time() - began

    service.word = lambda _id, _age: "processing"
    assert stepped(main()) == pytest.approx(0.5, abs=0.01)
    assert service.calls.total() == 1


# --- A machine that sleeps: to some clocks that time passes, to others it does not ------------------------------------


def sleep(service: Service, *, counts: bool) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SteppingLoop)
    if counts:
        loop.now += HOURS
    else:
        service.ahead += HOURS


async def sleeps(
    service: Service,
    *,
    counts: bool = True,
    ids: int = 1,
    deadline: float = 600.0,
    limits: WaitLimits | None = None,
) -> list[object]:
    """Begin to wait, sleep a little later, and return how the waits ended."""
    names = [str(n) for n in range(ids)]
    service.add(*names)
    watchers = (TaskWatcher(service, FACE_SWAP, service.look(name), deadline=deadline, limits=limits) for name in names)
    waits = [asyncio.ensure_future(watcher._result()) for watcher in watchers]
    await asyncio.sleep(30)
    sleep(service, counts=counts)
    async with asyncio.timeout(HOURS):
        return await asyncio.gather(*waits, return_exceptions=True)


def since_waking(service: Service, *, counts: bool) -> list[float]:
    """Times of the requests after the sleep, from its end on."""
    woke = 1030.0 + (HOURS if counts else 0.0)
    return [at - woke for at, _ in service.times if at >= woke]


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("limits", [None, WaitLimits(run=60, stall=60)])
def test_what_ended_while_the_machine_slept_is_done_and_not_late(limits: WaitLimits | None, *, counts: bool) -> None:
    service = Service(lambda _: 300.0)
    (swap,) = stepped(sleeps(service, counts=counts, limits=limits))
    assert isinstance(swap, Swap)
    assert swap.state is TaskState.DONE


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("error", [TransportError("broken"), TransportTimeoutError("no network yet", sent=False)])
def test_connections_that_broke_meanwhile_end_no_wait(error: A2EError, *, counts: bool) -> None:
    service = Service(lambda _: 300.0)

    async def main() -> list[object]:
        loop = asyncio.get_running_loop()
        back = 1030.0 + (HOURS if counts else 0.0) + 12.0
        service.faults["detail"] = lambda _: error if back - 12 <= loop.time() < back else None
        return await sleeps(service, counts=counts)

    (swap,) = stepped(main())
    assert isinstance(swap, Swap)
    assert swap.state is TaskState.DONE


def test_a_reading_that_the_sleep_broke_off_is_made_up_for() -> None:
    service = Service(lambda _: 300.0, latency=20.0)

    async def main() -> list[object]:
        loop = asyncio.get_running_loop()
        once = iter([TransportTimeoutError("no complete answer")])
        service.faults["detail"] = lambda _: next(once, None) if loop.time() > 1031 else None
        return await sleeps(service)

    (swap,) = stepped(main())
    assert isinstance(swap, Swap)
    assert [at for at, _ in service.times if 1010 < at <= 1030], "one was under way"


@pytest.mark.parametrize("limits", [None, WaitLimits(run=1e6)])
def test_what_goes_on_after_a_long_sleep_is_late_after_one_more_look(limits: WaitLimits | None) -> None:
    service = Service(lambda _: 1e6)

    async def main() -> float:
        (error,) = await sleeps(service, limits=limits)
        assert isinstance(error, TaskTimeoutError)
        assert error.limit == 600
        return asyncio.get_running_loop().time()

    assert stepped(main()) == pytest.approx(1030 + HOURS, abs=0.1)
    assert len(since_waking(service, counts=True)) == 1


def test_a_limit_that_passed_in_a_sleep_is_held_against_what_is_seen_after_it() -> None:
    service = Service(lambda _: HOURS + 300.0)
    service.word = lambda _id, age: "processing" if age > HOURS / 2 else "initialized"
    (swap,) = stepped(sleeps(service, limits=WaitLimits(queue=60, run=600), deadline=2 * HOURS))
    assert isinstance(swap, Swap)
    assert swap.state is TaskState.DONE


@pytest.mark.parametrize(
    "error", [ServerError("down", http_status=503), RateLimitError("slow down", retry_after=3600.0)]
)
def test_a_service_that_is_down_after_a_sleep_ends_the_wait_all_the_same(error: A2EError) -> None:
    service = Service(lambda _: 1e6)

    async def main() -> tuple[object, float]:
        loop = asyncio.get_running_loop()
        service.faults["detail"] = lambda _: error if loop.time() > 1030 else None
        (end,) = await sleeps(service)
        return end, loop.time()

    end, at = stepped(main())
    assert isinstance(end, TaskTimeoutError)
    assert at <= 1030 + HOURS + 31
    if isinstance(error, RateLimitError):
        assert len(since_waking(service, counts=True)) == 1, "a Retry-After is not shortened by it"


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize("deadline", [600.0, 10 * HOURS])
def test_waking_up_is_no_storm(deadline: float, *, counts: bool) -> None:
    service = Service(lambda _: 300.0)
    found = stepped(sleeps(service, counts=counts, ids=1000, deadline=deadline))
    assert all(isinstance(swap, Swap) for swap in found)
    assert len(since_waking(service, counts=counts)) == 5, "a thousand tasks, two hundred to a request"


def test_a_sleep_teaches_no_durations() -> None:
    service = Service(lambda _: 300.0)

    async def main() -> list[float]:
        await sleeps(service, deadline=10 * HOURS, ids=20)
        return list(durations_of(service, FACE_SWAP.name))

    assert stepped(main()) == []
