"""A limit on coins holds, whatever prices do and however many submissions are under way."""

import asyncio
import random
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from a2e_async import FACE_SWAP, BudgetExceededError, Limits, PollPolicy, RequestError, TaskState
from a2e_async._budget import Budget, Hold
from a2e_async.sandbox import Rule
from tests.service import Scene, scene
from tests.stepping import stepped

ADD = "/api/v1/userFaceSwapTask/add"
QUOTE = "/api/v1/generation/quote"
FAST: dict[str, Any] = {"clock": "scaled:1000", "coins": 1e6}
SWIFT: dict[str, Any] = {"timeout": 1.0, "poll": PollPolicy(shortest=0.05, longest=0.2, grace=0.5)}


# --- The arithmetic by itself, on a clock that jumps ------------------------------------------------------------------


class Shop:
    """Sells at a price that moves; some buyers ask for it first, and pay what it is a moment later."""

    def __init__(self, price: Callable[[float], float], *, quotes: bool = True) -> None:
        self.price, self.quotes = price, quotes
        self.paid = 0.0
        self.sold = self.at_once = self.most_at_once = 0

    def now(self) -> float:
        return self.price(asyncio.get_running_loop().time() - 1000)

    async def buy(self, budget: Budget, rng: random.Random, *, fails: float = 0.0) -> None:
        while (hold := await budget.reserve(self.now() if self.quotes else None)).waited and hold.price < self.now():
            budget.settle(hold)  # what it was quoted is no longer so
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(rng.uniform(0.01, 0.5))
        hold.cost = self.now()
        self.paid += hold.cost
        self.sold += 1
        await asyncio.sleep(rng.uniform(0.01, 0.5))
        self.at_once -= 1
        budget.settle(hold)
        if rng.random() < fails:
            self.paid -= hold.cost
            budget.correct(-hold.cost)


async def crowd(shop: Shop, budget: Budget, seed: int, *, workers: int = 64, fails: float = 0.0) -> int:
    rng = random.Random(seed)
    stopped = 0

    async def work() -> None:
        nonlocal stopped
        try:
            for _ in range(1000):
                await shop.buy(budget, rng, fails=fails)
        except BudgetExceededError:
            stopped += 1

    await asyncio.gather(*(work() for _ in range(workers)))
    return stopped


PRICES: dict[str, Callable[[float], float]] = {
    "steady": lambda _: 10.0,
    "rising": lambda t: 10.0 + t,
    "doubling": lambda t: 10.0 if t < 3 else 20.0,
    "falling": lambda t: max(1.0, 20.0 - t),
    "swinging": lambda t: 10.0 if int(t * 2) % 2 else 14.0,
}


@pytest.mark.parametrize("quotes", [True, False])
@pytest.mark.parametrize("shape", [name for name in PRICES if name != "swinging"])
@pytest.mark.parametrize("limit", [95.0, 1000.0, 3000.0])
def test_a_crowd_keeps_the_limit(shape: str, limit: float, *, quotes: bool) -> None:
    async def main(seed: int) -> None:
        shop, budget = Shop(PRICES[shape], quotes=quotes), Budget(limit, 0.0)
        assert await crowd(shop, budget, seed) == 64
        # One that goes alone pays what its price has risen to since it was told last, which nobody can foresee.
        late = {"rising": 0.5 if quotes else 1.0, "doubling": 0 if quotes else 10}
        assert shop.paid == pytest.approx(budget.spent)
        assert shop.paid <= limit + late.get(shape, 0)
        assert shop.paid > limit - 2 * 20 - (limit / 2 if shape == "rising" else 0)
        assert shop.most_at_once <= 64
        assert budget.reserved == pytest.approx(0)

    for seed in range(3):
        stepped(main(seed))


@pytest.mark.parametrize("seed", range(10))
def test_prices_that_swing_are_learnt_from(seed: int) -> None:
    """Once a quote turned out too low, the last ones are taken for as much more."""

    async def main() -> None:
        shop, budget = Shop(PRICES["swinging"]), Budget(1000.0, 0.0)
        await crowd(shop, budget, seed)
        assert 1000 - 30 < shop.paid == budget.spent <= 1000

    stepped(main())


def test_many_go_at_once_while_there_is_room() -> None:
    async def main() -> None:
        shop = Shop(PRICES["steady"])
        await crowd(shop, Budget(10_000.0, 0.0), 1)
        assert (shop.most_at_once, shop.paid) == (64, 10_000)

    stepped(main())


