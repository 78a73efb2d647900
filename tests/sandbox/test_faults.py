"""Faults strike what they match, when they are due, and the log tells."""

import email.utils
import time

import aiohttp
import pytest

from a2e_async.sandbox import Rule

pytestmark = pytest.mark.anyio

ADD = "/api/v1/userFaceSwapTask/add"
COINS = "/api/v1/user/remainingCoins"


async def test_reset_before_work(call, account):
    rule = account.fault(Rule("reset_before", path="*/add"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await call.start()
    assert (account.tasks, account.coins, rule.hits) == ([], 1000, 1)
    [entry] = account.requests
    assert (entry.status, entry.effect) == (0, "reset_before")


async def test_reset_after_work(call, account):
    account.fault(Rule("reset_after", path="*/add", first=1))
    with pytest.raises(aiohttp.ClientConnectionError):
        await call.start()
    assert (len(account.tasks), account.coins) == (1, 990)
    await call.start()
    assert (len(account.tasks), account.coins) == (2, 980)


async def test_status_with_retry_after(call, account):
    date = email.utils.formatdate(time.time() + 2, usegmt=True)
    account.fault(Rule("status", nth=1, status=429, headers={"Retry-After": "2"}, body='{"code":1001,"msg":"slow"}'))
    account.fault(Rule("status", nth=2, status=429, headers={"Retry-After": date}))
    first, second, third = [await call("GET", COINS) for _ in range(3)]
    assert (first.status, first.headers["Retry-After"], first.msg) == (429, "2", "slow")
    assert (second.status, second.headers["Retry-After"]) == (429, date)
    assert second.headers["Content-Type"].startswith("text/html")
    assert third.status == 200


async def test_status_after_work(call, account):
    account.fault(Rule("status", method="POST", status=502, after=True))
    assert (await call("POST", ADD, json=call.swap())).status == 502
    assert account.coins == 990


@pytest.mark.parametrize("after", [False, True])
async def test_html_where_json_was_expected(call, account, after):
    account.fault(Rule("html", path=ADD, after=after))
    reply = await call("POST", ADD, json=call.swap())
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert len(account.tasks) == after


async def test_unknown_word(call, account):
    await call.start()
    account.fault(Rule("word", method="GET", word='arch"iving'))
    assert (await call("GET", "/api/v1/userFaceSwapTask/status")).data[0]["current_status"] == 'arch"iving'
    assert account.tasks[0].state(account.clock.now()) == "initialized"


async def test_delay(call, account):
    account.fault(Rule("delay", seconds=0.05))
    began = time.monotonic()
    assert (await call("GET", COINS)).status == 200
    assert time.monotonic() - began >= 0.05


async def test_rules_match_by_name_and_count_on_the_server(call, account):
    rule = account.fault(Rule("status", name="bad *", nth=2))
    names = ["good 1", "bad 1", "bad 2", "bad 3"]
    replies = [await call("POST", ADD, json=call.swap(name=name)) for name in names]
    assert [reply.status for reply in replies] == [200, 200, 503, 200]
    assert rule.hits == 3


async def test_hidden_repeats_of_a_client_are_seen(call, account):
    account.fault(Rule("reset_before", path=COINS, first=1))
    assert (await call("GET", COINS)).status == 200
    assert [entry.status for entry in account.requests] == [0, 200]


async def test_faults_of_downloads(call, account):
    task_id = await call.start()
    account.advance(100)
    url = (await call.detail(task_id))["result_url"]
    account.fault(Rule("status", path="/results/*", first=1))
    assert [(await call("GET", url)).status for _ in range(2)] == [503, 200]


async def test_rules_harm_no_other_account(call, account):
    account.fault(Rule("status"))
    assert (await call("GET", COINS, headers={"Authorization": "Bearer sk_other"})).status == 200


async def test_over_http(call, account):
    assert (await call("POST", "/sandbox/faults", json={"effect": "status", "first": 1})).status == 200
    assert (await call("GET", COINS)).status == 503
    for bad in ({"effect": "melt"}, {"effect": "status", "colour": "red"}):
        assert (await call("POST", "/sandbox/faults", json=bad)).status == 400
    assert len(account.rules) == 1


async def test_request_log(call, account):
    await call("GET", f"{COINS}?x=1")
    await call("POST", ADD, json=call.swap())
    await call("POST", ADD, data=b"nonsense", headers={"Content-Type": "application/json"})
    first, second, third = account.requests
    assert (first.method, first.path, first.query, first.status, first.body) == (
        "GET",
        COINS,
        "x=1",
        200,
        None,
    )
    assert second.body == call.swap()
    assert (third.body, third.status) == ("nonsense", 400)
    assert {entry.authorization for entry in account.requests} == {"Bearer ***"}
    logged = (await call("GET", "/sandbox/requests")).json
    assert [(entry["path"], entry["status"]) for entry in logged] == [(COINS, 200), (ADD, 200), (ADD, 400)]
    assert logged[1]["body"] == call.swap()
