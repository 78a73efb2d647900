"""Pacing, sharing and falling back, on a stepping clock."""

import asyncio
import gc
import weakref
from itertools import pairwise

import pytest

from a2e_async import (
    FACE_SWAP,
    FACE_SWAP_PREVIEW,
    APIError,
    AuthenticationError,
    DecodeError,
    NotFoundError,
    PollPolicy,
    RateLimitError,
    ServerError,
    TaskState,
    TaskWatcher,
    TransportError,
)
from a2e_async.errors import A2EError
from tests.stepping import Service, stepped


def watch(service: Service, task_id: str, **how: float) -> TaskWatcher:
    return TaskWatcher(service, FACE_SWAP, service.look(task_id), **how)


async def finish(service: Service, ids: list[str]) -> list[TaskState]:
    service.add(*ids)
    return [task.state for task in await asyncio.gather(*(watch(service, i)._result() for i in ids))]


def test_many_watchers_share_batches() -> None:
    service = Service(lambda task_id: 5 + int(task_id) % 16)
    ids = [str(n) for n in range(1000)]

    states = stepped(finish(service, ids))

    assert set(states) == {TaskState.DONE}
    rounds = len({time for time, _ in service.times})
    assert set(service.calls) <= {"details", "detail"}
    assert service.calls["details"] <= 5 * rounds
    assert service.calls.total() / len(ids) / rounds <= 0.2


def test_one_watcher_asks_for_its_own_task() -> None:
    service = Service()
    stepped(finish(service, ["a"]))
    assert set(service.calls) == {"detail"}


def test_two_watchers_of_one_task_share_each_request() -> None:
    service = Service()

    async def main() -> None:
        service.add("a")
        await asyncio.gather(*(watch(service, "a")._result() for _ in range(50)))

    stepped(main())
    alone = Service()
    stepped(finish(alone, ["a"]))
    assert service.calls["detail"] <= alone.calls["detail"] + 1


def test_readings_grow_apart_with_age() -> None:
    service = Service(lambda _: 600.0)
    stepped(finish(service, ["a"]))
    times = [time for time, _ in service.times]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert 0.5 <= gaps[0] <= 1.5
    assert max(gaps) <= 15.5
    assert gaps[-1] >= 14.5
    assert len(times) <= 80


def test_every_fixes_the_pace() -> None:
    service = Service(lambda _: 20.0)

    async def main() -> None:
        service.add("a")
        await watch(service, "a", every=0.25)

    stepped(main())
    assert 70 <= service.calls["detail"] <= 85


def test_due_tasks_meet_on_a_grid() -> None:
    service = Service(lambda _: 8.0)

    async def late(task_id: str, after: float) -> None:
        await asyncio.sleep(after)
        service.add(task_id)
        await watch(service, task_id)

    async def main() -> None:
        await asyncio.gather(*(late(str(n), n / 100) for n in range(100)))

    stepped(main())
    # A hundred tasks that began within one second, alone: about ten readings each.
    assert service.calls.total() < 40


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_without_batches_the_running_list_is_read(status: int) -> None:
    service = Service()
    service.faults["details"] = lambda _: APIError("no such route", http_status=status)

    assert set(stepped(finish(service, [str(n) for n in range(50)]))) == {TaskState.DONE}

    assert service.calls["details"] == 1, "what is missing is remembered"
    assert service.calls["processing"] > 5
    assert service.calls["detail"] == 50, "those that left the list are read once each"


def test_without_lists_the_records_are_read() -> None:
    service = Service()
    gone = lambda _: NotFoundError("gone", http_status=404)  # noqa: E731
    service.faults |= {"details": gone, "processing": gone}

    assert set(stepped(finish(service, [str(n) for n in range(250)]))) == {TaskState.DONE}

    assert service.calls["processing"] == 1
    assert service.calls["records"] > 5
    assert service.calls["detail"] == 0


def test_at_last_each_task_is_read_by_itself() -> None:
    service = Service()
    gone = lambda _: NotFoundError("gone", http_status=404)  # noqa: E731
    service.faults |= {"details": gone, "processing": gone, "records": gone}
    assert set(stepped(finish(service, [str(n) for n in range(20)]))) == {TaskState.DONE}
    assert service.calls["detail"] > 100


def test_nonsense_once_is_a_hiccup_and_twice_a_missing_route() -> None:
    once, twice = Service(), Service()
    once.faults["details"] = lambda call: DecodeError("HTML") if call == 1 else None
    twice.faults["details"] = lambda _: DecodeError("HTML")

    for service in (once, twice):
        assert set(stepped(finish(service, [str(n) for n in range(20)]))) == {TaskState.DONE}

    assert once.calls["processing"] == 0
    assert twice.calls["details"] == 2
    assert twice.calls["processing"] > 0


