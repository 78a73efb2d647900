"""Faults strike what they match, when they are due, and the log tells."""

import email.utils
import time

import aiohttp
import pytest

from a2e_async.sandbox import Rule, Sandbox, storm
from a2e_async.sandbox.faults import EFFECTS, Rules
from a2e_async.sandbox.journal import Entry, Journal
from a2e_async.sandbox.news import News

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
    path = "/sandbox/faults"
    assert (await call("POST", path, json={"effect": "status", "first": 1})).status == 200
    assert (await call("GET", COINS)).status == 503
    for bad in ({"effect": "melt"}, {"effect": "status", "colour": "red"}, {"effect": "status", "share": 2}):
        assert (await call("POST", path, json=bad)).status == 400
    assert (await call("GET", COINS)).status == 200
    [rule] = (await call("GET", path)).json
    assert (rule["effect"], rule["first"], rule["hits"], rule["strikes"]) == ("status", 1, 2, 1)
    assert (await call("DELETE", path)).json == (await call("GET", path)).json == account.rules == []


async def test_one_rule_is_read_changed_and_removed_while_it_acts(call, account):
    path = "/sandbox/faults"
    made = [(await call("POST", path, json={"effect": "status", "path": COINS})).json for _ in range(2)]
    assert [rule["id"] for rule in made] == [1, 2]
    assert (await call("GET", COINS)).status == 503
    changed = await call("PATCH", f"{path}/1", json={"status": 502, "share": 1})
    assert (changed.json["status"], changed.json["share"], changed.json["hits"]) == (502, 1, 1)
    assert (await call("GET", COINS)).status == 502
    assert (await call("PATCH", f"{path}/1", json={"enabled": False})).json["enabled"] is False
    assert (await call("GET", COINS)).status == 503
    one, two = [(await call("GET", f"{path}/{id_}")).json for id_ in (1, 2)]
    assert [(rule["hits"], rule["strikes"]) for rule in (one, two)] == [(2, 2), (3, 1)]
    assert (await call("DELETE", f"{path}/2")).json == two
    assert (await call("GET", COINS)).status == 200
    assert (await call("GET", path)).json == [one]
    assert (await call("POST", path, json={"effect": "status"})).json["id"] == 3


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("PATCH", "1", {"share": 2}, 400, "share must be within 0..1"),
        ("PATCH", "1", {"share": 0.1, "word": "x"}, 400, "status takes no word"),
        ("PATCH", "1", {"effect": "html"}, 400, "effect cannot be changed"),
        ("PATCH", "1", {"hits": 0}, 400, "hits cannot be changed"),
        ("PATCH", "1", {"colour": "red"}, 400, "unknown field `colour`"),
        ("PATCH", "1", [], 400, "Expected `object`"),
        ("PATCH", "2", {}, 404, "there is no rule 2"),
        ("DELETE", "2", None, 404, "there is no rule 2"),
        ("GET", "999999999", None, 404, "there is no rule 999999999"),
        ("POST", "", {"effect": "status", "id": 1}, 400, "leave its id to the account"),
    ],
)
async def test_what_a_rule_cannot_become(call, account, method, path, body, status, said):
    rule = account.fault(Rule("status", path="/nowhere"))
    reply = await call(method, f"/sandbox/faults/{path}".rstrip("/"), json=body)
    assert (reply.status, said in reply.msg) == (status, True)
    assert account.rules == [rule] == [Rule("status", path="/nowhere", id=1)]


async def test_a_rule_acts_for_one_account(account):
    rule = account.fault(Rule("status"))
    with pytest.raises(ValueError, match="once"):
        account.fault(rule)


async def test_effects_are_told_with_their_parameters(call):
    told = (await call("GET", "/sandbox/effects")).json
    effects = {effect["effect"]: effect for effect in told["effects"]}
    assert set(effects) == set(EFFECTS)
    assert effects["dribble"]["strikes"] == "all"
    pace = effects["dribble"]["parameters"]["pace"]
    assert pace == {"type": "number", "default": 2.0, "description": "seconds for each byte"}
    assert told["common"]["share"]["anyOf"] == [{"type": "number"}, {"type": "null"}]
    for effect in effects.values():
        fields = told["common"] | effect["parameters"]
        usual = {name: schema["default"] for name, schema in fields.items()}
        assert (await call("POST", "/sandbox/faults", json={"effect": effect["effect"], **usual})).status == 200


async def test_a_storm_and_coins_over_http(call, account):
    rules = (await call("POST", "/sandbox/storm", json={"share": 0.01})).json
    assert rules == (await call("GET", "/sandbox/faults")).json
    assert len(rules) == len(storm(0.01))
    await call("DELETE", "/sandbox/faults")
    assert (await call("POST", "/sandbox/storm", json={"share": 2})).status == 400
    assert (await call("POST", "/sandbox/coins", json={"coins": 5})).json == {"coins": 1005}
    assert (await call("POST", "/sandbox/coins", json={"coins": -5})).status == 400
    assert [(line.reason, line.delta) for line in account.ledger] == [("grant", 1000), ("grant", 5)]


