"""The gate: how many at once and in a second, and the brake that all share, on a stepping clock and over TCP."""

import asyncio
import contextlib
import gc
import pickle
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from a2e_async import FACE_SWAP, ConfigError, Limits, RateLimitError, RetryPolicy, TaskState, TransportError
from a2e_async._limits import Gate, Pace
from a2e_async.sandbox import Rule
from tests.service import Scene, scene
from tests.stepping import SteppingLoop, stepped

COINS = "/api/v1/user/remainingCoins"


def extension(s: Scene) -> AsyncIterator[str]:
    return s.a2e.image_to_video.extend_prompt(
        reference_id="r", image_url=s.sandbox.face_url, prompt="a smile", negative_prompt="x"
    )


def now() -> float:
    return asyncio.get_running_loop().time() - 1000


async def at(seconds: float) -> None:
    await asyncio.sleep(seconds - now())


class Calls:
    """Requests through a gate, each a second long; counts who was let in at which moment."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.let_in: list[float] = []
        self.busy = self.most = 0

    async def one(
        self, seconds: float = 1.0, *, retry_after: float | None = None, error: Exception | None = None
    ) -> None:
        ticket = await self.gate.enter()
        assert ticket is not None
        self.let_in.append(round(now(), 6))
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await asyncio.sleep(seconds)
            if retry_after is not None:
                self.gate.brake(retry_after, ticket)
            if error is not None:
                raise error
        finally:
            self.busy -= 1
            self.gate.leave(ticket)

    @property
    def rounds(self) -> list[int]:
        return list(Counter(self.let_in).values())

    async def all_fit(self, concurrency: int) -> None:
        """Nothing leaked: the full concurrency can still be taken, and not one more."""
        self.most = 0
        await asyncio.gather(*(self.one(100.0) for _ in range(10 * concurrency)))
        assert self.most == concurrency
        assert self.gate._waiting == 0


class Slow:
    """A limiter that takes its time for each, and counts how often it was asked, and how many ask at once."""

    def __init__(self, seconds: float = 0.0, error: Exception | None = None, answer: object = None) -> None:
        self.seconds, self.error, self.answer = seconds, error, answer
        self.asked: list[tuple[float, int]] = []
        self.busy = self.most = 0

    async def acquire(self, weight: int = 1) -> object:
        self.asked.append((now(), weight))
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.busy -= 1
        if self.error:
            raise self.error
        return self.answer


# Pace


async def passing(pace: Pace, count: int) -> list[float]:
    times: list[float] = []

    async def one() -> None:
        await pace.acquire()
        times.append(now())

    await asyncio.gather(*(one() for _ in range(count)))
    return times


def test_a_pace_spaces_what_passes() -> None:
    async def main() -> None:
        assert await passing(Pace(0.5), 4) == pytest.approx([0.0, 1.9, 3.9, 5.9])

    stepped(main())


@pytest.mark.parametrize("rate", [0.25, 10.0, 500.0])
def test_a_pace_keeps_its_average_and_no_time_saves_up_for_a_burst(rate: float) -> None:
    async def main() -> None:
        pace = Pace(rate)
        for began in (0.0, 5000.0):
            await at(began)
            times = await passing(pace, 1000)
            for seconds in (0.05, 1.0, 60.0):
                most = max(sum(t <= s < t + seconds for s in times) for t in times[::50])
                assert most <= rate * (seconds + 0.1) + 2
            assert times[-1] - began <= 1000 / rate

    stepped(main())


def test_a_pace_makes_up_for_late_timers() -> None:
    async def main() -> None:
        pace, loop = Pace(100.0), asyncio.get_running_loop()
        assert isinstance(loop, SteppingLoop)
        for _ in range(500):
            await pace.acquire()
            loop.now += 0.004
        assert now() == pytest.approx(5.0, abs=0.2)

    stepped(main())


def test_a_pace_is_first_come_first_served() -> None:
    async def main() -> None:
        pace, order = Pace(10.0), list[int]()

        async def one(number: int) -> None:
            await pace.acquire()
            order.append(number)

        await asyncio.gather(*(one(number) for number in range(50)))
        assert order == list(range(50))

    stepped(main())


def test_cancelled_waiters_leave_no_gap_in_a_pace() -> None:
    async def main() -> None:
        pace = Pace(1.0)
        gone = [asyncio.ensure_future(pace.acquire()) for _ in range(1000)]
        kept = asyncio.ensure_future(passing(pace, 3))
        await at(0.5)
        for call in gone:
            call.cancel()
        assert await kept == pytest.approx([0.9, 1.9, 2.9])
        assert sum(not call.cancelled() for call in gone) == 1

    stepped(main())


# Gate


def test_a_gate_without_trouble_lets_in_as_many_as_it_may() -> None:
    async def main() -> None:
        calls = Calls(Gate(4))
        await asyncio.gather(*(calls.one() for _ in range(10)))
        assert calls.rounds == [4, 4, 2]

    stepped(main())


def test_a_rate_holds_for_everything_that_passes_the_gate() -> None:
    async def main() -> None:
        calls = Calls(Gate(64, rate=5.0))
        await asyncio.gather(*(calls.one() for _ in range(20)))
        assert calls.let_in == pytest.approx([0.0, *(0.1 + 0.2 * n for n in range(19))])
        assert calls.most <= 6

    stepped(main())


def test_a_rate_saves_nothing_up_behind_a_brake() -> None:
    async def main() -> None:
        calls = Calls(Gate(64, rate=2.0))
        calls.gate.hold(10.0)
        await asyncio.gather(*(calls.one(0.0) for _ in range(6)))
        assert calls.let_in == pytest.approx([10.0, 10.4, 10.9, 11.4, 11.9, 12.4])

    stepped(main())


def test_a_brake_is_never_shortened() -> None:
    async def main() -> None:
        calls = Calls(Gate(64))
        await calls.one(0.0, retry_after=5.0)
        calls.gate.hold(1.0)
        waiting = asyncio.ensure_future(calls.one())
        await at(4.0)
        calls.gate.hold(3.0)
        await waiting
        assert calls.let_in == [0.0, 7.0]

    stepped(main())


def test_after_a_brake_room_grows_with_each_success() -> None:
    async def main() -> None:
        calls = Calls(Gate(16))
        await calls.one(0.0, retry_after=5.0)
        await asyncio.gather(*(calls.one() for _ in range(200)))
        rounds = calls.rounds[1:]
        assert calls.let_in[1] == 5.0
        assert rounds[:4] == [1, 2, 4, 8], "doubling up to half of the former room"
        assert rounds[4:12] == [9, 10, 11, 12, 13, 14, 15, 16], "then by one in a round"
        assert set(rounds[12:-1]) == {16}

    stepped(main())


def test_nobody_overtakes_the_queue_not_even_who_comes_straight_back() -> None:
    async def main() -> None:
        gate, order = Gate(8), list[str]()
        gate.brake(1.0, 0)

        async def one(name: str) -> None:
            ticket = await gate.enter()
            assert ticket is not None
            order.append(name)
            await asyncio.sleep(1.0)
            gate.leave(ticket)

        async def thrice() -> None:
            for count in "123":
                await one(f"back {count}")

        await asyncio.gather(thrice(), *(one(f"waiting {n}") for n in range(6)))
        assert order == ["back 1", *(f"waiting {n}" for n in range(6)), "back 2", "back 3"]

    stepped(main())


def test_one_burst_of_429_counts_once() -> None:
    async def main() -> None:
        calls = Calls(Gate(16))
        await asyncio.gather(*(calls.one(1.0 + n / 100, retry_after=5.0) for n in range(16)))
        await asyncio.gather(*(calls.one() for _ in range(40)))
        assert calls.let_in[16] == pytest.approx(6.15), "the last of the burst asked for the longest pause"
        assert calls.rounds[1:6] == [1, 2, 4, 8, 9]

    stepped(main())


def test_a_second_brake_halves_the_room_reached() -> None:
    async def main() -> None:
        calls = Calls(Gate(32))
        await calls.one(0.0, retry_after=1.0)
        await asyncio.gather(*(calls.one() for _ in range(7)), *(calls.one(retry_after=1.0) for _ in range(8)))
        await asyncio.gather(*(calls.one() for _ in range(40)))
        assert calls.rounds == [1, 1, 2, 4, 8, 1, 2, 4, 5, 6, 7, 8, 7]

    stepped(main())


def test_successes_from_before_the_brake_prove_nothing() -> None:
    async def main() -> None:
        calls = Calls(Gate(16))
        before = [asyncio.ensure_future(calls.one(4.0)) for _ in range(15)]
        await calls.one(1.0, retry_after=2.0)
        await asyncio.gather(*before, *(calls.one(2.0) for _ in range(7)))
        assert calls.rounds == [16, 1, 2, 4]

    stepped(main())


def test_slow_requests_from_before_the_brake_go_on_and_keep_nobody_out() -> None:
    async def main() -> None:
        calls = Calls(Gate(8))
        before = [asyncio.ensure_future(calls.one(100.0)) for _ in range(5)]
        await calls.one(0.0, retry_after=1.0)
        await asyncio.gather(*(calls.one() for _ in range(20)))
        assert calls.rounds == [6, 1, 2, *[3] * 5, 2]
        assert calls.most == 8
        await asyncio.gather(*before)
        assert calls.busy == 0

    stepped(main())


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_a_brake_that_meets_a_waiting_queue_stalls_nobody(seconds: float) -> None:
    async def main() -> None:
        calls = Calls(Gate(4))
        await calls.one(0.0, retry_after=1.0)
        slow = [asyncio.ensure_future(calls.one(2.0, retry_after=seconds)) for _ in range(3)]
        await asyncio.gather(*slow, *(calls.one() for _ in range(20)))
        assert len(calls.let_in) == 24
        await calls.all_fit(4)

    stepped(main())


def test_room_grows_too_where_requests_fail_otherwise() -> None:
    async def main() -> None:
        calls = Calls(Gate(8))

        async def fail() -> None:
            with pytest.raises(TimeoutError):
                await calls.one(error=TimeoutError())

        await calls.one(0.0, retry_after=1.0)
        await asyncio.gather(*(fail() for _ in range(20)))
        assert calls.rounds == [1, 1, 2, 4, 5, 6, 2]

    stepped(main())


def test_nobody_waits_for_the_end_of_a_brake_beyond_their_patience() -> None:
    async def main() -> None:
        calls = Calls(Gate(2))
        under_way = [asyncio.ensure_future(calls.one(n, retry_after=100.0 * n)) for n in (1.0, 3.0)]
        queued = [asyncio.ensure_future(calls.gate.enter(patience=50.0)) for _ in range(5)]
        await at(2.0)
        assert [await call for call in queued] == [None] * 5
        assert await calls.gate.enter(patience=98.0) is None
        assert now() == 2.0
        assert await calls.gate.enter(patience=99.0) is None
        assert now() == 101.0, "it learns of a brake that grew when it looks again"
        await asyncio.gather(*under_way)
        await calls.all_fit(2)
        assert calls.let_in[2] == 303.0

    stepped(main())


@pytest.mark.parametrize("until", [2.0, 10.0, 10.5])
@pytest.mark.parametrize("where", ["slot", "pace", "brake", "room", "limiter"])
def test_a_cancelled_wait_leaks_nothing(where: str, until: float) -> None:
    async def main() -> None:
        limiter = Slow(10.0) if where == "limiter" else None
        calls = Calls(Gate(4, rate=0.1 if where == "pace" else None, limiter=limiter))
        if where in {"brake", "room"}:
            await calls.one(0.0, retry_after=10.0 if where == "brake" else 0.0)
        taken = {"slot": 4, "room": 1}.get(where, 0)
        under_way = [asyncio.ensure_future(calls.one(10.0)) for _ in range(taken)]
        await asyncio.sleep(0)
        waits = [asyncio.ensure_future(calls.one(100.0)) for _ in range(10)]
        await at(until)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        assert calls.busy == sum(not call.done() for call in under_way)
        await calls.all_fit(4)
        await asyncio.gather(*under_way)

    stepped(main())


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_nothing_leaks_and_nobody_stalls(seed: int) -> None:
    chance = random.Random(seed)

    async def main() -> None:
        calls = Calls(Gate(8, rate=chance.choice([None, 3.0, 50.0])))

        async def one() -> None:
            await asyncio.sleep(chance.uniform(0, 30))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chance.choice([None, 0, 0.5, 1, 5, 20])):
                    await calls.one(
                        chance.choice([0, 0.5, 1, 7]),
                        retry_after=chance.choice([None] * 12 + [0, 0.5, 3]),
                        error=chance.choice([None, None, TimeoutError()]),
                    )

        await asyncio.gather(*(one() for _ in range(400)))
        assert calls.busy == 0
        assert calls.most <= 8
        await calls.all_fit(8)

    stepped(main())


@pytest.mark.parametrize("takes", [8, 32])
def test_a_service_that_takes_few_at_once_refuses_few(takes: int) -> None:
    async def main() -> None:
        gate, under_way, sends = Gate(64), 0, list[int]()

        async def one() -> None:
            nonlocal under_way
            refused, count = True, 0
            while refused:
                ticket = await gate.enter()
                assert ticket is not None
                under_way, count = under_way + 1, count + 1
                refused = under_way > takes
                await asyncio.sleep(0.05 if refused else 0.5)
                under_way -= 1
                if refused:
                    gate.brake(1.0, ticket)
                gate.leave(ticket)
            sends.append(count)

        await asyncio.gather(*(one() for _ in range(1000)))
        assert sum(sends) - len(sends) < 100
        assert max(sends) <= 3
        assert now() < 2 * 0.5 * 1000 / takes

    stepped(main())


# A limiter of the user's


def test_a_limiter_is_asked_once_for_each_and_by_one_at_a_time() -> None:
    async def main() -> None:
        limiter = Slow(2.0, answer=True)
        calls = Calls(Gate(10, limiter=limiter))
        await asyncio.gather(*(calls.one() for _ in range(3)))
        assert limiter.asked == [(0.0, 1), (2.0, 1), (4.0, 1)]
        assert limiter.most == 1
        assert calls.let_in == [2.0, 4.0, 6.0]

    stepped(main())


def test_a_limiter_and_a_rate_both_hold() -> None:
    async def main() -> None:
        calls = Calls(Gate(10, rate=0.2, limiter=Slow(2.0)))
        await asyncio.gather(*(calls.one() for _ in range(3)))
        assert calls.let_in == pytest.approx([2.0, 8.9, 15.9], abs=0.2)

    stepped(main())


def test_who_was_granted_a_place_sits_out_a_brake_and_does_not_ask_again() -> None:
    async def main() -> None:
        limiter = Slow(2.0)
        calls = Calls(Gate(10, limiter=limiter))
        both = [asyncio.ensure_future(calls.one()) for _ in range(2)]
        await at(1.0)
        calls.gate.hold(50.0)
        await asyncio.gather(*both)
        assert calls.let_in == [51.0, 53.0]
        assert [when for when, _ in limiter.asked] == [0.0, 51.0], "nothing is taken from others while nothing is sent"

    stepped(main())


def test_nobody_asks_a_limiter_who_will_not_wait_for_the_brake() -> None:
    async def main() -> None:
        limiter = Slow()
        gate = Gate(10, limiter=limiter)
        gate.hold(50.0)
        assert await gate.enter(patience=10.0) is None
        assert limiter.asked == []

    stepped(main())


@pytest.mark.parametrize("limiter", [Slow(1.0, error=OSError("no route")), Slow(1.0, answer=False)])
def test_a_limiter_that_fails_lets_nobody_in_and_leaks_nothing(limiter: Slow) -> None:
    async def main() -> None:
        calls = Calls(Gate(4, limiter=limiter))
        ends = await asyncio.gather(*(calls.one() for _ in range(10)), return_exceptions=True)
        assert {type(end) for end in ends} == {TransportError}
        assert calls.let_in == []
        limiter.error = limiter.answer = None
        await calls.all_fit(4)

    stepped(main())


# Over TCP


@pytest.mark.anyio
async def test_a_burst_of_429_ends_well_for_all() -> None:
    async with scene("real") as s:
        s.account.fault(Rule("status", path=COINS, first=64, status=429, headers={"Retry-After": "1"}))
        answers = await asyncio.gather(*(s.a2e.account.coins() for _ in range(64)))
        assert {answer.coins for answer in answers} == {1000}
        seen = [entry for entry in s.account.requests if entry.path == COINS]
        assert Counter(entry.status for entry in seen) == {429: 64, 200: 64}, "each was repeated once"
        refused = [entry.at for entry in seen if entry.status == 429]
        assert min(entry.at for entry in seen if entry.status == 200) - max(refused) > 960


@pytest.mark.anyio
async def test_a_429_holds_everyone_back_even_if_its_own_call_gives_up() -> None:
    async with scene(retry=RetryPolicy(attempts=1)) as s:
        s.account.fault(Rule("status", path=COINS, first=1, status=429, headers={"Retry-After": "1"}))
        began = time.monotonic()
        with pytest.raises(RateLimitError):
            await s.a2e.account.coins()
        await s.a2e.face_swap.images.records()
        assert time.monotonic() - began > 0.9


@pytest.mark.anyio
async def test_a_retry_after_beyond_patience_is_told_to_everyone_at_once() -> None:
    async with scene() as s:
        s.account.fault(Rule("status", path=COINS, status=429, headers={"Retry-After": "3600"}))
        with pytest.raises(RateLimitError, match=r"asks to wait 3600 s\), longer than .*patience \(5 s\)") as caught:
            await s.a2e.account.coins()
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)

        with pytest.raises(RateLimitError, match=r"not sent.*longer than .*patience \(5 s\)") as caught:
            await s.a2e.face_swap.tasks.add(**s.swap)
        assert 3590 < (caught.value.retry_after or 0) < 3600
        assert (caught.value.spent, caught.value.retry_safe) == ("no", True)
        assert len(s.account.requests) == 1


@pytest.mark.anyio
async def test_a_stream_shares_the_brake() -> None:
    async with scene(retry=RetryPolicy(attempts=1)) as s:
        s.account.fault(Rule("status", path="*prompt_extension", first=1, status=429, headers={"Retry-After": "1"}))
        began = time.monotonic()
        with pytest.raises(RateLimitError):
            await anext(extension(s))

        stream = extension(s)
        await anext(stream)
        assert time.monotonic() - began > 0.9
        async with asyncio.timeout(5):
            await s.a2e.account.coins()  # though only one may begin after a brake, the stream is not waited for
        assert [delta async for delta in stream]


@pytest.mark.anyio
async def test_a_stream_cancelled_before_it_begins_leaves_nothing() -> None:
    async with scene() as s:
        gate = s.a2e._transport.pool().gate
        gate.hold(2.0)
        waiting = asyncio.ensure_future(anext(extension(s)))
        while not gate._waiting:
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        gc.collect()  # a request that nobody awaited would be a warning, and so an error
        assert s.account.requests == []


@pytest.mark.anyio
async def test_a_sessions_rate_is_kept() -> None:
    async with scene(limits=Limits(rate=5.0)) as s:
        began = time.monotonic()
        await asyncio.gather(*(s.a2e.account.coins() for _ in range(4)))
        assert time.monotonic() - began > 0.45


@pytest.mark.parametrize("rate", [0, -1.0, float("nan")])
def test_a_rate_has_to_be_positive(rate: float) -> None:
    with pytest.raises(ConfigError, match=r"^Limits: .*rate"):
        Limits(rate=rate)


@pytest.mark.anyio
async def test_a_limiter_is_asked_before_each_request_repeats_too_but_for_no_transfer(tmp_path: Path) -> None:
    limiter = Slow()
    async with scene(limits=Limits(limiter=limiter)) as s:
        s.account.fault(Rule("status", path=COINS, first=2, status=503))
        await s.a2e.account.coins()
        swap = await s.a2e.run(FACE_SWAP, **s.swap)
        assert [delta async for delta in extension(s)]
        asked = len(s.account.requests)
        await s.a2e.files.save(swap, tmp_path / "out.mp4")
        assert len(limiter.asked) == asked > 5


@pytest.mark.anyio
async def test_where_a_limiter_fails_nothing_is_sent_and_the_error_says_so() -> None:
    limiter = Slow(error=ConnectionError("Redis is gone"))
    async with scene(limits=Limits(limiter=limiter)) as s:
        with pytest.raises(
            TransportError, match=r"^POST .*/add: not sent: .*limiter failed \(ConnectionError: Redis is gone"
        ) as caught:
            await s.a2e.face_swap.tasks.add(**s.swap)
        assert (caught.value.spent, caught.value.retry_safe, caught.value.sent) == ("no", True, False)
        assert isinstance(caught.value.__cause__, ConnectionError)
        assert len(limiter.asked) == RetryPolicy().attempts, "what was not sent may be tried again"
        with pytest.raises(TransportError, match=r"^POST .*prompt_extension.*limiter"):
            await anext(extension(s))
        assert s.account.requests == []


@pytest.mark.anyio
async def test_a_wait_outlasts_a_limiter_that_fails_for_a_while() -> None:
    limiter = Slow()
    async with scene(limits=Limits(limiter=limiter)) as s:
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        limiter.error = ConnectionError("Redis is gone")
        wait = asyncio.ensure_future(s.a2e.watch(task)._result())
        asked = len(limiter.asked)
        while len(limiter.asked) < asked + 6:
            await asyncio.sleep(0.01)
        limiter.error = None
        assert (await wait).state is TaskState.DONE


def test_a_limiter_has_to_be_one() -> None:
    with pytest.raises(ConfigError, match=r"^Limits: limiter must have .*acquire"):
        Limits(limiter=object())  # type: ignore[arg-type]


@pytest.mark.anyio
async def test_a_brake_met_elsewhere_lets_begin_one_by_one_and_counts_once_in_a_burst() -> None:
    async with scene() as s:
        gate = s.a2e._transport.pool().gate
        for _ in range(10):
            s.a2e.brake(0.3)
        assert (gate._window, gate._half) == (1.0, 32.0)
        ticket = await gate.enter()
        assert ticket is not None
        gate.leave(ticket)
        s.a2e.brake(0.0)
        assert gate._half == 1.0