def test_a_task_that_no_list_shows_is_read_by_itself() -> None:
    service = Service(lambda _: 60.0)
    hidden = "7"

    async def main() -> None:
        ids = [str(n) for n in range(10)]
        service.add(*ids)
        real = service.call

        async def call(endpoint, request):
            answer = await real(endpoint, request)
            return [t for t in answer if t.id != hidden] if endpoint.name == "details" else answer

        service.call = call
        await asyncio.gather(*(watch(service, i)._result() for i in ids))

    stepped(main())
    assert service.calls["detail"] > 0


@pytest.mark.parametrize(
    "trouble",
    [
        TransportError("reset"),
        RateLimitError("slow down", retry_after=7.0),
        ServerError("busy", http_status=503),
        DecodeError("HTML"),
    ],
)
def test_a_hiccup_ends_no_wait(trouble: A2EError) -> None:
    service = Service()
    service.faults["detail"] = lambda call: trouble if call in {1, 2, 4} else None
    assert stepped(finish(service, ["a"])) == [TaskState.DONE]


def test_retry_after_is_not_shortened() -> None:
    service = Service()
    service.faults["detail"] = lambda call: RateLimitError("slow down", retry_after=7.0) if call == 1 else None
    stepped(finish(service, ["a"]))
    first, second = (time for time, _ in service.times[:2])
    assert second - first >= 6.5


def test_a_refusal_reaches_everyone_who_waits() -> None:
    service = Service()
    service.faults["detail"] = lambda _: AuthenticationError("no", http_status=401)

    async def main() -> list[object]:
        service.add("a")
        waits = [watch(service, "a")._result() for _ in range(3)]
        return await asyncio.gather(*waits, return_exceptions=True)

    assert [type(result) for result in stepped(main())] == [AuthenticationError] * 3


def test_a_defect_reaches_whoever_waits() -> None:
    service = Service()

    async def main() -> None:
        service.add("a")
        watcher = watch(service, "a")
        service.born.clear()
        service.look = lambda _: 1 / 0
        service.add("a")
        await watcher

    with pytest.raises(ZeroDivisionError):
        stepped(main())


def test_a_missing_task_has_its_grace() -> None:
    service = Service(lambda _: 5.0)

    async def main() -> TaskState:
        service.add("a")
        watcher = watch(service, "a")
        born = service.born.pop("a")
        asyncio.get_running_loop().call_later(20, service.born.__setitem__, "a", born)
        return (await watcher).state

    assert stepped(main()) is TaskState.DONE


def test_a_task_that_stays_missing_is_not_found() -> None:
    service = Service()

    async def main() -> float:
        service.add("a")
        watcher = watch(service, "a")
        del service.born["a"]
        began = asyncio.get_running_loop().time()
        with pytest.raises(NotFoundError):
            await watcher
        return asyncio.get_running_loop().time() - began

    assert 30 <= stepped(main()) <= 50


def test_nobody_waits_nobody_polls() -> None:
    service = Service(lambda _: 100.0)

    async def main() -> None:
        service.add("a", "b")
        waits = [asyncio.ensure_future(watch(service, i)._result()) for i in ("a", "b")]
        await asyncio.sleep(5)
        waits[0].cancel()
        await asyncio.sleep(5)
        before = service.calls.total()
        assert before > 5, "the other watcher goes on"
        waits[1].cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        assert len(asyncio.all_tasks()) == 1, "the poller ends with its last watcher"
        await asyncio.sleep(60)
        assert service.calls.total() == before

    stepped(main())


def test_a_new_watcher_wakes_a_sleeping_poller() -> None:
    service = Service(lambda task_id: 1e6 if task_id == "old" else 3.0)

    async def main() -> float:
        service.add("old")
        old = asyncio.ensure_future(watch(service, "old")._result())
        await asyncio.sleep(1000)
        began = asyncio.get_running_loop().time()
        service.add("new")
        await watch(service, "new")
        took = asyncio.get_running_loop().time() - began
        old.cancel()
        await asyncio.gather(old, return_exceptions=True)
        return took

    assert stepped(main()) <= 5


def test_pollers_do_not_keep_a_session_alive() -> None:
    service = Service()
    stepped(finish(service, ["a"]))
    known = weakref.ref(service)
    del service
    gc.collect()
    assert known() is None


def test_successive_loops_each_get_a_poller() -> None:
    service = Service()
    assert stepped(finish(service, ["a"])) == [TaskState.DONE]
    assert stepped(finish(service, ["b"])) == [TaskState.DONE]


def test_a_kind_without_lists_is_read_one_by_one() -> None:
    service = Service(lambda _: 4.0)

    async def main() -> set[TaskState]:
        ids = [str(n) for n in range(9)]
        service.add(*ids)
        waits = (TaskWatcher(service, FACE_SWAP_PREVIEW, i, policy=PollPolicy(shortest=2.0))._result() for i in ids)
        return {task.state for task in await asyncio.gather(*waits)}

    assert stepped(main()) == {TaskState.DONE}
    assert set(service.calls) == {"status"}
