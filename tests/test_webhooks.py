"""A callback is worth one reading of the task that somebody waits for, and nothing else in it is believed."""

import asyncio
import hmac
import io
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import aiohttp
import anyio
import pytest
from aiohttp import web

from a2e_async import A2ESession, ConfigError, PollPolicy, TaskState, Webhooks
from a2e_async.groups.face_swap import Swap
from a2e_async.sandbox import Rule
from tests.service import Scene, scene

pytestmark = pytest.mark.anyio

TOKEN = "this is nobody's token".replace(" ", "-")
HEADER = "X-A2e-Webhook-Token"
KNOWN = {HEADER: TOKEN}
RAW = [(HEADER.lower().encode(), TOKEN.encode())]
ID, OTHER = "66e63777a3ebb9f1e3a2ab5c", "66e63777a3ebb9f1e3a2ab5d"
SLOW = PollPolicy(shortest=500, longest=500)


@asynccontextmanager
async def served(hooks: Webhooks) -> AsyncIterator[str]:
    """Serve callbacks with aiohttp; yield the URL."""
    app = web.Application()
    app.router.add_route("*", "/a2e", hooks.aiohttp)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/a2e"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def heard(poll: PollPolicy = SLOW) -> AsyncIterator[tuple[Scene, str]]:
    """A scene whose callbacks are received, and the URL where."""
    async with scene("stepped", poll=poll) as s, served(Webhooks(s.a2e, token=TOKEN)) as url:
        yield s, url


async def begun(s: Scene, url: str, **fields: str) -> Swap:
    hook = {"webhook_url": url, "webhook_token": TOKEN}
    return await s.a2e.face_swap.tasks.add(**{**s.swap, **hook, **fields})


async def answered(s: Scene, *statuses: int) -> None:
    """Wait until the sandbox's callbacks were answered so."""
    with anyio.fail_after(10):
        while [callback.status for callback in s.account.webhooks] != list(statuses):
            await anyio.sleep(0.005)


async def post(url: str, body: bytes | str, headers: dict[str, str] | None = None) -> int:
    data = io.BytesIO(body.encode() if isinstance(body, str) else body)
    async with aiohttp.ClientSession() as http:
        async with http.post(url, data=data, headers=KNOWN if headers is None else headers) as response:
            assert await response.read() == b""
            return response.status


def looks(s: Scene) -> list[str]:
    """Every reading of tasks that reached the service."""
    return [f"{e.method} {e.path}" for e in s.account.requests if not e.path.endswith("/add")]


async def called(hooks: Webhooks, *chunks: bytes, method: str = "POST", headers: Any = RAW) -> tuple[int, dict]:
    """Call as an ASGI server does; return the status and the headers of the answer."""
    inbox = [{"type": "http.request", "body": c, "more_body": n < len(chunks)} for n, c in enumerate(chunks, 1)]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return inbox.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await hooks({"type": "http", "method": method, "path": "/a2e", "headers": headers}, receive, send)
    start, body = sent
    assert (start["type"], body) == ("http.response.start", {"type": "http.response.body", "body": b""})
    return start["status"], dict(start["headers"])


async def test_a_callback_ends_the_wait_with_one_reading() -> None:
    async with heard() as (s, url):
        task = await begun(s, url)
        wait = asyncio.create_task(s.a2e.finish(task))
        s.account.advance(100)

        assert (await wait).state is TaskState.DONE
        assert looks(s) == [f"GET /api/v1/userFaceSwapTask/{task.id}"]
        await answered(s, 200)


async def test_the_transitions_come_as_ever() -> None:
    async with heard() as (s, url):
        watcher = s.a2e.watch(await begun(s, url))
        assert (await anext(watcher)).state is TaskState.QUEUED
        s.account.advance(100)

        assert [change.state async for change in watcher] == [TaskState.DONE]
        assert len(looks(s)) == 1


async def test_two_watchers_of_one_task_share_the_reading() -> None:
    async with heard() as (s, url):
        task = await begun(s, url)
        waits = [asyncio.create_task(s.a2e.finish(task)) for _ in range(2)]
        s.account.advance(100)

        assert {done.state for done in await asyncio.gather(*waits)} == {TaskState.DONE}
        assert len(looks(s)) == 1


async def test_each_of_many_callbacks_ends_its_wait() -> None:
    async with heard() as (s, url):
        tasks = [await begun(s, url) for _ in range(20)]
        waits = [asyncio.create_task(s.a2e.finish(task)) for task in tasks]
        s.account.advance(100)

        assert {done.state for done in await asyncio.gather(*waits)} == {TaskState.DONE}
        assert len(looks(s)) <= len(tasks)


async def test_a_lost_callback_leaves_it_to_polling() -> None:
    async with heard(PollPolicy(shortest=0.05, longest=0.2)) as (s, url):
        s.account.fault(Rule("webhook_lost"))
        task = await begun(s, url)
        wait = asyncio.create_task(s.a2e.finish(task))
        s.account.advance(100)

        assert (await wait).state is TaskState.DONE
        assert [callback.status for callback in s.account.webhooks] == [0]


