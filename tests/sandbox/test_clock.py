"""Each account has its own time."""

import time

import aiohttp
import pytest

from a2e_async.sandbox import Sandbox
from a2e_async.sandbox.clock import ClockSpec

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


@pytest.mark.parametrize("text", ["", "fast", "scaled", "scaled:", "scaled:x", "real:2", "per-poll:-1", "scaled:inf"])
def test_other_forms_are_refused(text):
    with pytest.raises(ValueError, match="a clock is"):
        Sandbox(clock=text)


async def test_stepped_stands_still_until_stepped(sandbox):
    account, other = sandbox.account("sk_a"), sandbox.account("sk_b")
    before, beside = account.clock.now(), other.clock.now()
    account.advance(1.5)
    assert (account.clock.now() - before, other.clock.now() - beside) == (1500, 0)
    with pytest.raises(ValueError, match="forward"):
        account.advance(-1)


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
