"""The dashboard's routes: who may ask, what the lists show, and the news that they have changed."""

import asyncio
import contextlib
import json
from collections import Counter
from importlib.metadata import files

import aiohttp
import pytest

from a2e_async.sandbox import Rule, Sandbox
from a2e_async.sandbox.pages import _FOLDER
from tests.sandbox.conftest import ADD, KEY, Caller

pytestmark = pytest.mark.anyio

COINS = "/api/v1/user/remainingCoins"
MINE = "/sandbox/accounts/account-1"


@pytest.fixture
async def page(sandbox, account):
    """A client that has no token, as the dashboard."""
    async with aiohttp.ClientSession(sandbox.url) as http:
        yield Caller(http, sandbox)


class Events:
    """The events of one stream."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response

    async def next(self) -> list[str]:
        line = await self.response.content.readuntil(b"\n\n")
        return json.loads(line.removeprefix(b"data: "))


@contextlib.asynccontextmanager
async def listening(caller, path=f"{MINE}/events"):
    async with caller.http.get(path) as response:
        assert response.content_type == "text/event-stream"
        yield Events(response)


@pytest.mark.parametrize("name", sorted(file.name for file in _FOLDER.iterdir()))
async def test_each_file_of_the_page_is_served_and_can_do_nothing_else(page, name):
    answer = await page("GET", f"/sandbox/dashboard/{name}")
    assert answer.status == 200
    assert answer.body == (_FOLDER / name).read_bytes()
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Access-Control-Allow-Origin" not in answer.headers


async def test_the_page_is_at_the_root_and_names_only_files_that_exist(page):
    text = (await page("GET", "/")).body.decode()
    assert "SANDBOX" in text
    named = {part.partition('"')[0] for part in text.split('"/sandbox/dashboard/')[1:]}
    for name in named | {"../admin.py", "%2e%2e/admin.py"}:
        found = (await page("GET", f"/sandbox/dashboard/{name}")).status == 200
        assert found == (name in named)


def test_the_page_is_in_the_installed_package():
    installed = {file.name for file in files("a2e-async") or () if "dashboard" in file.parts}
    assert not installed or installed >= {file.name for file in _FOLDER.iterdir()}


async def test_every_account_is_listed_and_asked_by_its_label(page, call, sandbox):
    sandbox.account("sk_other")
    assert (await page("GET", "/sandbox/accounts")).json == [{"label": "account-1"}, {"label": "account-2"}]
    assert (await call("GET", "/sandbox/accounts")).json == [{"label": "account-1"}]
    await call.start()
    assert len((await page("GET", f"{MINE}/tasks")).json) == 1
    assert (await page("GET", "/sandbox/accounts/account-2/tasks")).json == []
    for label in ("account-3", "account-01", "account-", "1", "account-1%2F.."):
        assert (await page("GET", f"/sandbox/accounts/{label}/tasks")).status == 404


async def test_a_token_sees_its_own_account_alone(account, call, sandbox):
    sandbox.account("sk_other")
    assert (await call("GET", f"{MINE}/ledger")).status == 200
    assert (await call("GET", "/sandbox/accounts/account-2/ledger")).status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "null"},
        {"Host": "evil.example"},
    ],
)
async def test_a_page_of_another_site_can_neither_read_nor_change_anything(page, account, headers):
    before = account.clock.now()
    for method, path, body in [
        ("GET", "/sandbox/accounts", None),
        ("GET", f"{MINE}/requests", None),
        ("GET", f"{MINE}/events", None),
        ("GET", "/sandbox/events", None),
        ("POST", f"{MINE}/clock", {"advance": 60}),
        ("POST", f"{MINE}/faults", {"effect": "html"}),
    ]:
        answer = await page(method, path, json=body, headers=headers)
        assert answer.status in {401, 403}
        assert "Access-Control-Allow-Origin" not in answer.headers
    assert (account.clock.now(), account.rules) == (before, [])


async def test_its_own_page_can(page, sandbox, account):
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": sandbox.url}
    before = account.clock.now()
    assert (await page("POST", f"{MINE}/clock", json={"advance": 60}, headers=headers)).status == 200
    assert account.clock.now() - before == 60_000


async def test_where_other_machines_reach_it_every_account_wants_its_key():
    async with (
        Sandbox(host="127.0.0.1", allow_remote=True) as sandbox,
        aiohttp.ClientSession(sandbox.url) as http,
    ):
        page = Caller(http, sandbox)
        sandbox.account(KEY)
        assert (await page("GET", "/")).status == 200
        for path in ("/sandbox/accounts", f"{MINE}/tasks", f"{MINE}/events", "/sandbox/events"):
            assert (await page("GET", path)).status == 401
        other = {"Authorization": "Bearer sk_other"}
        assert (await page("GET", f"{MINE}/tasks", headers=other)).status == 404
        assert (await page("GET", "/sandbox/accounts", headers=other)).json == [{"label": "account-2"}]
        own = {"Authorization": f"Bearer {KEY}"}
        assert (await page("GET", "/sandbox/accounts", headers=own)).json == [{"label": "account-1"}]
        assert (await page("GET", f"{MINE}/tasks", headers=own)).json == []


async def test_counts_are_those_of_the_tasks_whatever_the_moment(call, account):
    for name in ("a", "b", "fail:no face"):
        await call.start(name=name)
        account.advance(0.7)
    await call("POST", "/api/v1/userFaceSwapPreview/add", json=call.swap())
    seen = set()
    for _ in range(70):
        now = account.clock.now()
        counted = {(count.kind, count.state): count.count for count in account.tally.counts()}
        assert counted == Counter((task.noun, task.state(now)) for task in account.tasks)
        for state in {state for _, state in counted}:
            found = account.tally.newest(99, state=state)
            assert [task.id for task in found] == [task.id for task in account.tasks if task.state(now) == state]
        seen |= {state for _, state in counted}
        account.advance(0.3 if len(seen) < 4 else 2)
    assert seen == {"initialized", "sent", "pending", "processing", "completed", "failed"}


async def test_the_overview_counts_in_sql(page, call, account):
    await call.start()
    account.advance(100)
    overview = (await page("GET", f"{MINE}/overview")).json
    assert (overview["coins"], overview["diamonds"], overview["balances"]) == (990, 0, [1000, 990])
    assert overview["counts"] == [{"kind": "userFaceSwapTask", "state": "completed", "count": 1}]
    assert overview["clock"] == (await call("GET", "/sandbox/clock")).json


async def test_lists_end_with_the_newest_and_can_be_narrowed(page, call, account):
    names = ["first", "Second", "fail:third", "<img src=x>"]
    ids = [await call.start(name=name) for name in names]
    account.advance(100)

    async def told(route):
        return (await page("GET", f"{MINE}/{route}")).json

    assert [row["name"] for row in await told("tasks")] == names
    assert [row["_id"] for row in await told("tasks?last=2")] == ids[2:]
    assert [row["name"] for row in await told("tasks?text=SECOND")] == ["Second"]
    assert [row["name"] for row in await told(f"tasks?text={ids[0]}")] == ["first"]
    assert [row["failure"] for row in await told("tasks?state=failed")] == ["third"]
    assert await told("tasks?kind=userVoice") == []
    assert [row["delta"] for row in (await told("ledger?last=1"))["rows"]] == [10]
    await call("GET", f"{COINS}?x=1")
    await call("GET", "/api/v1/nothing")
    requests = await told("requests?last=3&brief=true")
    assert [(row["path"], row["query"], row["status"]) for row in requests] == [
        (ADD, "", 200),
        (COINS, "x=1", 200),
        ("/api/v1/nothing", "", 404),
    ]
    assert all("text" not in row for row in requests)
    assert [row["body"]["name"] for row in await told("requests?text=SRC")] == ["<img src=x>"]
    assert [row["path"] for row in await told("requests?status=4")] == ["/api/v1/nothing"]
    assert await told("requests?text=x=1&status=5") == []


@pytest.mark.parametrize("query", ["last=0", "last=-1", "last=many", "first=1", "brief=perhaps"])
async def test_an_odd_window_is_refused(page, query):
    assert (await page("GET", f"{MINE}/requests?{query}")).status == 400


async def test_a_request_is_kept_as_it_came(page, call, account):
    text = '{"name":\t"\N{SNOWMAN}", }'
    headers = {"Content-Type": "application/json", "X-Odd": "yes"}
    await call("POST", f"{ADD}?a=b%20c", data=text.encode(), headers=headers)
    [row] = (await page("GET", f"{MINE}/requests?brief=true")).json
    whole = (await page("GET", f"{MINE}/requests/{row['number']}")).json
    assert (whole["text"], whole["target"], whole["query"]) == (text, f"{ADD}?a=b%20c", "a=b c")
    headers = dict(whole["headers"])
    assert (headers["Authorization"], headers["X-Odd"]) == ("Bearer ***", "yes")
    assert KEY not in json.dumps(whole)
    for number in (0, row["number"] + 1, -1, "x", "9" * 5000, "\N{FULLWIDTH DIGIT ONE}"):
        assert (await page("GET", f"{MINE}/requests/{number}")).status == 404


async def test_a_body_that_is_refused_is_in_the_log(page, call, account):
    assert (await call("POST", ADD, data=b"\xff")).status == 400
    assert [(row["path"], row["status"]) for row in (await page("GET", f"{MINE}/requests")).json] == [(ADD, 400)]


async def test_requests_of_other_accounts_are_not_shown(page, call):
    await call("GET", COINS)
    await call("GET", COINS, headers={"Authorization": "Bearer sk_other"})
    assert (await page("GET", f"{MINE}/requests/2")).status == 404
    assert len((await page("GET", "/sandbox/accounts/account-2/requests")).json) == 1


async def test_inputs_and_results_are_shown_without_a_trace(page, call, account):
    account.fault(Rule("status"))
    account.faults.clear()
    task_id = await call.start()
    seen = list(account.requests)
    account.fault(Rule("status"))
    [row] = (await page("GET", f"{MINE}/tasks?media=true")).json
    assert row["media"]["result"] is None
    assert [one["family"] for one in row["media"]["inputs"]] == ["image", "video"]
    account.advance(100)
    [row] = (await page("GET", f"{MINE}/tasks?media=true")).json
    for one, mime in zip([row["media"]["result"], *row["media"]["inputs"]], ["video", "image", "video"], strict=True):
        answer = await page("GET", one["url"], headers={"Sec-Fetch-Site": "same-origin", "Range": "bytes=0-99"})
        assert (answer.status, len(answer.body)) == (206, 100)
        assert answer.headers["Content-Type"].startswith(f"{mime}/")
        assert answer.headers["Content-Security-Policy"] == "sandbox"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert (await page("GET", one["url"][:-1] + "0")).status == 404 or one["url"].endswith("0")
        assert (await page("GET", one["url"].partition("?")[0])).status == 404
    assert account.requests == seen
    account.advance(4 * 24 * 3600)
    [row] = (await page("GET", f"{MINE}/tasks?media=true")).json
    assert row["media"]["result"] is None
    account.faults.clear()
    await call("DELETE", f"/api/v1/userFaceSwapTask/{task_id}")
    assert (await page("GET", one["url"])).status == 404


async def test_an_input_that_is_gone_is_not_shown(page, call, account, remote):
    remote.files["/face.jpg"] = (await page("GET", "/sandbox/samples/face.jpg")).body
    await call.start(face_url=f"{remote.url}/face.jpg")
    [row] = (await page("GET", f"{MINE}/tasks?media=true")).json
    face = row["media"]["inputs"][0]["url"]
    assert (await page("GET", face)).body == remote.files["/face.jpg"]
    account.tasks[0].input_files()[0].unlink()
    assert (await page("GET", face)).status == 404


async def test_events_name_what_has_changed(page, call, account):
    async with listening(page) as events:
        assert await events.next() == []
        await call("GET", COINS)
        assert await events.next() == ["requests"]
        account.advance(5)
        assert await events.next() == ["clock", "ledger", "tasks"]
        account.fault(Rule("delay"))
        assert await events.next() == ["faults"]
        await call.start()
        assert await events.next() == ["faults", "ledger", "requests", "tasks"]
        page.sandbox.account("sk_new")
        assert await events.next() == ["accounts"]


async def test_much_that_happens_is_few_events(page, account):
    async with listening(page) as events:
        await events.next()
        for _ in range(500):
            account.advance(1)
        assert await events.next() == ["clock", "ledger", "tasks"]
        account.fault(Rule("delay"))
        assert "faults" in await events.next()


async def test_events_tell_of_states_that_come_by_time_alone(page, call, account):
    await call.start()
    async with listening(page) as events:
        await events.next()
        account.pace(60)
        assert await events.next() == ["clock", "ledger", "tasks"]
        # Several states may come and go between two events.
        while account.tally.counts()[0].state != "completed":
            assert await events.next() == ["ledger", "tasks"]
        account.pace(0)
        assert await events.next() == ["clock", "ledger", "tasks"]


async def test_changes_in_other_threads_are_heard(page, account):
    async with listening(page) as events:
        await events.next()
        await asyncio.to_thread(account.advance, 1)
        assert await events.next() == ["clock", "ledger", "tasks"]


async def test_events_of_no_account_tell_of_new_ones(sandbox):
    async with (
        aiohttp.ClientSession(sandbox.url) as http,
        listening(Caller(http, sandbox), "/sandbox/events") as events,
    ):
        assert await events.next() == []
        sandbox.account(KEY).advance(1)
        assert await events.next() == ["accounts"]


async def test_streams_end_with_the_sandbox_and_leave_nothing_behind():
    async with aiohttp.ClientSession() as http:
        async with Sandbox() as sandbox:
            account = sandbox.account(KEY)
            async with http.get(f"{sandbox.url}{MINE}/events") as gone:
                await gone.content.readuntil(b"\n\n")
            kept = await http.get(f"{sandbox.url}{MINE}/events")
            await kept.content.readuntil(b"\n\n")
        # Ended as it should be: a stream that was cut would raise.
        assert await kept.content.read() == b""
        assert not account.news._listeners