async def test_a_callback_that_comes_twice_counts_once() -> None:
    async with heard() as (s, url):
        s.account.fault(Rule("webhook_doubled"))
        task = await begun(s, url)
        wait = asyncio.create_task(s.a2e.finish(task))
        s.account.advance(100)

        await answered(s, 200, 200)
        assert (await wait).state is TaskState.DONE
        assert len(looks(s)) == 1


async def test_a_forged_callback_does_nothing() -> None:
    async with heard() as (s, url):
        s.account.fault(Rule("webhook_forged"))
        wait = asyncio.create_task(s.a2e.finish(await begun(s, url)))
        s.account.advance(100)

        await answered(s, 401)
        assert looks(s) == []
        wait.cancel()


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({}, "{id}", 401),
        ({HEADER: ""}, "{id}", 401),
        ({HEADER: TOKEN[:-1]}, "{id}", 401),
        ({HEADER: TOKEN.upper()}, "{id}", 401),
        ({HEADER: f"{TOKEN}, {TOKEN}"}, "{id}", 401),
        ({"Authorization": f"Bearer {TOKEN}"}, "{id}", 401),
        (KNOWN, OTHER, 200),
        (KNOWN, "", 400),
        (KNOWN, "null", 400),
        (KNOWN, '{"_id": 7, "data": {"_id": null}}', 400),
        (KNOWN, '{"_id": "x{id}"}', 400),
        (KNOWN, '{"_id": "{id}0"}', 400),
        (KNOWN, b"\xff\xfe\x00garbage\x80", 400),
        (KNOWN, "[" * 10_000 + "]" * 10_000, 400),
        (KNOWN, "{id}" + " " * 1024 * 1024, 413),
    ],
)
async def test_what_is_no_callback_does_nothing(
    headers: dict[str, str], body: str | bytes, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with heard() as (s, url):
        task = await begun(s, url)
        wait = asyncio.create_task(s.a2e.finish(task))
        filled = body.replace("{id}", task.id) if isinstance(body, str) else body
        assert await post(url, filled, headers) == status
        await s.a2e.account.coins()

        assert looks(s) == ["GET /api/v1/user/remainingCoins"]
        assert not wait.done()
        wait.cancel()
        assert task.id not in caplog.text
        assert TOKEN not in caplog.text
        assert "garbage" not in caplog.text


@pytest.mark.parametrize(
    "form",
    [
        '{"code": 0, "data": {"_id": "ID"}}',
        json.dumps({"event": "task.completed", "task": {"id": "ID", "user_id": OTHER}}),
        '{"taskId":"ID"}',
        json.dumps({"event": {"id": OTHER}, "about": ["ID"]}),
        json.dumps({"payload": json.dumps({"_id": "ID"})}),
        '"ID"',
        urlencode({"_id": "ID", "status": "completed"}),
        urlencode({"data[_id]": "ID"}),
        urlencode({"payload": '{"_id":"ID"}'}),
        "[" * 10_000 + '"ID"' + "]" * 10_000,
        "\ud800{'_id': 'ID'}",
    ],
)
async def test_the_id_is_found_whatever_the_form(form: str) -> None:
    async with heard() as (s, url):
        task = await begun(s, url)
        wait = asyncio.create_task(s.a2e.finish(task))
        s.account.clock.advance(100)
        assert await post(url, form.replace("ID", task.id).encode(errors="surrogatepass")) == 200

        assert (await wait).state is TaskState.DONE
        await answered(s, 200)


async def test_what_it_says_of_the_task_is_not_believed() -> None:
    async with heard() as (s, url):
        task = await begun(s, url)
        watcher = s.a2e.watch(task)
        await anext(watcher)
        wait = asyncio.create_task(anext(watcher))
        record = {"_id": task.id, "current_status": "completed", "result_url": "https://example.com/evil.mp4"}
        s.account.advance(5)
        assert await post(url, json.dumps(record)) == 200

        change = await wait
        assert change.state is TaskState.RUNNING
        assert not change.task.result_url


async def test_a_callback_may_come_before_anybody_waits() -> None:
    async with heard(PollPolicy(shortest=0.05, longest=0.2)) as (s, url):
        task = await begun(s, url)
        s.account.advance(100)
        await answered(s, 200)
        assert looks(s) == []

        assert (await s.a2e.watch(task)).state is TaskState.DONE


async def test_other_verbs_are_refused() -> None:
    async with heard() as (_, url), aiohttp.ClientSession(headers=KNOWN) as http:
        for method in ("GET", "PUT", "HEAD"):
            async with http.request(method, url) as response:
                assert (response.status, response.headers["Allow"]) == (405, "POST")


async def test_as_an_asgi_application() -> None:
    async with scene("stepped", poll=SLOW) as s:
        hooks = Webhooks(s.a2e, token=TOKEN)
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        wait = asyncio.create_task(s.a2e.finish(task))
        s.account.advance(100)
        body = json.dumps({"code": 0, "data": {"_id": task.id}}).encode()
        await asyncio.sleep(0)

        assert await called(hooks, b"", body[:30], b"", body[30:]) == (200, {b"content-length": b"0"})
        assert (await wait).state is TaskState.DONE
        assert len(looks(s)) == 1


async def test_asgi_answers_before_it_has_read_too_much(a2e: A2ESession) -> None:
    hooks = Webhooks(a2e, token=TOKEN)
    assert (await called(hooks, headers=[]))[0] == 401
    assert (await called(hooks, method="GET")) == (405, {b"content-length": b"0", b"allow": b"POST"})
    assert (await called(hooks, *[b"x" * 600_000] * 2, b"never asked for"))[0] == 413
    assert (await called(hooks, b""))[0] == 400


@pytest.mark.parametrize("kind", ["lifespan", "websocket"])
async def test_what_is_no_request_is_an_error(a2e: A2ESession, kind: str) -> None:
    with pytest.raises(RuntimeError, match=f"not by {kind}"):
        await Webhooks(a2e, token=TOKEN)({"type": kind}, _never, _never)


async def _never(*_: object) -> Any:
    raise AssertionError


@pytest.fixture
async def a2e() -> AsyncIterator[A2ESession]:
    async with A2ESession("sk_test") as session:
        yield session


async def test_a_task_that_nobody_here_waits_for_is_handed_on_once() -> None:
    told: list[str] = []
    async with scene("stepped", poll=SLOW) as s, served(Webhooks(s.a2e, token=TOKEN, on_task=told.append)) as url:
        s.account.fault(Rule("webhook_doubled"))
        waited, other = await begun(s, url), await begun(s, url)
        wait = asyncio.create_task(s.a2e.finish(waited))
        s.account.advance(100)
        await wait
        await answered(s, 200, 200, 200, 200)

        assert told == [other.id]
        assert len(looks(s)) == 1


async def test_handing_on_may_be_a_coroutine(a2e: A2ESession) -> None:
    told: list[str] = []

    async def hand_on(task_id: str) -> None:
        await asyncio.sleep(0)
        told.append(task_id)

    assert await Webhooks(a2e, token=TOKEN, on_task=hand_on).receive(RAW, ID.encode()) == 200
    assert told == [ID]


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({"user_id": OTHER, "task_id": ID}, [ID]),
        ({"owner": OTHER, "data": {"_id": ID, "result_url": f"https://cdn/{OTHER}.mp4"}}, [ID]),
        ({"id": ID, "task": {"_id": OTHER}}, [ID, OTHER]),
        ({"user": OTHER, "task": ID}, [OTHER, ID]),
        ({"_id": [f"{n:024x}" for n in range(100)]}, [f"{n:024x}" for n in range(16)]),
    ],
)
async def test_the_likeliest_ids_are_handed_on(a2e: A2ESession, body: dict[str, object], ids: list[str]) -> None:
    told: list[str] = []
    assert await Webhooks(a2e, token=TOKEN, on_task=told.append).receive(RAW, json.dumps(body).encode()) == 200
    assert told == ids


