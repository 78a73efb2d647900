"""Pacing, sharing and falling back, on a stepping clock."""

import asyncio
import gc
import time
import weakref
from collections import Counter
from itertools import pairwise
from typing import Any

import msgspec
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
from a2e_async._durations import durations_of
from a2e_async._wire import ByIds, PageQuery
from a2e_async.errors import A2EError
from a2e_async.groups.face_swap import FaceSwapTasks
from a2e_async.groups.videos import SEEDANCE
from a2e_async.poller import hurry
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
        APIError("a page of its own", http_status=307),
        DecodeError("HTML"),
        APIError("elsewhere", http_status=307),
        APIError("too slow", http_status=408),
    ],
)
def test_a_hiccup_ends_no_wait(trouble: A2EError) -> None:
    service = Service()
    service.faults["detail"] = lambda call: trouble if call in {1, 2, 4} else None
    assert stepped(finish(service, ["a"])) == [TaskState.DONE]


def test_what_ended_while_the_list_of_the_running_was_made_is_read_with_its_result() -> None:
    class Slow(Service):
        async def call(self, endpoint: Any, request: Any) -> Any:
            answer = await super().call(endpoint, request)
            if endpoint is FaceSwapTasks.processing:
                return [self.look(task_id) for task_id in self.born]
            return msgspec.structs.replace(answer, result_url="https://a2e.test/r.mp4")

    service = Slow()
    service.faults["details"] = lambda _: APIError("no such route", http_status=404)

    async def main() -> set[str | None]:
        ids = [f"task-{number}" for number in range(20)]
        service.add(*ids)
        return {task.result_url for task in await asyncio.gather(*(watch(service, i)._result() for i in ids))}

    assert stepped(main()) == {"https://a2e.test/r.mp4"}
    assert service.calls["processing"] > 0


@pytest.mark.parametrize(
    ("name", "gone"), [("details", ()), ("processing", ("details",)), ("records", ("details", "processing"))]
)
def test_a_hiccup_of_a_list_ends_no_wait(name: str, gone: tuple[str, ...]) -> None:
    service = Service()
    service.faults |= dict.fromkeys(gone, lambda _: NotFoundError("gone", http_status=404))
    service.faults[name] = lambda call: ServerError("busy", http_status=503) if call < 3 else None
    assert set(stepped(finish(service, [str(n) for n in range(50)]))) == {TaskState.DONE}
    assert service.calls[name] > 3, "it is no reason to read otherwise"


@pytest.mark.parametrize(
    "error",
    [RateLimitError("slow down", retry_after=7.0), ServerError("maintenance", http_status=503, retry_after=7.0)],
)
def test_retry_after_is_not_shortened(error: A2EError) -> None:
    service = Service()
    service.faults["detail"] = lambda call: error if call == 1 else None
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


def rounds(service: Service, name: str = "details") -> list[float]:
    return sorted({time for time, called in service.times if called == name})


@pytest.mark.parametrize(("latency", "apart"), [(0.0, 1.0), (0.7, 1.0), (1.6, 2.0)])
def test_slow_answers_do_not_shift_the_grid(latency: float, apart: float) -> None:
    service = Service(lambda _: 60.0, latency=latency)
    stepped(finish(service, [str(n) for n in range(200)]))
    gaps = [later - earlier for earlier, later in pairwise(rounds(service))]
    assert gaps == pytest.approx([apart] * len(gaps))


def test_what_is_due_soon_fills_the_request_up() -> None:
    service = Service(lambda _: 200.0)

    async def late(n: int) -> None:
        await asyncio.sleep(n * 7.3)
        service.add(str(n))
        await watch(service, str(n))

    async def main() -> None:
        await asyncio.gather(*(late(n) for n in range(5)))

    real, sizes = service.call, []

    async def call(endpoint, request):
        sizes.append(len(request.ids) if isinstance(request, ByIds) else 1)
        return await real(endpoint, request)

    service.call = call
    stepped(main())
    began = service.times[0][0]
    shared = {size for size, (time, _) in zip(sizes, service.times, strict=True) if 31 < time - began < 198}
    assert shared == {5}, "whoever is due takes the others along"


