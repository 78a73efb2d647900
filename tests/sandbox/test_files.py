"""Uploads really arrive, results really play, and neither opens a door."""

import asyncio
import threading
from shutil import copyfile

import aiohttp
import pytest
from aiohttp import web
from yarl import URL

from a2e_async.sandbox import Sandbox
from a2e_async.sandbox.objects import SAMPLES, TooLargeError, receive
from a2e_async.sandbox.results import RENDERERS
from a2e_async.sandbox.wire import FileAnswer

pytestmark = pytest.mark.anyio

SIGN = "/api/v1/r2/upload-presigned-url"
JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40


async def test_a_stream_beyond_the_limit_leaves_no_file(remote, tmp_path):
    remote.files["/big"] = b"12345"
    async with aiohttp.ClientSession() as http, http.get(f"{remote.url}/big") as response:
        with pytest.raises(TooLargeError):
            await receive(response.content, tmp_path / "big", limit=4)
    assert list(tmp_path.iterdir()) == []


async def sign(call, **fields):
    return (await call("POST", SIGN, json={"key": "me.jpg", "contentType": "image/jpeg", **fields})).data


async def put(url, body=JPEG, **headers):
    async with aiohttp.ClientSession() as http:
        async with http.put(url, data=body, headers={"Content-Type": "image/jpeg", **headers}) as response:
            return response.status, await response.text()


async def test_upload_and_use(call):
    signed = await sign(call, key="a folder/me & you?#%41.jpg", fileSize=len(JPEG))
    assert set(signed) == {"uploadUrl", "cdnUrl", "key", "bucket", "expiresIn"}
    assert signed["bucket"] == "3days-apac"
    assert signed["key"].startswith("adam2eve/sandbox/user/")
    assert (await call("GET", signed["cdnUrl"])).status == 404
    assert (await put(signed["uploadUrl"]))[0] == 200
    served = await call("GET", signed["cdnUrl"])
    assert (served.body, served.headers["Content-Type"]) == (JPEG, "image/jpeg")
    part = await call("GET", signed["cdnUrl"], headers={"Range": "bytes=4-7"})
    assert (part.status, part.body) == (206, JPEG[4:8])
    assert part.headers["Content-Range"] == f"bytes 4-7/{len(JPEG)}"
    assert await call.start(face_url=signed["cdnUrl"])


async def test_an_uploaded_page_does_not_run_as_one_of_this_server(call):
    signed = await sign(call, key="x.html", contentType="text/html")
    assert (await put(signed["uploadUrl"], b"<script>", **{"Content-Type": "text/html"}))[0] == 200
    served = await call("GET", signed["cdnUrl"])
    assert (served.body, served.headers["Content-Type"]) == (b"<script>", "text/html")
    assert served.headers["Content-Security-Policy"] == "sandbox"
    assert served.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_second_upload_replaces_the_first(call):
    signed = await sign(call)
    await put(signed["uploadUrl"])
    await put(signed["uploadUrl"], JPEG + b"more")
    assert (await call("GET", signed["cdnUrl"])).body == JPEG + b"more"


async def test_legacy_route_names_no_cdn_url(call):
    answer = await call("POST", "/api/v1/r2/get_upload_presigned_url", json={"key": "x.bin", "type": "images"})
    assert set(answer.data) == {"uploadUrl", "key", "bucket", "expiresIn"}
    assert (await put(answer.data["uploadUrl"]))[0] == 200


async def test_put_must_be_as_signed(call, account):
    signed = await sign(call, fileSize=5, contentLength=len(JPEG))
    url = signed["uploadUrl"]
    assert "Authorization" in (await put(url, Authorization="Bearer sk_test"))[1]
    assert "<Code>SignatureDoesNotMatch</Code>" in (await put(url, **{"Content-Type": "image/png"}))[1]
    assert (await put(url, b"short"))[0] == 403
    assert (await put(url.replace("me.jpg", "you.jpg")))[0] == 403
    assert (await put(url.replace("expires=", "expires=9")))[0] == 403
    assert (await put(url.partition("?")[0]))[0] == 403
    assert (await call("GET", url)).status == 405

    async def chunks():
        yield JPEG

    assert (await put(url, chunks()))[0] == 411
    assert (await call("GET", signed["cdnUrl"])).status == 404
    account.advance(3601)
    assert "expired" in (await put(url))[1]


async def test_a_claim_cannot_hold_another(call):
    url = (await sign(call))["uploadUrl"]
    query = URL(url).query
    merged = URL(url).with_query({"expires": f"{query['expires']}\ntype=image/jpeg", "sig": query["sig"]})
    assert (await put(merged))[0] == 403


@pytest.mark.parametrize(
    "fields",
    [
        {"key": "../../etc/passwd"},
        {"key": "a//b"},
        {"key": "a\\b"},
        {"bucket": "../x"},
        {"expiresIn": 59},
        {"contentType": "a\nb"},
        {"contentType": "x" * 256},
        {"urlPrefix": "x/user/0123456789abcdef01234567/y"},
        {"key": "/"},
    ],
)
async def test_odd_keys_are_refused(call, fields):
    assert (await call("POST", SIGN, json={"key": "x", **fields})).status == 400