def test_refunds_give_room_again() -> None:
    async def main() -> None:
        shop, budget = Shop(PRICES["steady"]), Budget(1000.0, 0.0)
        await crowd(shop, budget, 2, fails=0.5)
        assert shop.sold > 150
        assert shop.paid == budget.spent <= 1000

    stepped(main())


@pytest.mark.parametrize("limit", [None, 100.0])
def test_what_has_no_price_goes_alone_until_one_is_known(limit: float | None) -> None:
    async def main() -> None:
        budget = Budget(limit, 0.0)
        first = await budget.reserve(None)
        others = [asyncio.ensure_future(budget.reserve(None)) for _ in range(5)]
        await asyncio.sleep(1)
        assert [other.done() for other in others] == [limit is None] * 5
        first.cost = 7.0
        budget.settle(first)
        await asyncio.sleep(1)
        assert all(other.done() for other in others)
        for other in others:
            budget.settle(other.result())
        assert budget.spent == 7
        assert (await budget.reserve(None)).price == 7

    stepped(main())


def test_a_first_one_that_was_refused_says_nothing_of_the_price() -> None:
    async def main() -> None:
        budget = Budget(100.0, 0.0)
        for _ in range(3):
            budget.settle(await budget.reserve(None))
        assert budget.spent == 0

    stepped(main())


def test_a_service_that_never_tells_a_price_cannot_be_limited() -> None:
    async def main() -> None:
        budget = Budget(100.0, 0.0)
        hold = await budget.reserve(None)
        hold.cost, hold.silent = None, True
        budget.settle(hold)
        with pytest.raises(BudgetExceededError, match="neither quotes"):
            await budget.reserve(None)
        assert (await budget.reserve(5.0)).price == 5

    stepped(main())


def test_one_whose_answer_was_lost_keeps_others_waiting() -> None:
    """Unpriced, it may have cost anything; priced, it counts until it is known."""

    async def main() -> None:
        budget = Budget(15.0, 0.0)
        lost = await budget.reserve(None)
        lost.cost = None
        other = asyncio.ensure_future(budget.reserve(None))
        await asyncio.sleep(100)
        assert not other.done()
        budget.learn(10.0)
        budget.correct(10.0)
        budget.settle(lost)
        with pytest.raises(BudgetExceededError, match="10 of max_coins=15 are spent, and the next job may cost 10"):
            await other

    stepped(main())


def test_those_who_wait_may_be_cancelled() -> None:
    async def main() -> None:
        budget = Budget(10.0, 0.0)
        hold = await budget.reserve(10.0)
        waiting = [asyncio.ensure_future(budget.reserve(10.0)) for _ in range(10)]
        await asyncio.sleep(1)
        for one in waiting[:9]:
            one.cancel()
        await asyncio.wait(waiting[:9])
        budget.settle(hold)
        assert (await waiting[9]).price == 10

    stepped(main())


def test_nothing_may_be_spent() -> None:
    async def main() -> None:
        for price in (None, 1.0):
            with pytest.raises(BudgetExceededError, match="0 of max_coins=0 are spent"):
                await Budget(0.0, 0.0).reserve(price)
        assert await Budget(0.0, 0.0).reserve(0.0) == Hold(0.0)
        with pytest.raises(BudgetExceededError, match="30 of max_coins=20"):
            await Budget(20.0, 30.0).reserve(None)

    stepped(main())


# --- Over TCP ---------------------------------------------------------------------------------------------------------


def jobs(s: Scene, count: int) -> Iterable[dict[str, str]]:
    return [s.swap | {"key": f"k{n}", "name": f"n{n}"} for n in range(count)]


def spent(s: Scene) -> float:
    return -sum(charge.delta for charge in s.account.ledger if charge.reason != "grant")


async def run(s: Scene, path: Path | None, source: Any, **settings: Any) -> tuple[list[Any], str, float]:
    """Return outcomes, what stopped it, and the coins it counts."""
    why, found = "", []
    async with s.a2e.batch(FACE_SWAP, journal=path, **settings) as batch:
        try:
            async for outcome in batch.run(source):
                found.append(outcome)  # noqa: PERF401 - what was told before it stopped counts
        except BudgetExceededError as error:
            why = str(error)
        return found, why, batch.status().coins


