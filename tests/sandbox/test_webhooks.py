"""Callbacks leave once, when a task has ended by its account's clock, and only where they may go."""

import asyncio
import json
from collections.abc import AsyncIterator

import aiohttp
import anyio
import pytest
from aiohttp import web

from a2e_async.sandbox import Account, Rule, Sandbox, sandbox_thread

pytestmark = pytest.mark.anyio

ADD = "/api/v1/userFaceSwapTask/add"
TOKEN = "a token to know them by"


class Ear:
    """Hears callbacks."""

    def __init__(self) -> None:
        self.heard: list[tuple[str | None, dict]] = []
        self.status = 200
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert (request.method, request.content_type) == ("POST", "application/json")
        self.heard.append((request.headers.get("X-A2e-Webhook-Token"), json.loads(await request.read())))
        return web.Response(status=self.status, headers={"Location": f"{self.url}/elsewhere"})

    @property
    def hook(self) -> dict[str, str]:
        return {"webhook_url": self.url, "webhook_token": TOKEN}


@pytest.fixture
async def ear() -> AsyncIterator[Ear]:
    server = Ear()
    runner = web.ServerRunner(web.Server(server.handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield server
    await runner.cleanup()


async def dealt_with(account: Account, count: int = 1) -> None:
    """Wait until so many callbacks were answered, or have got what keeps them back."""
    with anyio.fail_after(10):
        while sum(bool(c.status or c.error or c.effect == "webhook_lost") for c in account.webhooks) < count:
            await anyio.sleep(0.005)


@pytest.mark.parametrize(("name", "word"), [("clip", "completed"), ("fail:no face", "failed")])
async def test_one_callback_shows_what_detail_shows(call, account, ear, name, word):
    task_id = await call.start(name=name, **ear.hook)
    account.advance(100)
    await dealt_with(account)
    account.advance(100)

    detail = await call.detail(task_id)
    assert ear.heard == [(TOKEN, {"code": 0, "data": detail})]
    assert (detail["_id"], detail["current_status"]) == (task_id, word)
    [callback] = account.webhooks
    assert (callback.url, callback.task, callback.status, callback.error) == (ear.url, task_id, 200, "")


async def test_none_before_the_end(call, account, ear):
    await call.start(**ear.hook)
    account.advance(1)
    for _ in range(5):
        await call("GET", "/api/v1/user/remainingCoins")
    assert account.webhooks == ear.heard == []


async def test_none_unasked(call, account, ear):
    await call.start()
    await call.start(webhook_url="", webhook_token=TOKEN)
    account.advance(100)
    await call.start(**ear.hook)
    account.advance(100)
    await dealt_with(account)
    assert len(ear.heard) == 1


async def test_without_a_token_there_is_no_header(call, account, ear):
    await call.start(webhook_url=ear.url)
    account.advance(100)
    await dealt_with(account)
    assert [token for token, _ in ear.heard] == [None]


async def test_every_start_that_takes_a_webhook_calls_back(call, account, ear):
    sandbox = call.sandbox
    voice = (await call("GET", "/api/v1/anchor/voice_list", params={"country": "en", "region": "US"})).data[0]
    speech = {"msg": "hello", "speechRate": 1, "tts_id": voice["children"][0]["value"]}
    sound = (await call("POST", "/api/v1/video/send_tts", json=speech)).data
    anchor = (await call("GET", "/api/v1/anchor/character_list", params={"type": "public"})).data[0]
    video = {"title": "x", "anchor_id": anchor["_id"], "anchor_type": 0, "audioSrc": sound}
    picture = {"name": "x", "image_url": sandbox.face_url, "prompt": "p", "negative_prompt": "n"}
    spoken = {"name": "x", "source_url": sandbox.video_url, "source_lang": "en", "target_lang": "fr"}
    bodies = {
        ADD: call.swap(),
        "/api/v1/userCaptionRemoval/start": {"name": "x", "source_url": sandbox.video_url},
        "/api/v1/userDubbing/startDubbing": spoken,
        "/api/v1/userImage2Video/start": {**picture, "number_of_images": 2},
        "/api/v1/userVoice/training": {"name": "x", "voice_urls": [sound]},
        "/api/v1/video/generate": video | {"resolution": 1080, "web_bg_width": 0, "web_bg_height": 0},
    }
    started = []
    for path, body in bodies.items():
        made = (await call("POST", path, json=body | ear.hook)).data
        started += [task["_id"] for task in (made if isinstance(made, list) else [made])]
    account.advance(100)
    await dealt_with(account, 7)
    assert sorted(body["data"]["_id"] for _, body in ear.heard) == sorted(started)
    words = {body["data"].get("current_status") or body["data"]["status"] for _, body in ear.heard}
    assert words == {"completed", "success"}


@pytest.mark.parametrize("clock", ["scaled:1000", "per-poll:100"])
async def test_each_clock_brings_them(ear, clock):
    async with Sandbox(clock=clock) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        account = sandbox.account("sk_test")
        body = {"name": "x", "face_url": sandbox.face_url, "video_url": sandbox.video_url, **ear.hook}
        headers = {"Authorization": "Bearer sk_test"}
        async with http.post(ADD, json=body, headers=headers) as response:
            assert response.status == 200
        async with http.get("/api/v1/userFaceSwapTask/status", headers=headers) as response:
            assert response.status == 200
        await dealt_with(account)
    assert len(ear.heard) == 1


async def test_time_may_be_moved_by_another_thread(ear):
    with sandbox_thread(clock="stepped") as sandbox:
        account = sandbox.account("sk_test")
        body = {"name": "x", "face_url": sandbox.face_url, "video_url": sandbox.video_url, **ear.hook}
        headers = {"Authorization": "Bearer sk_test"}
        async with aiohttp.ClientSession(sandbox.url, headers=headers) as http, http.post(ADD, json=body) as response:
            assert response.status == 200
        account.advance(100)
        await dealt_with(account)
    assert len(ear.heard) == 1


async def test_a_removed_task_calls_nobody(call, account, ear):
    removed = await call.start(**ear.hook)
    assert (await call("DELETE", f"/api/v1/userFaceSwapTask/{removed}")).status == 200
    kept = await call.start(**ear.hook)
    account.advance(100)
    await dealt_with(account)
    assert [body["data"]["_id"] for _, body in ear.heard] == [kept]


async def test_a_task_that_no_list_shows_yet_calls(call, account, ear):
    account.lag(1000)
    assert (await call("POST", ADD, json=call.swap(**ear.hook))).status == 200
    account.advance(100)
    await dealt_with(account)
    assert len(ear.heard) == 1


@pytest.mark.parametrize(
    ("hook", "why"),
    [
        ({"webhook_url": "nonsense"}, "webhook_url: nonsense is not an http(s) URL"),
        ({"webhook_url": "https://example.com/" + "x" * 2048}, "webhook_url must have at most 2048 characters"),
        ({"webhook_url": "https://example.com/", "webhook_token": "x" * 257}, "webhook_token must have at most 256"),
        ({"webhook_url": "https://example.com/", "webhook_token": "a\r\nb: c"}, "webhook_token must have at most 256"),
    ],
)
async def test_what_nobody_could_send_is_refused_at_the_start(call, account, hook, why):
    reply = await call("POST", ADD, json=call.swap(**hook))
    assert (reply.status, reply.msg.startswith(why)) == (400, True)
    assert (account.coins, account.tasks) == (1000, [])


@pytest.mark.parametrize("url", ["https://example.com/hook", "http://0.0.0.0:9/hook"])
async def test_nothing_leaves_this_machine(call, account, url):
    await call.start(webhook_url=url)
    account.advance(100)
    await dealt_with(account)
    [callback] = account.webhooks
    assert (callback.status, callback.error) == (
        0,
        'not on this machine; the sandbox calls elsewhere only with fetch="any"',
    )


async def test_unless_it_may(ear):
    async with Sandbox(clock="stepped", fetch="any") as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        account = sandbox.account("sk_test")
        body = {"name": "x", "face_url": sandbox.face_url, "video_url": sandbox.video_url}
        hook = {"webhook_url": ear.url.replace("127.0.0.1", "0.0.0.0")}
        async with http.post(ADD, json=body | hook, headers={"Authorization": "Bearer sk_test"}) as response:
            assert response.status == 200
        account.advance(100)
        await dealt_with(account)
        # Some systems reach themselves at this address, some refuse to try.
        assert account.webhooks[0].status == 200 or "not on this machine" not in account.webhooks[0].error


@pytest.mark.parametrize("status", [302, 401, 500])
async def test_whatever_the_answer_it_is_final(call, account, ear, status):
    ear.status = status
    await call.start(**ear.hook)
    account.advance(100)
    await dealt_with(account)
    account.advance(1000)
    assert len(ear.heard) == 1
    assert account.webhooks[0].status == status


async def test_nobody_listens(call, account, ear):
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    await call.start(webhook_url=f"http://127.0.0.1:{port}/")
    account.advance(100)
    await dealt_with(account)
    assert account.webhooks[0].status == 0
    assert "Cannot connect" in account.webhooks[0].error


@pytest.mark.parametrize(
    ("effect", "tokens"),
    [
        ("webhook_lost", []),
        ("webhook_doubled", [TOKEN, TOKEN]),
        ("webhook_late", [TOKEN]),
        ("webhook_forged", ["forged"]),
    ],
)
async def test_faults(call, account, ear, effect, tokens):
    rule = account.fault(Rule(effect, path=f"{ear.url}*", name="clip", seconds=0.05))
    await call.start(**ear.hook)
    account.advance(100)
    await dealt_with(account, len(tokens) or 1)
    assert [token for token, _ in ear.heard] == tokens
    assert {callback.effect for callback in account.webhooks} == {effect}
    assert (rule.hits, rule.strikes) == (1, 1)


async def test_faults_of_requests_and_of_callbacks_do_not_meet(call, account, ear):
    requests = account.fault(Rule("delay"))
    callbacks = account.fault(Rule("webhook_lost", name="other"))
    account.fault(Rule("webhook_lost", method="POST"))
    await call.start(**ear.hook)
    account.advance(100)
    await dealt_with(account)
    assert len(ear.heard) == requests.hits == 1
    assert callbacks.hits == 0


async def test_over_http(call, account, ear):
    rule = {"effect": "webhook_doubled", "nth": 1}
    assert (await call("POST", "/sandbox/faults", json=rule)).status == 200
    task_id = await call.start(**ear.hook)
    await call("POST", "/sandbox/clock", json={"advance": 100})
    await dealt_with(account, 2)
    first, second = (await call("GET", "/sandbox/webhooks")).json
    assert (first.pop("number"), second.pop("number")) == (1, 2)
    assert first == second
    assert (first["task"], first["status"], first["effect"]) == (task_id, 200, "webhook_doubled")
    assert first["body"]["data"]["_id"] == task_id
    assert TOKEN not in json.dumps(first)


async def test_what_is_due_later_ends_with_the_server(ear):
    before = asyncio.all_tasks()
    async with Sandbox(clock="stepped") as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        body = {"name": "x", "face_url": sandbox.face_url, "video_url": sandbox.video_url, **ear.hook}
        async with http.post(ADD, json=body, headers={"Authorization": "Bearer sk_test"}) as response:
            assert response.status == 200
        account = sandbox.account("sk_test")
    account.clock.advance(1000)
    assert asyncio.all_tasks() <= before
    assert ear.heard == []
