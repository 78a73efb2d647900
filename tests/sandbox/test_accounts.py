"""Who gets in, and what the ledger says."""

import pytest

pytestmark = pytest.mark.anyio

COINS = "/api/v1/user/remainingCoins"


@pytest.mark.parametrize(
    "token",
    ["", "Bearer", "Basic sk_test", "Bearer nothing", "Bearer sk_invalid_x", "Bearer sk_eyJhbGciOi.x"],
)
async def test_tokens_refused(call, token):
    reply = await call("GET", COINS, headers={"Authorization": token})
    assert reply.status == 401
    assert reply.json["code"] == 1001
    assert ("do not send real keys" in reply.msg) == ("eyJ" in token)


async def test_each_key_has_its_own_account(call, sandbox):
    await call.start()
    assert (await call("GET", COINS)).data == {"coins": 990, "diamonds": 0}
    other = {"Authorization": "Bearer sk_other"}
    assert (await call("GET", COINS, headers=other)).data["coins"] == 1000
    assert (await call("GET", "/api/v1/userFaceSwapTask/records", headers=other)).data["count"] == 0
    assert sandbox.account("sk_other").tasks == []


async def test_settings_are_for_a_new_account(sandbox):
    rich = sandbox.account("sk_rich", coins=5, clock="scaled:100", seed=7)
    assert (rich.coins, rich.seed, rich.clock.spec.rate) == (5, 7, 100)
    assert sandbox.account("sk_rich") is rich
    with pytest.raises(ValueError, match="exists"):
        sandbox.account("sk_rich", coins=6)


async def test_a_client_in_any_language_says_how_its_account_begins(call, sandbox):
    path, mine = "/sandbox/accounts", {"headers": {"Authorization": "Bearer sk_mine"}}
    begun = await call("POST", path, json={"coins": 5, "clock": "scaled:100", "seed": 7}, **mine)
    account = sandbox.account("sk_mine")
    assert (begun.status, begun.json) == (200, {"label": account.label})
    assert (account.coins, account.seed, account.clock.spec.rate) == (5, 7, 100)
    assert (await call("POST", path, json={}, **mine)).json == (await call("POST", path, **mine)).json == begun.json
    again = await call("POST", path, json={"coins": 6}, **mine)
    assert (again.status, again.msg) == (409, f"{account.label} exists: its clock, coins and seed are set")
    assert account.coins == 5


@pytest.mark.parametrize(
    "body",
    [{"coins": -1}, {"coins": "x"}, {"coins": 1e300}, {"seed": 2**63}, {"clock": "sundial"}, {"colour": "red"}, []],
)
async def test_an_account_that_cannot_begin_so_is_not_made(call, sandbox, body):
    reply = await call("POST", "/sandbox/accounts", json=body, headers={"Authorization": "Bearer sk_mine"})
    assert reply.status == 400
    assert sandbox.account("sk_mine", coins=3).coins == 3


async def test_an_account_needs_a_key(call):
    assert (await call("POST", "/sandbox/accounts", json={}, headers={"Authorization": ""})).status == 401


async def test_too_few_coins(call, sandbox):
    sandbox.account("sk_poor", coins=9)
    headers = {"Authorization": "Bearer sk_poor"}
    reply = await call("POST", "/api/v1/userFaceSwapTask/add", json=call.swap(), headers=headers)
    assert reply.status == 400
    assert reply.msg == "insufficient credits: this needs 10 coins, the account has 9"
    assert sandbox.account("sk_poor").tasks == []


async def test_a_failed_task_is_refunded_once_and_dated_at_its_failure(call, account):
    task_id = await call.start(name="a label fail:no face found")
    [task] = account.tasks
    assert account.coins == 990
    account.advance(100)
    await call.detail(task_id)
    for _ in range(3):
        assert account.coins == 1000
        assert (await call("GET", COINS)).data["coins"] == 1000
    assert [(line.delta, line.reason, line.task) for line in account.ledger] == [
        (1000, "grant", ""),
        (-10, "charge", task_id),
        (10, "refund", task_id),
    ]
    assert account.ledger[-1].at == task.ends
    assert account.ledger[-1].balance == 1000
    await call("DELETE", f"/api/v1/userFaceSwapTask/{task_id}")
    assert account.coins == 1000


async def test_moderation_refuses_at_the_start(call, account):
    reply = await call("POST", "/api/v1/userFaceSwapTask/add", json=call.swap(name="moderation:nudity"))
    assert (reply.status, reply.json["code"], reply.msg) == (403, 1003, "nudity")
    assert account.coins == 1000
    assert account.tasks == []


async def test_exchange(call):
    assert (await call("POST", "/api/v1/user/exchangeDiamonds", json={"diamonds": 3})).data == {}
    assert (await call("GET", COINS)).data == {"coins": 700, "diamonds": 3}
    for diamonds in (0, 8):
        reply = await call("POST", "/api/v1/user/exchangeDiamonds", json={"diamonds": diamonds})
        assert reply.status == 400
    assert (await call("GET", COINS)).data == {"coins": 700, "diamonds": 3}


async def test_add_user(call):
    assert (await call("POST", "/api/v1/user/add", json={"username": "ann"})).data["username"] == "ann"


async def test_credits_history(call, account):
    task_id = await call.start(name="fail:x")
    account.advance(100)
    path = "/api/v1/transactionRecord/creditsHistory"
    everything = (await call("GET", path)).data
    assert [row["amount"] for row in everything["rows"]] == [10, -10, 1000]
    assert everything["rows"][1]["task_id"] == task_id
    spent = (await call("GET", path, params={"is_consumption": "true"})).data
    assert [row["amount"] for row in spent["rows"]] == [-10]
    page = (await call("GET", path, params={"pageNum": "2", "pageSize": "1"})).data
    assert ([row["amount"] for row in page["rows"]], page["count"]) == ([-10], 3)
    day = everything["rows"][0]["createdAt"][:10]
    assert (await call("GET", path, params={"startDate": "2020-01-01", "endDate": day})).data["count"] >= 2
    assert (await call("GET", path, params={"endDate": "2020-01-01"})).data["count"] == 0
    assert (await call("GET", path, params={"endDate": "soon"})).status == 400


async def test_quote(call, account):
    path = "/api/v1/generation/quote"
    start = "/api/v1/userFaceSwapTask/add"
    body = {"endpoint": f"POST {start}", "requestBody": call.swap()}
    assert (await call("POST", path, json=body)).data == {"coins": 10, "generationRequestValidated": True}
    body["requestBody"] = {"video_url": call.sandbox.face_url}
    assert (await call("POST", path, json=body)).data == {"coins": 5, "generationRequestValidated": False}
    body["endpoint"] = "api/v1/userFaceSwapPreview/add"
    assert (await call("POST", path, json=body)).data["coins"] == 0
    body["endpoint"] = "POST /api/v1/user/add"
    assert (await call("POST", path, json=body)).status == 400
    assert (account.coins, account.tasks) == (1000, [])