async def test_bursts_come_again(call, account):
    burst = account.fault(Rule("status", status=429, headers={"Retry-After": "1"}, every=5, first=2))
    second = account.fault(Rule("status", path=COINS, every=3, nth=3))
    statuses = [(await call("GET", COINS)).status for _ in range(12)]
    assert statuses == [429, 429, 503, 200, 200, 429, 429, 200, 503, 200, 429, 429]
    assert ((burst.hits, burst.strikes), (second.hits, second.strikes)) == ((12, 6), (12, 2))


async def test_a_share_is_struck_and_strikes_the_same_again(call, account):
    def struck(*who, before=0):
        rules = Rules(News(), *who)
        for path in ["/nowhere"] * before + ["*"]:
            rules.add(Rule("status", path=path, share=0.25))
        return [bool(rules.pick("GET", COINS, "")) for _ in range(4000)]

    first = struck(1, "user")
    assert 900 < sum(first) < 1100
    assert struck(1, "user") == first
    assert first not in (struck(2, "user"), struck(1, "other"), struck(1, "user", before=1))
    rule = account.fault(Rule("status", path=COINS, share=0.5, every=10, first=8))
    statuses = [(await call("GET", COINS)).status for _ in range(40)]
    assert statuses.count(503) == rule.strikes
    assert 8 < rule.strikes < 24
    assert 503 not in statuses[8:10] + statuses[18:20]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"effect": "melt"}, "effect must be one of delay, "),
        ({"nth": 0}, "must be at least 1"),
        ({"first": -1}, "must be at least 1"),
        ({"every": 0, "first": 1}, "must be at least 1"),
        ({"every": 10}, "every needs an nth or first within it"),
        ({"every": 10, "first": 11}, "every needs an nth or first within it"),
        ({"share": 1.5}, "share must be within 0..1"),
        ({"share": float("nan")}, "share must be within 0..1"),
        ({"seconds": -1}, "seconds must be a span of time"),
        ({"status": 99}, "status must be within 200..599"),
        ({"longest": 1, "seconds": 2}, "longest must be"),
        ({"longest": float("inf")}, "longest must be"),
        ({"tail": True, "longest": 2}, "tail needs 0 < seconds < longest"),
        ({"retry_after": -1}, "retry_after must be within"),
        ({"retry_after": 10**10}, "retry_after must be within"),
        ({"headers": {"A": "b\r\nC: d"}}, "must be single lines"),
        ({"headers": {"A\n": "b"}}, "must be single lines"),
        ({"effect": "redirect", "location": "/\n"}, "must be single lines"),
        ({"effect": "content_type", "content_type": "a\0"}, "must be single lines"),
        ({"http_date": True}, "http_date needs retry_after"),
        ({"effect": "truncated", "part": 1}, "part must be"),
        ({"effect": "dribble", "pace": -1}, "pace and age"),
        ({"effect": "wrong_length", "off": 0}, "off must not be 0"),
        ({"effect": "gzip_bomb", "size": 0}, "size must be within 1..1073741824"),
        ({"effect": "clock_skew", "skew": float("nan")}, "skew must be"),
        ({"effect": "delay", "status": 500}, "delay takes no status"),
    ],
)
def test_rules_that_cannot_be(wrong, said):
    with pytest.raises(ValueError, match=said):
        Rule(**({"effect": "status"} | wrong))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("reset_after", Rule("reset_after")),
        ("reset_after:share=0.01,path=*/add", Rule("reset_after", share=0.01, path="*/add")),
        ("status:status=429,retry_after=2,http_date=true", Rule("status", status=429, retry_after=2, http_date=True)),
        ("delay:seconds=0.5,longest=30,tail=1", Rule("delay", seconds=0.5, longest=30, tail=True)),
        (' {"effect": "status", "body": "a,b"}', Rule("status", body="a,b")),
    ],
)
def test_rules_can_be_written_in_short(text, rule):
    assert Rule.parse(text) == rule


@pytest.mark.parametrize(
    "text", ["", "melt", "status:colour=red", "status:status=much", "status:status", "{", "delay:body"]
)
def test_what_is_no_rule_in_short(text):
    with pytest.raises(ValueError, match=r"effect must be|unknown field|Expected|truncated|takes no"):
        Rule.parse(text)


async def test_rules_for_every_account(tmp_path):
    rule = Rule("status", path=COINS, nth=1)
    for key in ("sk_one", "sk_two", "sk_one"):
        async with (
            Sandbox(db=tmp_path / "db", faults=[rule]) as sandbox,
            aiohttp.ClientSession(sandbox.url, headers={"Authorization": f"Bearer {key}"}) as http,
        ):
            for expected in (503, 200):
                async with http.get(COINS) as response:
                    assert response.status == expected
            assert [rule.strikes for rule in sandbox.account(key).rules] == [1]
    assert rule.hits == 0


def test_the_log_keeps_no_more_than_it_may():
    entries = [Entry(number, "a", "GET", "/", "", b"x" * 10, "") for number in range(9)]
    for journal, kept in ((Journal(most=3), 3), (Journal(most_bytes=25), 2), (Journal(most_bytes=5), 0)):
        for entry in entries:
            journal.enter(entry)
        assert journal.of("a") == entries[9 - kept :]
        assert journal.of("b") == []


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