def test_answers_are_told_as_they_come() -> None:
    service = Service(lambda _: 30.0, latency=0.5)

    async def main() -> list[float]:
        ids = [str(n) for n in range(2000)]
        service.add(*ids)

        async def end(task_id: str) -> float:
            await watch(service, task_id)
            return service.late(task_id)

        return sorted(await asyncio.gather(*map(end, ids)))

    late = stepped(main())
    assert late[0] <= 1.0, "the first batch does not wait for the last"
    assert late[-1] - late[0] >= 0.9, "ten batches, four at once"


def test_a_round_is_bounded_and_nobody_starves() -> None:
    service = Service(lambda task_id: 60.0 + int(task_id) % 100)
    ids = [str(n) for n in range(25_000)]

    assert set(stepped(finish(service, ids))) == {TaskState.DONE}

    calls = Counter(time for time, name in service.times if name == "details")
    assert max(calls.values()) == 50
    assert all(later - earlier >= 2.49 for earlier, later in pairwise(sorted(calls)) if calls[earlier] == 50)


def test_single_reads_keep_to_a_rate_and_take_turns() -> None:
    service = Service(lambda task_id: 100.0 + int(task_id))
    reads: dict[str, list[float]] = {}
    real = service.call

    async def call(endpoint, request):
        reads.setdefault(request.id, []).append(asyncio.get_running_loop().time())
        return await real(endpoint, request)

    service.call = call

    async def main() -> None:
        ids = [str(n) for n in range(400)]
        service.add(*ids)
        await asyncio.gather(*(TaskWatcher(service, FACE_SWAP_PREVIEW, i)._result() for i in ids))

    stepped(main())
    times = [time for time, _ in service.times]
    took = times[-1] - times[0]
    assert len(times) / took <= 20.5
    gaps = [later - earlier for each in reads.values() for earlier, later in pairwise(each)]
    assert max(gaps) <= 400 / 20 + 5, "all take their turns"


def made(age: float, n: int) -> str:
    return f"{int(time.time() - age):08x}{n:016x}"


def without_batches(*also: str) -> Service:
    service = Service(lambda _: 10.0)
    gone = lambda _: NotFoundError("gone", http_status=404)  # noqa: E731
    service.faults |= dict.fromkeys(("details", "processing", *also), gone)
    return service


def test_pages_are_walked_down_to_the_oldest_that_is_waited_for() -> None:
    service = without_batches()
    old, new = [made(9e5, n) for n in range(1500)], [made(0, n) for n in range(150)]

    async def main() -> None:
        service.add(*old, *new)
        hidden = new[7]
        real = service.look
        service.look = lambda task_id: real(old[0] if task_id == hidden else task_id)
        await asyncio.gather(*(TaskWatcher(service, FACE_SWAP, real(i))._result() for i in new))

    stepped(main())
    walks = Counter(time for time, name in service.times if name == "records")
    assert max(walks.values()) == 3, "the third page holds old ones only"


def test_a_listing_without_pages_is_read_once_a_round() -> None:
    service = without_batches()
    real = service.call

    async def call(endpoint, request):
        if isinstance(request, PageQuery):
            request = PageQuery()
        return await real(endpoint, request)

    service.call = call
    stepped(finish(service, [str(n) for n in range(250)]))

    walks = Counter(time for time, name in service.times if name == "records")
    assert max(walks.values()) == 2, "the second brought nothing new"
    assert service.calls["detail"] > 0, "what the listing leaves out is read by itself"


def test_few_are_read_one_by_one_where_the_walk_was_longer() -> None:
    service = without_batches()
    service.duration = lambda _: 300.0
    waited, newer = [made(50, n) for n in range(3)], [made(0, n) for n in range(1000)]

    async def main() -> None:
        service.add(*waited, *newer)
        await asyncio.gather(*(watch(service, i)._result() for i in waited))

    stepped(main())
    assert service.calls["records"] < service.calls["detail"]