async def test_what_came_is_remembered_within_bounds(a2e: A2ESession) -> None:
    told: list[str] = []
    hooks = Webhooks(a2e, token=TOKEN, on_task=told.append)
    for number in [0, 0, *range(5000), 4999, 0]:
        assert await hooks.receive(RAW, b"%024x" % number) == 200
    assert [int(task_id, 16) for task_id in told] == [*range(5000), 0]
    assert len(hooks._seen) <= 4096


async def test_a_closed_session_waits_for_nothing() -> None:
    async with heard() as (s, url):
        await s.a2e.aclose()
        assert await post(url, ID) == 200


async def test_tokens_are_compared_in_constant_time(a2e: A2ESession, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[object, object]] = []
    real = hmac.compare_digest

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return real(one, other)

    monkeypatch.setattr("a2e_async.webhooks.hmac.compare_digest", compare)
    hooks = Webhooks(a2e, token=TOKEN)
    wrong: list[Iterable[tuple[bytes, bytes]]] = [[], [(HEADER.encode(), "né".encode("latin-1"))], [*RAW, *RAW]]
    assert [await hooks.receive(headers, ID.encode()) for headers in wrong] == [401] * 3
    assert [given for given, _ in compared] == [b"", b"n\xe9", b",".join([TOKEN.encode()] * 2)]


@pytest.mark.parametrize("token", ["", "x" * 15, "x" * 257, "with a blank in it", "ümlaut" * 4, "new\nline" * 4])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(ConfigError, match="token must have 16 to 256 printable") as refused:
        Webhooks(A2ESession("sk_test"), token=token)
    assert not token or token not in str(refused.value)


def test_new_tokens_are_long_and_never_the_same() -> None:
    tokens = {Webhooks.new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(Webhooks(A2ESession("sk_test"), token=token) and len(token) >= 40 for token in tokens)
    assert all(token not in repr(Webhooks(A2ESession("sk_test"), token=token)) for token in tokens)
