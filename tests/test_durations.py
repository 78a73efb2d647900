"""What is learned of durations, and what that is worth: requests and lateness beside other clients' schedules."""

import asyncio
import random
from collections.abc import Callable, Iterator
from itertools import pairwise, repeat
from math import exp
from statistics import mean
from typing import NamedTuple

import pytest

from a2e_async import FACE_SWAP, PollPolicy, TaskWatcher
from a2e_async._durations import ENOUGH, KEPT, Durations, durations_of, took
from a2e_async.groups.face_swap import Swap
from tests.stepping import Service, stepped

LATENCY = 0.15
Draw = Callable[[random.Random], float]


class Cost(NamedTuple):
    requests: float
    late: float

    def beats(self, other: "Cost") -> bool:
        return self.requests < other.requests and self.late < other.late


def geometric(first: float, most: float, *before: float) -> Iterator[float]:
    yield from before
    while True:
        yield first
        first = min(first * 1.5, most)


def jittered() -> Iterator[float]:
    pauses = random.Random(6)
    while True:
        yield pauses.uniform(4.5, 7.5)


PEERS: dict[str, Callable[[], Iterator[float]]] = {
    "0.1 s": lambda: repeat(0.1),
    "0.5 s": lambda: repeat(0.5),
    "1 s": lambda: repeat(1.0),
    "2 s": lambda: repeat(2.0),
    "0.5 to 5 s": lambda: geometric(0.5, 5.0),
    "5 s": lambda: repeat(5.0),
    "6 s +- 1.5": jittered,
    "1, 0.5 to 10 s": lambda: geometric(0.5, 10.0, 1.0),
    "30 s": lambda: repeat(30.0),
}
"""What each other client waits between two readings of one task; none of them shares requests."""
SLOW = ("0.5 to 5 s", "5 s", "6 s +- 1.5", "1, 0.5 to 10 s")

DRAWS: dict[str, Draw] = {
    "log-normal around 120 s": lambda chance: 120 * exp(chance.gauss(0, 0.25)),
    "uniform 60 to 300 s": lambda chance: chance.uniform(60, 300),
}
draws = pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS.keys())


def tenth() -> Iterator[float]:
    age = 0.0
    while True:
        pause = min(max(age / 10, 1.0), 15.0)
        yield pause - LATENCY
        age += pause


def cost(schedule: Callable[[], Iterator[float]], draw: Draw, jobs: int = 3000) -> Cost:
    chance, requests, late = random.Random(1), 0, 0.0
    for _ in range(jobs):
        duration, at, pauses = draw(chance), 0.0, schedule()
        while at < duration:
            at += next(pauses) + LATENCY
            requests += 1
        late += at - duration
    return Cost(requests / jobs, late / jobs)


def peer(name: str, draw: Draw) -> Cost:
    return cost(PEERS[name], draw)


def served(draw: Draw, jobs: int, known: int) -> Service:
    random.seed(3)  # the phase of the grid
    chance = random.Random(4)
    durations = {str(n): draw(chance) for n in range(jobs)}
    service = Service(durations.__getitem__, latency=LATENCY)
    durations_of(service, FACE_SWAP.name).add(*(draw(chance) for _ in range(known)))
    return service


async def follow(service: Service, task_id: str, *, steps: bool, policy: PollPolicy | None = None) -> float:
    service.add(task_id)
    watcher = TaskWatcher(service, FACE_SWAP, service.look(task_id), policy=policy)
    if not steps:
        await watcher
    async for _ in watcher:
        pass
    return service.late(task_id)


def alone(draw: Draw, jobs: int, *, known: int = 0, skip: int = 0, steps: bool = False) -> Cost:
    """One task after another, in one session that learns as it goes; the first ``skip`` are not counted."""
    service, late = served(draw, jobs, known), list[float]()
    requests = list[int]()

    async def main() -> None:
        for n in range(jobs):
            before = service.calls.total()
            late.append(await follow(service, str(n), steps=steps))
            requests.append(service.calls.total() - before)

    stepped(main())
    return Cost(mean(requests[skip:]), mean(late[skip:]))