def test_two_that_are_due_share_a_batch() -> None:
    service = Service(lambda _: 100.0)
    stepped(finish(service, ["a", "b"]))
    assert service.calls["details"] > 10
    assert service.calls["detail"] <= 1


def test_a_task_that_was_begun_long_ago_is_not_taken_for_a_new_one() -> None:
    service = Service(lambda _: 20.0)
    durations_of(service, FACE_SWAP.name).add(*[100.0] * 8)
    task_id = made(95, 0)

    async def main() -> float:
        service.add(task_id)
        await watch(service, task_id)
        return service.late(task_id)

    assert stepped(main()) <= 5


def test_a_call_has_the_task_read_at_once_and_once() -> None:
    service = Service(lambda _: 30.0, latency=0.2)
    durations_of(service, FACE_SWAP.name).add(*[100.0] * 8)

    async def main() -> None:
        assert not hurry(service, "a"), "nobody waits"
        service.add("a", "b")
        wait = asyncio.ensure_future(watch(service, "a")._result())
        other = asyncio.ensure_future(watch(service, "b")._result())
        await asyncio.sleep(30.5)
        assert [hurry(service, i) for i in ("a", "a", "c")] == [True, True, False]
        await asyncio.sleep(0.1)
        assert hurry(service, "a"), "still being read"
        assert (await wait).state is TaskState.DONE
        assert service.late("a") == pytest.approx(0.7)
        assert not other.done()
        assert not hurry(service, "a"), "nobody waits any more"
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)

    stepped(main())
    assert service.calls == {"detail": 1}


def test_a_call_that_comes_too_early_has_the_task_read_again_soon() -> None:
    service = Service(lambda _: 30.0)
    durations_of(service, FACE_SWAP.name).add(*[100.0] * 8)

    async def main() -> None:
        service.add("a")
        wait = asyncio.ensure_future(watch(service, "a")._result())
        await asyncio.sleep(27)
        assert hurry(service, "a")
        await wait
        assert service.late("a") <= 1.5

    stepped(main())
    assert service.calls["detail"] <= 6


def test_a_call_for_a_task_that_cannot_be_read_ends_no_wait() -> None:
    service = Service(lambda _: 30.0)
    service.faults["detail"] = lambda call: ServerError("busy", http_status=503) if call == 1 else None

    async def main() -> TaskState:
        service.add("a")
        wait = asyncio.ensure_future(watch(service, "a")._result())
        await asyncio.sleep(0.1)
        hurry(service, "a")
        return (await wait).state

    assert stepped(main()) is TaskState.DONE


def test_a_defect_found_on_call_reaches_whoever_waits() -> None:
    service = Service(lambda _: 30.0)

    async def main() -> None:
        service.add("a")
        wait = asyncio.ensure_future(watch(service, "a")._result())
        await asyncio.sleep(0.1)
        service.look = lambda _: 1 / 0
        hurry(service, "a")
        await wait

    with pytest.raises(ZeroDivisionError):
        stepped(main())


def test_a_wait_that_is_given_up_takes_its_reading_along() -> None:
    service = Service(lambda _: 30.0, latency=5.0)

    async def main() -> None:
        service.add("a")
        wait = asyncio.ensure_future(watch(service, "a")._result())
        await asyncio.sleep(0.1)
        hurry(service, "a")
        await asyncio.sleep(0.1)
        wait.cancel()
        await asyncio.gather(wait, return_exceptions=True)
        assert len(asyncio.all_tasks()) == 1

    stepped(main())