def over_tcp(test: Callable[..., Coroutine[Any, Any, None]]) -> Any:
    return pytest.mark.anyio(test)


@over_tcp
@pytest.mark.parametrize("journal", [True, False])
async def test_the_limit_holds_with_many_submissions(tmp_path: Path, *, journal: bool) -> None:
    path = tmp_path / "j" if journal else None
    async with scene(limits=Limits(submissions=64), **FAST) as s:
        s.account.fault(Rule("delay", path=ADD, seconds=0.03))
        found, why, coins = await run(s, path, jobs(s, 200), max_coins=775)
        assert len(found) == len(s.account.tasks) == 77
        assert {o.state for o in found} == {TaskState.DONE}, "what was started is waited for first"
        assert why.startswith("770 of max_coins=775 are spent, and the next job may cost 10. Raise max_coins")
        assert spent(s) == coins == 770
        assert len(s.sent("POST", QUOTE)) >= 77


@over_tcp
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_limit_holds_while_prices_change(tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between quote and submission, up and down, by as much as twice."""
    rng = random.Random(seed)
    async with scene(limits=Limits(submissions=64), **FAST) as s:
        s.account.fault(Rule("delay", path=ADD, seconds=0.02, share=0.7))
        start = s.account.start

        def moving(draft: Any) -> Any:
            if rng.random() < 0.3:
                s.account.price("face_swap", rng.choice([8.0, 10.0, 13.0, 16.0]))
            return start(draft)

        monkeypatch.setattr(s.account, "start", moving)
        found, why, coins = await run(s, tmp_path / "j", jobs(s, 300), max_coins=1500)
        assert "of max_coins=1500 are spent" in why
        assert 1500 - 4 * 16 <= spent(s) == coins <= 1500
        assert sum(o.coins for o in found) == coins


@over_tcp
@pytest.mark.parametrize(
    "rule",
    [
        Rule("status", path=QUOTE, status=400, body='{"code":400,"msg":"cannot be priced"}'),
        Rule("status", path=QUOTE, status=404),
        Rule("html", path=QUOTE),
        *(
            Rule("status", path=QUOTE, status=200, body=f'{{"code":0,"data":{{{data}}}}}')
            for data in ('"price":10', '"coins":"nan"', '"coins":"inf"', '"coins":-10')
        ),
    ],
    ids=["refused", "not there", "nonsense", "by another name", "no number", "without end", "negative"],
)
async def test_where_nothing_is_quoted_the_price_is_learnt(tmp_path: Path, rule: Rule) -> None:
    async with scene(limits=Limits(submissions=64), **FAST) as s:
        s.account.fault(rule)
        s.account.fault(Rule("delay", path=ADD, seconds=0.05))
        found, why, coins = await run(s, tmp_path / "j", jobs(s, 100), max_coins=305)
        assert len(found) == len(s.account.tasks) == 30
        assert "300 of max_coins=305" in why
        assert coins == spent(s) == 300
        # Those that were under way when the first was refused have asked as well.
        assert rule.hits <= 64 or rule.status == 200


@over_tcp
async def test_a_service_without_any_price_stops_after_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scene(**FAST) as s:
        silent = '{"code":0,"data":{"_id":"6b0366364297c1e04927ea1c","current_status":"completed","name":"n"}}'
        s.account.fault(Rule("status", path=QUOTE, status=404))
        s.account.fault(Rule("status", path=ADD, status=200, body=silent))
        found, why, _ = await run(s, tmp_path / "j", jobs(s, 50), max_coins=100)
        assert "neither quotes" in why
        assert len(s.sent("POST", ADD)) == len(found) == 1


@over_tcp
@pytest.mark.parametrize("told", ['"nan"', '"inf"', "-1e9"])
@pytest.mark.parametrize("path", [ADD, "*/userFaceSwapTask/[!a]*"])
async def test_what_is_no_amount_of_coins_leaves_the_price(tmp_path: Path, path: str, told: str) -> None:
    async with scene(**FAST) as s:
        odd = f'{{"code":0,"data":[{{"_id":"%s","current_status":"completed","coins":{told}}}]}}'
        for limit in (None, 1000):
            s.account.rules.clear()
            start = await s.a2e.face_swap.tasks.add(**s.swap)
            body = odd.replace("%s", start.id)
            s.account.fault(Rule("status", path=path, status=200, body=body))
            body = body.replace(told, "10").replace("completed", "initialized")
            s.account.fault(Rule("status", path=ADD, status=200, body=body))
            found, why, coins = await run(s, tmp_path / f"{limit}", jobs(s, 1), max_coins=limit)
            assert ([o.error for o in found], why) == ([None], "")
            assert coins == found[0].coins == (10 if limit or path != ADD else 0)


@over_tcp
async def test_a_lost_first_answer_is_not_taken_for_a_missing_price(tmp_path: Path) -> None:
    """Nothing is quoted, and nobody knows yet what the first one cost."""
    async with scene(**(FAST | SWIFT)) as s:
        s.account.fault(Rule("status", path=QUOTE, status=404))
        s.account.fault(Rule("reset_after", path=ADD, first=1))
        found, why, coins = await run(s, tmp_path / "j", jobs(s, 9), max_coins=35)
        assert [o.error for o in found] == [None] * 3
        assert "30 of max_coins=35" in why
        assert coins == spent(s) == 30


@over_tcp
async def test_lost_answers_count_until_they_are_known(tmp_path: Path) -> None:
    async with scene(**(FAST | SWIFT)) as s:
        s.account.fault(Rule("reset_after", path=ADD, every=3, first=1))
        s.account.fault(Rule("reset_before", path=ADD, every=5, nth=2))
        found, why, coins = await run(s, tmp_path / "j", jobs(s, 60), max_coins=205)
        assert "200 of max_coins=205" in why
        assert len(found) == len(s.account.tasks) == 20
        assert coins == spent(s) == 200


@over_tcp
async def test_what_failed_leaves_room_for_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with scene(**FAST) as s:
        start = s.account.start

        def failing(draft: Any) -> Any:
            return start(replace(draft, failure="no face") if len(s.account.tasks) < 20 else draft)

        monkeypatch.setattr(s.account, "start", failing)
        found, why, coins = await run(s, tmp_path / "j", jobs(s, 100), max_coins=55, max_in_flight=4)
        assert sum(o.state is TaskState.FAILED for o in found) == 20
        assert sum(o.state is TaskState.DONE for o in found) == 5
        assert "50 of max_coins=55" in why
        assert coins == spent(s) == 50


@over_tcp
async def test_more_coins_go_on_where_the_last_run_stopped(tmp_path: Path) -> None:
    async with scene(**FAST) as s:
        path = tmp_path / "j"
        assert (await run(s, path, jobs(s, 20), max_coins=0))[1].startswith("0 of max_coins=0")
        assert s.account.tasks == []
        for limit, known, total in [(50, 0, 5), (50, 5, 5), (55, 5, 5), (120, 5, 12), (1000, 12, 20)]:
            found, why, coins = await run(s, path, jobs(s, 20), max_coins=limit)
            assert sum(o.known for o in found) <= known
            assert len(s.account.tasks) == total
            assert spent(s) == coins == total * 10
            assert bool(why) == (total < 20)
        assert len(found) == 20
        # Without a limit it goes on as well, and counts on.
        assert (await run(s, path, jobs(s, 22)))[2] == 220


@over_tcp
async def test_doubts_of_a_run_without_limit_count_in_one_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever set no limit then may set one now: what may have been paid is counted at the price of the others."""
    async with scene(**(FAST | SWIFT)) as s:
        path = tmp_path / "j"
        monkeypatch.setattr("a2e_async._reconcile.GIVE_UP", 0.1)
        s.account.fault(Rule("reset_after", path=ADD, nth=4))
        broken = s.account.fault(Rule("status", path="*/records"))
        found, _, coins = await run(s, path, jobs(s, 4), max_in_flight=1)
        assert [o.state for o in found] == [TaskState.DONE] * 3 + [TaskState.UNCERTAIN]
        assert coins == spent(s) == 40
        more = [s.swap | {"key": f"m{n}"} for n in range(9)]
        found, why, coins = await run(s, path, more, max_coins=55)
        assert len(found) == 1
        assert "50 of max_coins=55" in why
        assert coins == spent(s) == 50
        broken.first = 0


@over_tcp
async def test_the_limit_must_be_a_number(tmp_path: Path) -> None:
    async with scene() as s:
        for wrong in (-1, float("nan")):
            with pytest.raises(RequestError, match="max_coins"):
                s.a2e.batch(FACE_SWAP, max_coins=wrong)
