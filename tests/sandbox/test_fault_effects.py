"""What a client sees of each effect, byte by byte where that tells."""

import asyncio
import contextlib
import email.utils
import gzip
import time
from datetime import datetime
from pathlib import Path

import aiohttp
import msgspec
import pytest
from yarl import URL

from a2e_async.sandbox import Rule, Sandbox, storm
from a2e_async.sandbox.faults import EFFECTS, Rules
from a2e_async.sandbox.faults.acting import CHANGES, INSTEAD
from a2e_async.sandbox.faults.catalogue import COMMON, PARAMETERS
from a2e_async.sandbox.news import News
from tests.sandbox.conftest import ADD, KEY

pytestmark = pytest.mark.anyio

COINS = "/api/v1/user/remainingCoins"
RECORDS = "/api/v1/userFaceSwapTask/records"


class Wire:
    """One connection to the sandbox, and what came over it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, path: str, *lines: str) -> tuple[str, dict[str, str]]:
        """Send a GET and read status line and headers."""
        head = [f"GET {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {KEY}", *lines]
        self.writer.write("\r\n".join([*head, "", ""]).encode())
        status, *headers = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        return status.split(" ", 1)[1], {k.lower(): v for k, _, v in (h.partition(": ") for h in headers) if k}


@pytest.fixture
async def wire(sandbox):
    url = URL(sandbox.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    yield Wire(reader, writer)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


@pytest.fixture
async def result(call, account) -> str:
    """The URL of a finished swap's result, less scheme and host."""
    task_id = await call.start()
    account.advance(100)
    return URL((await call.detail(task_id))["result_url"]).raw_path_qs


async def presigned(call) -> str:
    body = {"bucket": "b", "key": "x.jpg", "contentType": "image/jpeg"}
    return (await call("POST", "/api/v1/r2/upload-presigned-url", json=body)).data["uploadUrl"]


def test_every_effect_is_listed_and_does_something():
    of_callbacks = {name for name, effect in EFFECTS.items() if effect.strikes == "webhooks"}
    assert set(INSTEAD) | set(CHANGES) | of_callbacks == set(EFFECTS)
    assert not set(INSTEAD) & set(CHANGES)
    assert {name for effect in EFFECTS.values() for name in effect.takes} == set(PARAMETERS)
    given = {"effect", "id", "hits", "strikes"}
    assert {*COMMON, *PARAMETERS, *given} == set(Rule.__struct_fields__)


async def test_delay_spreads_and_has_a_tail(call, account):
    even, tail = Rule("delay", seconds=0.1, longest=2.0), Rule("delay", seconds=0.1, longest=2.0, tail=True)
    chances = [n / 1000 for n in range(1000)]
    for rule, median, most in ((even, 1.05, 1.99), (tail, 0.19, 1.9)):
        pauses = sorted(rule.pause(chance) for chance in chances)
        assert pauses[0] == pytest.approx(0.1)
        assert pauses[500] == pytest.approx(median, rel=0.01)
        assert most < pauses[-1] < 2
    account.fault(Rule("delay", seconds=0.03, longest=0.05))
    began = time.monotonic()
    assert (await call("GET", COINS)).status == 200
    assert time.monotonic() - began >= 0.03