def together(
    draw: Draw,
    jobs: int,
    *,
    known: int = 0,
    steps: bool = False,
    policy: PollPolicy | None = None,
    service: Service | None = None,
) -> Cost:
    """All tasks at once."""
    service = service or served(draw, jobs, known)

    async def main() -> float:
        return mean(await asyncio.gather(*(follow(service, str(n), steps=steps, policy=policy) for n in range(jobs))))

    late = stepped(main())
    return Cost(service.calls.total() / jobs, late)


@draws
def test_once_learned_a_lone_task_costs_less_than_with_any_slow_schedule_and_ends_sooner(draw: Draw) -> None:
    ours = alone(draw, 1000, skip=100)
    for name in SLOW:
        assert ours.beats(peer(name, draw)), name
    # Who asks every second or two has the result sooner, for many times the requests; who asks every half a minute
    # needs fewer requests, and has it later.
    fast, slow = peer("2 s", draw), peer("30 s", draw)
    assert ours.requests < fast.requests / 3
    assert ours.late < slow.late / 5


@draws
def test_nothing_known_is_still_better_than_a_tenth_of_the_age(draw: Draw) -> None:
    # Each with a session of its own: nothing is known.
    found = [alone(lambda _, n=n: draw(random.Random(n)), 1) for n in range(300)]
    before = cost(tenth, draw)
    assert mean(c.requests for c in found) < 1.05 * before.requests
    assert mean(c.late for c in found) < 0.75 * before.late


@draws
@pytest.mark.parametrize("steps", [False, True], ids=["for the end", "for each step"])
@pytest.mark.parametrize("known", [0, KEPT], ids=["unknown kind", "known kind"])
def test_a_thousand_tasks_beat_all_that_ask_once_a_second_or_less(draw: Draw, steps: bool, known: int) -> None:
    ours = together(draw, 1000, known=known, steps=steps)
    for name in PEERS:
        other = peer(name, draw)
        assert ours.requests < other.requests / 4, name
        assert ours.late < other.late or name in {"0.1 s", "0.5 s"}, name


@draws
def test_on_a_finer_grid_a_thousand_tasks_beat_half_a_second_too(draw: Draw) -> None:
    ours = together(draw, 1000, known=KEPT, policy=PollPolicy(shortest=0.25))
    assert ours.beats(peer("0.5 s", draw))


@draws
def test_whoever_sees_each_step_pays_little_more(draw: Draw) -> None:
    end, steps = alone(draw, 200, known=KEPT), alone(draw, 200, known=KEPT, steps=True)
    assert steps.requests < end.requests + 20
    assert steps.late < end.late + 0.5


def test_readings_begin_where_the_first_may_end_and_thin_out_where_nearly_all_have() -> None:
    service = Service(lambda _: 400.0)
    durations_of(service, FACE_SWAP.name).add(*range(100, 200))
    times: list[float] = []

    async def main() -> None:
        began = asyncio.get_running_loop().time()
        await follow(service, "a", steps=False)
        times.extend(time - began for time, _ in service.times)

    stepped(main())
    assert 99 <= times[0] <= 106
    gaps = [later - earlier for earlier, later in pairwise(times)]
    dense = [gap for time, gap in zip(times, gaps, strict=False) if 100 <= time < 190]
    thin = [gap for time, gap in zip(times, gaps, strict=False) if time > 300]
    assert max(dense) < 7
    assert min(thin) > max(dense)
    assert max(thin) <= 15