async def test_nothing_outside_is_served(call):
    assert sorted(call.sandbox.samples) == ["clip.mp4", "face.jpg"]
    for path in (
        "/sandbox/samples/CREDITS.md",
        "/sandbox/samples/../server.py",
        "/cdn/%2e%2e/%2e%2e/x",
        "/results/x",
    ):
        assert (await call("GET", path)).status in {403, 404}
    assert (await call("POST", "/cdn/x")).status == 405


async def test_transfer_to_storage(call, remote):
    remote.files["/face.jpg"] = JPEG
    copy = (await call("POST", "/api/v1/tos/transferToStorage", json={"url": f"{remote.url}/face.jpg"})).data
    served = await call("GET", copy["url"])
    assert (served.body, served.headers["Content-Type"]) == (JPEG, "image/jpeg")


async def finished(call, account):
    task_id = await call.start()
    account.advance(100)
    return (await call.detail(task_id))["result_url"]


async def test_result_is_made_once_and_served_in_ranges(call, account):
    url = await finished(call, account)
    whole = await call("GET", url)
    assert whole.body[4:8] == b"ftyp"
    assert whole.headers["Content-Type"] == "video/mp4"
    assert whole.headers["X-A2E-Sandbox"] in {"rendered", "passthrough"}
    assert int(whole.headers["Content-Length"]) == len(whole.body)
    part = await call("GET", url, headers={"Range": "bytes=10-"})
    assert (part.status, part.body) == (206, whole.body[10:])
    assert part.headers["ETag"] == whole.headers["ETag"]
    assert (await call("GET", url, headers={"If-None-Match": whole.headers["ETag"]})).status == 304
    head = await call("HEAD", url)
    assert (head.status, head.body) == (200, b"")


async def test_without_codecs_the_input_comes_back_and_says_so(call, account, monkeypatch):
    made = []

    def copy(task, out):
        made.append(task.id)
        copyfile(task.input_files()[1], out)
        return "passthrough"

    monkeypatch.setitem(RENDERERS, "userFaceSwapTask", copy)
    url = await finished(call, account)
    replies = await asyncio.gather(*(call("GET", url) for _ in range(5)), call("GET", call.sandbox.video_url))
    assert {reply.headers["X-A2E-Sandbox"] for reply in replies} == {"passthrough", "sample"}
    assert len({reply.body for reply in replies}) == 1
    assert made == [account.tasks[0].id]


async def test_result_urls_expire_and_cannot_be_forged(call, account):
    url = await finished(call, account)
    for forged in (
        url + "&expires=9",
        url.replace("?", "?expires=9999999999&"),
        url[:-1] + "x",
        url.partition("?")[0],
    ):
        assert (await call("GET", forged)).status == 403
    account.advance(3 * 24 * 3600 - 100)
    assert (await call("GET", url)).status == 200
    account.advance(100)
    reply = await call("GET", url)
    assert (reply.status, "expired" in reply.body.decode()) == (403, True)


async def test_result_of_a_removed_task_is_gone(call, account):
    url = await finished(call, account)
    await call("DELETE", f"/api/v1/userFaceSwapTask/{account.tasks[0].id}")
    assert (await call("GET", url)).status == 404


async def test_a_result_can_be_an_input(call, account):
    url = await finished(call, account)
    assert await call.start(video_url=url)
    assert (await call("POST", "/api/v1/userFaceSwapTask/add", json=call.swap(video_url=url + "x"))).status == 400


async def test_unreadable_input_shows_when_its_result_is_asked_for(call, account):
    signed = await sign(call)
    await put(signed["uploadUrl"])
    task_id = await call.start(face_url=signed["cdnUrl"])
    account.advance(100)
    reply = await call("GET", (await call.detail(task_id))["result_url"])
    assert reply.status == 500 or reply.headers["X-A2E-Sandbox"] == "passthrough"


async def test_a_file_that_is_opened_for_nobody_is_closed():
    opening, left, opened = asyncio.Event(), threading.Event(), asyncio.Queue()
    loop = asyncio.get_running_loop()

    class Slow(FileAnswer):
        def _make_response(self, *args):
            loop.call_soon_threadsafe(opening.set)
            left.wait()
            found = super()._make_response(*args)
            loop.call_soon_threadsafe(opened.put_nowait, found[1])
            return found

    async def serve(_request):
        return Slow(SAMPLES / "clip.mp4", {})

    server = web.Server(serve)
    listener = await loop.create_server(server, "127.0.0.1", 0)
    _, writer = await asyncio.open_connection(*listener.sockets[0].getsockname())
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await opening.wait()
    listener.close()
    await server.shutdown(0.01)
    left.set()

    assert (await opened.get()).closed
    writer.close()
    await writer.wait_closed()
    await listener.wait_closed()


async def test_urls_follow_the_host_header(call, account):
    task_id = await call.start()
    account.advance(100)
    by_name = call.sandbox.url.replace("127.0.0.1", "localhost")
    record = (await call("GET", f"{by_name}/api/v1/userFaceSwapTask/{task_id}")).data
    assert record["result_url"].startswith(by_name)


def test_only_loopback_unless_allowed():
    with pytest.raises(ValueError, match="allow_remote"):
        Sandbox(host="0.0.0.0")
    Sandbox(host="0.0.0.0", allow_remote=True)