def test_polling_is_a_safety_net_while_calls_come_and_returns_with_the_first_that_is_missed() -> None:
    service = Service(lambda task_id: 100.0 + 10 * int(task_id))
    called = [str(n) for n in range(20)]

    async def main() -> float:
        loop = asyncio.get_running_loop()
        ids = [*called, "30", "60"]
        service.add(*ids)
        waits = [asyncio.ensure_future(watch(service, i)._result()) for i in ids]
        for task_id in called:
            loop.call_at(service.born[task_id] + service.duration(task_id) + 0.1, hurry, service, task_id)
        await asyncio.gather(*waits[:20])
        await waits[20]
        missed = service.late("30")
        await waits[21]
        assert service.late("60") <= 15
        return missed

    assert 0 <= stepped(main()) <= 62
    began = service.times[0][0]
    quiet = [time - began for time, name in service.times if name == "details" and 125 < time - began < 395]
    assert 3 <= len(quiet) <= 8, "about one a minute; it would be 18 without the net"
    assert service.calls["detail"] >= 20


def test_calls_that_come_after_polling_found_the_end_are_not_missed() -> None:
    service = Service(lambda task_id: 60.0 + int(task_id))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ids = [str(n) for n in range(300)]
        service.add(*ids)
        for task_id in ids:
            loop.call_at(service.born[task_id] + service.duration(task_id) + 2.5, hurry, service, task_id)
        await asyncio.gather(*(watch(service, i)._result() for i in ids))
        await asyncio.sleep(5)

    stepped(main())
    began = service.times[0][0]
    assert len([time for time, name in service.times if name == "details" and time - began > 70]) < 60


def test_calls_on_another_loop_are_nobodys() -> None:
    service = Service()
    stepped(finish(service, ["a"]))

    async def main() -> bool:
        return hurry(service, "a")

    assert stepped(main()) is False


def watch_by_pages(service: Service, task_id: str, **how: float) -> TaskWatcher:
    return TaskWatcher(service, SEEDANCE, task_id, **how)


def test_a_kind_without_a_detail_is_followed_by_its_pages_alone() -> None:
    service = Service()
    ids = [made(0, n) for n in range(250)]

    async def main() -> list[Any]:
        service.add(*ids)
        return await asyncio.gather(*(watch_by_pages(service, i)._result() for i in ids))

    assert {task.state for task in stepped(main())} == {TaskState.DONE}
    assert set(service.calls) == {"records"}


@pytest.mark.parametrize(
    "trouble",
    [
        NotFoundError("gone", http_status=404),
        ServerError("busy", http_status=503),
        ServerError("not offered", http_status=501),
        DecodeError("HTML"),
    ],
)
def test_where_there_is_no_other_way_pages_are_read_again_after_trouble(trouble: A2EError) -> None:
    service = Service(lambda _: 60.0)
    service.faults["records"] = lambda call: trouble if 2 <= call <= 5 else None

    async def main() -> Any:
        service.add(task_id := made(0, 1))
        return await watch_by_pages(service, task_id)._result()

    assert stepped(main()).state is TaskState.DONE


def test_a_refused_page_ends_the_wait_where_there_is_no_other_way() -> None:
    service = Service()
    service.faults["records"] = lambda _: APIError("no", http_status=400)

    async def main() -> None:
        service.add(task_id := made(0, 1))
        with pytest.raises(APIError, match="no"):
            await watch_by_pages(service, task_id)._result()

    stepped(main())
    assert service.calls.total() == 1


def test_news_from_outside_has_the_first_page_read_where_there_is_no_other_way() -> None:
    service = Service(lambda _: 20.0)

    async def main() -> float:
        service.add(task_id := made(0, 1))
        watcher = asyncio.create_task(watch_by_pages(service, task_id, every=60.0)._result())
        await asyncio.sleep(21)
        assert hurry(service, task_id)
        await watcher
        return service.now()

    assert stepped(main()) < 1022
    assert service.calls == {"records": 2}


def test_a_task_on_no_page_is_missed_in_the_end() -> None:
    service = Service()

    async def main() -> None:
        service.add(made(0, 1))
        with pytest.raises(NotFoundError, match="not among the 2000 newest"):
            await watch_by_pages(service, made(3600, 2))._result()

    stepped(main())