def test_who_wants_each_step_is_told_early() -> None:
    service = Service(lambda _: 100.0)
    durations_of(service, FACE_SWAP.name).add(*[100.0] * ENOUGH)

    async def main() -> list[float]:
        service.add("a")
        watcher = TaskWatcher(service, FACE_SWAP, service.look("a"))
        return [asyncio.get_running_loop().time() - service.born["a"] async for _ in watcher]

    assert stepped(main())[1] <= 3, "it runs after a second"
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(service.times)]
    assert max(gaps) <= 15.5


def test_a_deadline_before_the_first_reading_still_has_one() -> None:
    service = Service(lambda _: 20.0)
    durations_of(service, FACE_SWAP.name).add(*[100.0] * ENOUGH)

    async def main() -> None:
        service.add("a")
        await TaskWatcher(service, FACE_SWAP, service.look("a"), deadline=40.0)

    stepped(main())
    assert service.calls.total() == 1


def test_durations_outlive_a_loop_and_not_a_session() -> None:
    service = Service(lambda _: 40.0)
    for n in range(2):
        stepped(follow(service, str(n), steps=False))
    learned = durations_of(service, FACE_SWAP.name)
    assert list(learned) == pytest.approx([40, 40], abs=3)
    assert len(durations_of(Service(), FACE_SWAP.name)) == 0


def test_a_failure_teaches_nothing() -> None:
    service = Service(lambda _: 1e9)
    service.word = lambda _id, age: "failed" if age > 10 else "processing"

    async def main() -> None:
        service.add("a")
        async for _ in TaskWatcher(service, FACE_SWAP, service.look("a")):
            pass

    stepped(main())
    assert len(durations_of(service, FACE_SWAP.name)) == 0


def test_a_task_that_was_over_before_the_first_look_teaches_nothing() -> None:
    service = Service(lambda _: 0.0)

    async def main() -> None:
        service.add("a")
        await TaskWatcher(service, FACE_SWAP, "a")

    stepped(main())
    assert len(durations_of(service, FACE_SWAP.name)) == 0


def test_the_oldest_durations_leave() -> None:
    durations = Durations()
    durations.add(*range(1, KEPT + 11))
    assert list(durations) == [float(n) for n in range(11, KEPT + 11)]
    assert durations.first == pytest.approx(11 + 0.04 * KEPT, abs=1)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_what_is_no_duration_is_left_out(value: float) -> None:
    durations = Durations()
    durations.add(value)
    assert len(durations) == 0


def test_a_few_durations_are_not_yet_relied_on() -> None:
    durations = Durations()
    durations.add(*[50.0] * (ENOUGH - 1))
    assert durations.first == 0
    assert durations.half_life(30.0) == 30.0
    durations.add(50.0)
    assert durations.first == 50.0
    assert durations.half_life(60.0) == 10.0


@pytest.mark.parametrize("count", [8, 9, 20, 100, 256])
def test_a_half_life_is_never_negative(count: int) -> None:
    durations = Durations()
    durations.add(*range(1, count + 1))
    assert all(durations.half_life(age / 2) >= 0 for age in range(3 * count))
    assert durations.half_life(0.0) == pytest.approx(count / 2, abs=1)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"created_at": "2026-01-01T00:00:00.000Z", "updated_at": "2026-01-01T00:01:40.500Z"}, 100.5),
        (
            {
                "created_at": "2026-01-01T00:00:00Z",
                "updated_at": "2026-01-03T00:00:00Z",
                "completed_time": "2026-01-01T00:01:42Z",
            },
            102.0,
        ),
        ({"created_at": "2026-01-01T00:00:00", "updated_at": "2026-01-01T00:01:43"}, 103.0),
        ({"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T02:00:00Z"}, 110.0),
        ({"created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:01Z"}, 90.0),
        ({"created_at": "2026-01-01T00:00:00Z"}, 100.0),
        ({"updated_at": "2026-01-01T00:00:00Z"}, 100.0),
    ],
)
def test_the_services_clock_tells_within_what_was_seen(fields: dict[str, str], expected: float) -> None:
    assert took(Swap(id="a", **fields), 90.0, 110.0) == expected
