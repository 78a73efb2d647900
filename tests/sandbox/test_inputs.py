"""Input URLs are looked at before a coin is charged."""

import asyncio

import pytest

pytestmark = pytest.mark.anyio

ADD = "/api/v1/userFaceSwapTask/add"
JPEG, WEBM = b"\xff\xd8\xff\xe0picture", b"\x1aE\xdf\xa3video"


@pytest.mark.parametrize(
    ("field", "url", "why"),
    [
        ("face_url", "{remote}/my face.jpg", "holds a space"),
        ("face_url", "{remote}/moved", "redirects"),
        ("face_url", "{remote}/missing", "answers HTTP 404"),
        ("face_url", "{remote}/clip.webm", "is not a picture (JPEG, PNG, WebP, GIF)"),
        (
            "video_url",
            "{remote}/page.html",
            "is not a video (MP4, MOV, WebM, MKV) or a picture (JPEG, PNG, WebP, GIF)",
        ),
        ("video_url", "ftp://127.0.0.1/clip.mp4", "is not an http(s) URL"),
        ("video_url", "clip.mp4", "is not an http(s) URL"),
        ("video_url", "http://[", "is not an http(s) URL"),
        ("video_url", "{sandbox}/cdn/nothing", "answers HTTP 404"),
        ("video_url", "http://example.com/clip.mp4", "is not on this machine"),
    ],
)
async def test_refused(call, account, remote, field, url, why):
    remote.files |= {"/clip.webm": WEBM, "/page.html": b"<html>"}
    url = url.format(remote=remote.url, sandbox=call.sandbox.url)
    reply = await call("POST", ADD, json=call.swap(**{field: url}))
    assert reply.status == 400
    assert reply.msg.startswith(f"{field}: {url} {why}")
    assert account.coins == 1000
    assert account.tasks == []


async def test_unreachable(call, unused_tcp_url):
    reply = await call("POST", ADD, json=call.swap(face_url=unused_tcp_url))
    assert "cannot be fetched" in reply.msg


@pytest.fixture
async def unused_tcp_url():
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    server.close()
    await server.wait_closed()
    return url


async def test_each_url_is_fetched_once(call, account, remote):
    remote.files |= {"/face.jpg": JPEG, "/clip.webm": WEBM}
    urls = {"face_url": f"{remote.url}/face.jpg", "video_url": f"{remote.url}/clip.webm"}
    await asyncio.gather(*(call.start(**urls) for _ in range(20)))
    assert remote.hits == 2
    assert len(account.tasks) == 20


async def test_a_refused_url_is_tried_again(call, remote):
    url = f"{remote.url}/face.jpg"
    assert (await call("POST", ADD, json=call.swap(face_url=url))).status == 400
    remote.files["/face.jpg"] = JPEG
    assert await call.start(face_url=url)


async def test_a_thousand_starts_at_once(call, sandbox):
    sandbox.account("sk_crowd", coins=10_000)
    headers = {"Authorization": "Bearer sk_crowd"}
    swap = call.swap()
    replies = await asyncio.gather(*(call("POST", ADD, json=swap, headers=headers) for _ in range(1001)))
    ids = {reply.data["_id"] for reply in replies if reply.status == 200}
    assert len(ids) == 1000
    crowd = sandbox.account("sk_crowd")
    assert (crowd.coins, len(crowd.tasks), len(crowd.ledger)) == (0, 1000, 1001)
