"""Each account has its own time."""

import asyncio
import time

import aiohttp
import pytest

from a2e_async.sandbox import Sandbox
from a2e_async.sandbox.clock import ClockSpec
from a2e_async.sandbox.wire import iso

pytestmark = pytest.mark.anyio

STATUS = "/api/v1/userFaceSwapTask/status"


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("real", ClockSpec(1, 0)),
        ("scaled:20", ClockSpec(20, 0)),
        ("stepped", ClockSpec(0, 0)),
        ("per-poll:2.5", ClockSpec(0, 2.5)),
    ],
)
def test_forms(text, spec):
    assert ClockSpec.parse(text) == spec


@pytest.mark.parametrize(
    "text", ["", "fast", "scaled", "scaled:", "scaled:x", "real:2", "per-poll:-1", "scaled:inf", "scaled:1e7"]
)
def test_other_forms_are_refused(text):
    with pytest.raises(ValueError, match="a clock is"):
        Sandbox(clock=text)


async def test_stepped_stands_still_until_stepped(sandbox):
    account, other = sandbox.account("sk_a"), sandbox.account("sk_b")
    before, beside = account.clock.now(), other.clock.now()
    account.advance(1.5)
    assert (account.clock.now() - before, other.clock.now() - beside) == (1500, 0)
    for far in (-1, 1e9, float("nan")):
        with pytest.raises(ValueError, match="forward"):
            account.advance(far)


async def test_real_and_scaled_run(sandbox):
    real, scaled = sandbox.account("sk_a", clock="real"), sandbox.account("sk_b", clock="scaled:1000")
    before, beside, began = real.clock.now(), scaled.clock.now(), time.monotonic()
    while time.monotonic() - began < 0.02:
        pass
    assert 15 <= real.clock.now() - before < 5_000
    assert scaled.clock.now() - beside >= 15_000
    real.advance(60)
    assert real.clock.now() - before >= 60_000


async def test_per_poll_moves_with_each_status_read():
    headers = {"Authorization": "Bearer sk_poll"}
    async with (
        Sandbox(clock="per-poll:5") as sandbox,
        aiohttp.ClientSession(sandbox.url, headers=headers) as http,
    ):
        account = sandbox.account("sk_poll")
        before = account.clock.now()
        for path in (STATUS, "/api/v1/userFaceSwapTask/records", "/api/v1/user/remainingCoins"):
            async with http.get(path) as response:
                assert response.status == 200
        assert account.clock.now() - before == 10_000


async def test_over_http(call, account):
    before = account.clock.now()
    assert (await call("POST", "/sandbox/clock", json={"advance": 60})).status == 200
    assert account.clock.now() - before == 60_000
    for bad in ({"advance": -1}, {"advance": "soon"}, {}):
        assert (await call("POST", "/sandbox/clock", json=bad)).status == 400


async def test_a_clock_changes_its_pace_and_never_jumps(sandbox):
    account = sandbox.account("sk_a", clock="scaled:1000")
    before = account.clock.now()
    account.pace(0)
    stopped = account.clock.now()
    account.advance(5)
    assert before <= stopped == account.clock.now() - 5000
    account.pace(10_000)
    began = time.monotonic()
    while account.clock.now() < stopped + 15_000:
        assert time.monotonic() - began < 30
    for rate, step in ((-1, 0), (1e7, 0), (float("nan"), 0), (1, -1), (1, 1e9)):
        with pytest.raises(ValueError, match="rate must be within"):
            account.pace(rate, step=step)
    assert account.clock.spec == ClockSpec(10_000)


async def test_waiting_for_a_moment_follows_the_pace(sandbox):
    account = sandbox.account("sk_a")
    at = account.clock.now() + 60_000
    assert account.clock.until(at) == float("inf")
    waits = asyncio.create_task(account.clock.reached(at))
    await asyncio.sleep(0)
    await asyncio.to_thread(account.pace, 1000)
    assert 0 < account.clock.until(at) <= 0.06
    await waits
    assert (account.clock.now() >= at, account.clock.until(at)) == (True, 0)


async def test_the_pace_outlives_a_restart(tmp_path):
    db = tmp_path / "world.sqlite"
    async with Sandbox(db=db, clock="real") as sandbox:
        account = sandbox.account("sk_a")
        account.advance(1000)
        account.pace(0, step=2.5)
        stopped = account.clock.now()
    async with Sandbox(db=db, clock="real") as sandbox:
        account = sandbox.account("sk_a")
        assert (account.clock.now(), account.clock.spec) == (stopped, ClockSpec(0, 2.5))
        account.polled()
        assert account.clock.now() == stopped + 2500


async def test_pace_over_http(call, account):
    before = account.clock.now()
    told = (await call("POST", "/sandbox/clock", json={"rate": 0, "step": 5, "advance": 60})).json
    assert told == {"now": iso(before + 60_000), "rate": 0, "step": 5}
    assert (await call("GET", "/sandbox/clock")).json == told
    for bad in ({"rate": -1, "advance": 9}, {"rate": 20, "advance": -9}, {"rate": "fast"}, {"rates": 1}):
        assert (await call("POST", "/sandbox/clock", json=bad)).status == 400
    assert (await call("GET", "/sandbox/clock")).json == told
    assert (await call("POST", "/sandbox/clock", json={"rate": 20})).json["rate"] == 20
    assert account.clock.spec == ClockSpec(20, 0)