async def test_retry_after_in_both_forms(call, account):
    account.fault(Rule("status", status=429, retry_after=2, nth=1))
    account.fault(Rule("status", status=429, retry_after=2, http_date=True, nth=2))
    began = time.time()
    first, second = [await call("GET", COINS) for _ in range(2)]
    assert (first.status, first.headers["Retry-After"]) == (429, "2")
    until = email.utils.parsedate_to_datetime(second.headers["Retry-After"]).timestamp()
    assert began + 2 <= until <= time.time() + 3


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_gateway_shows_its_page(call, account, status):
    account.fault(Rule("status", status=status))
    reply = await call("GET", COINS)
    assert (reply.status, reply.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert f"<h1>{status} ".encode() in reply.body


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_redirect_leads_elsewhere(call, account, method):
    account.fault(Rule("redirect", first=1))
    account.fault(Rule("redirect", location="http://localhost/x"))
    first, second = [await call(method, f"{COINS}?a=1", allow_redirects=False) for _ in range(2)]
    assert (first.status, first.headers["Location"]) == (307, f"https://elsewhere.invalid{COINS}?a=1")
    assert second.headers["Location"] == "http://localhost/x"


async def test_expired_urls_of_results_and_uploads(call, account, result):
    rule = account.fault(Rule("expired"))
    for reply in (await call("GET", result), await call("PUT", await presigned(call), data=b"x")):
        assert reply.status == 403
        assert b"<Code>AccessDenied</Code><Message>this URL has expired</Message>" in reply.body
    assert (await call("GET", COINS)).status == 200
    assert (rule.hits, rule.strikes) == (2, 2)


async def test_coins_run_out_midway(call, account):
    account.fault(Rule("coins_out", path=ADD, nth=3))
    replies = [await call("POST", ADD, json=call.swap()) for _ in range(4)]
    assert [reply.status for reply in replies] == [200, 200, 400, 400]
    assert "insufficient credits: this needs 10 coins, the account has 0" in replies[2].msg
    assert (account.coins, len(account.tasks)) == (0, 2)
    assert [(line.reason, line.delta) for line in account.ledger][-1] == ("fault", -980)


async def test_truncated_closes_within_the_body(wire, account):
    account.fault(Rule("truncated", part=0.25))
    _, headers = await wire.ask(COINS)
    body = await wire.reader.read()
    assert len(body) == int(headers["content-length"]) // 4
    assert body.startswith(b'{"code":0')
    assert account.requests[0].status == 0


async def test_truncated_after_the_work(call, account):
    account.fault(Rule("truncated", path=ADD, first=1))
    with pytest.raises(aiohttp.ClientPayloadError):
        await call.start()
    assert (len(account.tasks), account.coins) == (1, 990)


async def test_dribble_sends_byte_by_byte(wire, account):
    account.fault(Rule("dribble", pace=0.005))
    _, headers = await wire.ask(COINS)
    length, began = int(headers["content-length"]), time.monotonic()
    body = await wire.reader.readexactly(length)
    assert body.startswith(b'{"code":0')
    assert time.monotonic() - began >= (length - 1) * 0.005
    assert account.requests[0].status == 200


@pytest.mark.parametrize("off", [-8, 8])
async def test_wrong_length_leaves_the_connection_open(wire, account, off):
    account.fault(Rule("wrong_length", off=off, first=1))
    _, headers = await wire.ask(COINS)
    body = await wire.reader.readexactly(int(headers["content-length"]) - off)
    assert msgspec.json.decode(body)["code"] == 0
    status, _ = await wire.ask(COINS)
    assert status == "200 OK"


async def test_endless_goes_on_after_the_body(call, account):
    account.fault(Rule("endless"))
    async with call.http.get(COINS) as response:
        start = await response.content.readexactly(40_000)
        assert "Content-Length" not in response.headers
        response.close()
    assert msgspec.json.decode(start)["code"] == 0
    assert start.endswith(b" " * 39_000)


@pytest.mark.parametrize("rule", [Rule("endless"), Rule("dribble", pace=0.01)])
async def test_a_client_that_has_had_enough_is_no_error_of_the_server(sandbox, account, caplog, rule):
    account.fault(msgspec.structs.replace(rule))
    before = asyncio.all_tasks()
    async with aiohttp.ClientSession(sandbox.url, headers={"Authorization": f"Bearer {KEY}"}) as http:
        async with http.get(COINS) as response:
            await response.content.readexactly(1)
            response.close()
    async with asyncio.timeout(5):
        while asyncio.all_tasks() - before:
            await asyncio.sleep(0.01)
    assert caplog.records == []


async def test_wrong_content_type(call, account, result):
    account.fault(Rule("content_type", content_type="text/html"))
    row, file = await call("GET", COINS), await call("GET", result)
    assert (row.headers["Content-Type"], row.data["coins"]) == ("text/html", 990)
    assert (file.headers["Content-Type"], file.body[4:8]) == ("text/html", b"ftyp")


async def test_invalid_json_has_the_right_length(call, account):
    account.fault(Rule("invalid_json"))
    reply = await call("GET", COINS)
    assert reply.status == 200
    assert reply.body.startswith(b'{"code":0')
    with pytest.raises(msgspec.DecodeError):
        msgspec.json.decode(reply.body)


async def test_invalid_utf8_in_every_text(call, account):
    task_id = await call.start()
    account.fault(Rule("invalid_utf8"))
    reply = await call("GET", f"/api/v1/userFaceSwapTask/{task_id}")
    assert b'"name":"\xff\xfeclip"' in reply.body
    with pytest.raises(UnicodeDecodeError):
        reply.body.decode()
    assert msgspec.json.decode(reply.body.replace(b"\xff\xfe", b""))["data"]["name"] == "clip"


async def test_gzip_bomb_is_small_until_it_is_unpacked(wire, account):
    account.fault(Rule("gzip_bomb", size=4_000_000))
    _, headers = await wire.ask(COINS)
    body = await wire.reader.readexactly(int(headers["content-length"]))
    assert headers["content-encoding"] == "gzip"
    assert len(body) < 8000
    unpacked = gzip.decompress(body)
    assert unpacked.count(b" ") == 4_000_000
    assert msgspec.json.decode(unpacked)["code"] == 0


async def test_corrupt_and_short_downloads(call, account, result):
    right = (await call("GET", result)).body
    account.fault(Rule("corrupt", first=1))
    account.fault(Rule("short"))
    corrupt, short = [await call("GET", result) for _ in range(2)]
    differing = [at for at, (one, other) in enumerate(zip(right, corrupt.body, strict=True)) if one != other]
    assert differing == list(range(512, len(right), 1024))
    assert corrupt.headers["Content-Type"] == short.headers["Content-Type"] == "video/mp4"
    assert short.body == right[: len(right) // 2]
    assert short.headers["Content-Length"] == str(len(short.body))
    assert (await call("GET", COINS)).status == 200


async def test_a_struck_file_is_served_in_ranges_like_any_other(call, account, result):
    ways = ({}, {"Range": "bytes=100-"}, {"Range": "bytes=5-9"}, {"Range": "bytes=-7"}, {"Range": "bytes=99999999-"})
    replies = []
    for _ in range(2):
        replies.append([await call("GET", result, headers=way) for way in ways])
        replies[-1].append(await call("HEAD", result))
        account.fault(Rule("clock_skew"))
    for plain, struck in zip(*replies, strict=True):
        assert (struck.status, struck.body) == (plain.status, plain.body)
        for name in ("Content-Length", "Content-Range", "ETag", "Accept-Ranges", "Content-Type"):
            assert struck.headers.get(name) == plain.headers.get(name), name


async def test_statuses_nobody_knows_and_statuses_going_back(call, account):
    task_id = await call.start()
    account.advance(100)
    account.fault(Rule("word", nth=1))
    account.fault(Rule("backwards", nth=2))
    account.fault(Rule("backwards", nth=3))
    path = f"/api/v1/userFaceSwapTask/{task_id}"
    odd, back, rows, right = [(await call("GET", at)).data for at in (path, path, RECORDS, path)]
    assert odd["current_status"] == "archiving"
    assert (back["current_status"], back["result_url"], back["name"]) == ("processing", "", "clip")
    assert rows["rows"][0]["current_status"] == "processing"
    assert (right["current_status"], right["result_url"] > "") == ("completed", True)


async def test_records_are_missing_for_a_while(call, account):
    old = await call.start()
    account.advance(60)
    new = await call.start()
    rule = account.fault(Rule("missing", age=20))
    listed = (await call("GET", RECORDS)).data
    assert ([row["_id"] for row in listed["rows"]], listed["count"]) == ([old], 1)
    assert (await call.detail(new))["_id"] == new
    account.advance(21)
    assert [row["_id"] for row in (await call("GET", RECORDS)).data["rows"]] == [new, old]
    assert (rule.hits, rule.strikes) == (3, 1)


async def test_a_list_shows_a_record_twice(call, account):
    ids = [await call.start() for _ in range(2)][::-1]
    account.fault(Rule("duplicate"))
    for path, rows in ((RECORDS, lambda data: data["rows"]), ("/api/v1/userFaceSwapTask/status", lambda data: data)):
        assert [row["_id"] for row in rows((await call("GET", path)).data)] == [*ids, ids[0]]


async def test_the_clock_of_the_service_is_off(call, account):
    task_id = await call.start()
    right = await call.detail(task_id)
    account.fault(Rule("clock_skew", skew=-86400))
    reply = await call("GET", f"/api/v1/userFaceSwapTask/{task_id}")
    days = [datetime.fromisoformat(told["createdAt"]) for told in (right, reply.data)]
    assert (days[0] - days[1]).total_seconds() == 86400
    date = email.utils.parsedate_to_datetime(reply.headers["Date"]).timestamp()
    assert time.time() - 86410 < date < time.time() - 86390


@pytest.mark.parametrize(
    ("rule", "status", "kept"),
    [
        (Rule("status", status=500), 500, False),
        (Rule("status", status=500, after=True), 500, True),
        (Rule("reset_before"), 0, False),
        (Rule("reset_after"), 0, True),
        (Rule("delay", seconds=0.01), 200, True),
    ],
)
async def test_uploads_can_be_struck(call, account, rule, status, kept):
    upload = await presigned(call)
    account.fault(msgspec.structs.replace(rule, path="/storage/*"))
    got = 0
    async with aiohttp.ClientSession(headers={"Content-Type": "image/jpeg"}) as http:
        with contextlib.suppress(aiohttp.ClientConnectionError):
            async with http.put(upload, data=b"\xff\xd8\xff") as response:
                got = response.status
    stored = await call("GET", URL(upload).path.replace("/storage/", "/cdn/"))
    assert (got, stored.status == 200) == (status, kept)


async def test_what_finds_nothing_to_change_is_no_strike(call, account):
    rules = [account.fault(Rule(effect)) for effect in ("word", "duplicate", "corrupt")]
    assert (await call("GET", COINS)).status == 200
    assert [(rule.hits, rule.strikes) for rule in rules] == [(1, 0), (1, 0), (0, 0)]
    assert account.requests[0].effect == ""


def test_the_order_of_calls_does_not_tell_what_is_struck():
    def struck(names):
        rules = Rules(News(), 7, "user")
        rules.add(Rule("status", share=0.3))
        return {(name, n): bool(rules.pick("POST", ADD, name)) for name, n in names}

    names = [(f"clip {n % 50}", n // 50) for n in range(200)]
    first = struck(names)
    assert struck(sorted(names)) == struck(sorted(names, reverse=True, key=lambda pair: pair[0])) == first
    assert 30 < sum(first.values()) < 90


def test_ids_of_another_second_are_struck_alike():
    def struck(second):
        rules = Rules(News(), 1, "user")
        rules.add(Rule("delay", share=0.5, seconds=1, longest=9))
        paths = [f"/api/v1/userFaceSwapTask/{second:08x}{n:016x}" for n in range(99)]
        return [rules.pick("GET", path, "") and rules.all[0].strikes for path in paths]

    assert struck(0x60000000) == struck(0x6FFFFFFF)


def test_a_storm_has_every_effect_but_one():
    rules = storm(0.01)
    assert {rule.effect for rule in rules} == set(EFFECTS) - {"coins_out"}
    assert {rule.share for rule in rules} == {0.01}


def test_the_documentation_has_every_effect_and_parameter():
    page = (Path(__file__).parents[2] / "docs" / "pages" / "sandbox.md").read_text(encoding="utf-8")
    rows = {line.split(" | ")[0].strip("| `"): line for line in page.splitlines() if line.startswith("| `")}
    for name, effect in EFFECTS.items():
        if effect.strikes != "webhooks":
            assert all(f"`{parameter}`" in rows[name] for parameter in effect.takes), name
        else:
            assert f"`{name}`" in page


@pytest.mark.parametrize("effect", ["status", "truncated", "invalid_json"])
async def test_a_seed_strikes_the_same_whatever_the_order_of_concurrent_calls(effect):
    async def struck(seed, numbers):
        rule = Rule(effect, path="*Task/*", share=0.4)
        async with (
            Sandbox(seed=seed, faults=[rule]) as sandbox,
            aiohttp.ClientSession(sandbox.url, headers={"Authorization": f"Bearer {KEY}"}) as http,
        ):

            async def ask(number):
                with contextlib.suppress(aiohttp.ClientPayloadError):
                    async with http.get(f"/api/v1/userFaceSwapTask/{number:024x}") as response:
                        await response.read()

            await asyncio.gather(*map(ask, numbers))
            return {entry.path for entry in sandbox.account(KEY).requests if entry.effect}

    numbers = range(40)
    first = await struck(1, numbers)
    assert first == await struck(1, numbers[::-1]) != await struck(2, numbers)
    assert 6 < len(first) < 28
