"""Files over TCP: uploaded once, saved whole or not at all, and never with the token."""

import asyncio
import os
import stat
import time
from errno import ENOSPC
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from aiohttp import web

from a2e_async import (
    FACE_SWAP,
    A2EError,
    APIError,
    DecodeError,
    NotFoundError,
    RequestError,
    RetryPolicy,
    TransportError,
    files,
)
from a2e_async._download import CHUNK
from a2e_async.groups.face_swap import Swap
from a2e_async.sandbox import Rule
from a2e_async.sandbox.objects import SAMPLES
from tests.service import host, scene

pytestmark = pytest.mark.anyio

FACE, CLIP = SAMPLES / "face.jpg", SAMPLES / "clip.mp4"
DATA = bytes(range(256)) * 20_000


async def test_an_upload_arrives_as_it_was(tmp_path: Path) -> None:
    async with scene() as s:
        moved: list[tuple[int, int | None]] = []
        url = await s.a2e.files.upload(FACE, on_progress=lambda *step: moved.append(step))
        saved = await s.a2e.files.save(url, tmp_path / "made" / "on the way" / "copy.jpg")
        assert saved.read_bytes() == FACE.read_bytes()
        assert moved == [(FACE.stat().st_size,) * 2]


async def test_the_same_content_is_uploaded_once(tmp_path: Path) -> None:
    twin = tmp_path / "twin.jpg"
    twin.write_bytes(FACE.read_bytes())
    async with scene() as s:
        urls = await asyncio.gather(*(s.a2e.files.upload(path) for path in [FACE, twin] * 20))
        assert len(set(urls)) == 1
        assert len(s.sent("PUT", "")) == 1


async def test_uploads_without_end_take_no_memory_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "REMEMBERED", 3)
    picture = tmp_path / "face.jpg"
    async with scene() as s:
        for number in [0, 1, 2, 2, 3, 3, 0]:  # the first has made room for the last by then
            picture.write_bytes(FACE.read_bytes() + bytes([number]))
            await s.a2e.files.upload(picture)
        assert len(s.sent("PUT", "")) == 5
        assert len(s.a2e.files._known) == 3
        assert not s.a2e._transport.pool().uploads


async def test_changed_content_is_uploaded_again(tmp_path: Path) -> None:
    path = tmp_path / "face.jpg"
    path.write_bytes(FACE.read_bytes())
    async with scene() as s:
        first = await s.a2e.files.upload(path)
        path.write_bytes(FACE.read_bytes() + b"\0")
        assert await s.a2e.files.upload(path) != first


async def test_transfers_carry_no_token() -> None:
    async with scene() as s:
        swap = await s.a2e.run(FACE_SWAP, **s.swap | {"face_url": FACE})
        await s.a2e.files.upload(CLIP)
        with_token = {e.path.split("/")[1] for e in s.account.requests if e.authorization}
        assert with_token == {"api"}
        assert swap.face_url.endswith(".jpg")


async def test_a_broken_upload_is_sent_again_in_full() -> None:
    async with scene() as s:
        s.account.fault(Rule("reset_before", method="PUT", first=3))
        url = await s.a2e.files.upload(CLIP)
        assert s.sent("PUT", "")[-1] == 200
        assert url


@pytest.mark.parametrize(
    "rule",
    [
        Rule("status", method="PUT", status=503, first=2),
        Rule("status", method="PUT", status=429, first=2),
        Rule("html", method="PUT", first=2),
    ],
    ids=["busy", "too many", "a page"],
)
async def test_an_upload_that_something_on_the_way_answers_is_sent_again(tmp_path: Path, rule: Rule) -> None:
    async with scene() as s:
        s.account.fault(msgspec.structs.replace(rule))
        url = await s.a2e.files.upload(FACE)
        saved = await s.a2e.files.save(url, tmp_path / "copy.jpg")
        assert saved.read_bytes() == FACE.read_bytes()
        assert len(s.sent("PUT", "")) == 3


async def test_a_transfer_waits_as_long_as_its_host_asks_for(tmp_path: Path) -> None:
    async with scene() as s:
        loop = asyncio.get_running_loop()
        for method in ("PUT", "GET"):
            began = loop.time()
            s.account.fault(Rule("status", method=method, path="/[!a]*", status=429, retry_after=1, first=1))
            saved = await s.a2e.files.save(await s.a2e.files.upload(FACE), tmp_path / "copy.jpg")
            assert saved.read_bytes() == FACE.read_bytes()
            assert loop.time() - began >= 1


async def test_a_host_that_asks_for_more_patience_than_there_is(tmp_path: Path) -> None:
    async with scene(retry=RetryPolicy(patience=5)) as s:
        url = await s.a2e.files.upload(FACE)
        s.account.fault(Rule("status", method="GET", path="/[!a]*", status=429, retry_after=6))
        with pytest.raises(TransportError, match="429"):
            await s.a2e.files.save(url, tmp_path / "copy.jpg")
        assert not list(tmp_path.iterdir())


async def test_an_upload_whose_session_is_closed_between_two_tries_says_so() -> None:
    async with scene() as s:
        s.account.fault(Rule("status", method="PUT", status=503))
        closing: list[asyncio.Future[None]] = []

        def close(*_: object) -> None:
            closing.append(asyncio.ensure_future(s.a2e.aclose()))

        with pytest.raises(TransportError, match="not sent, since the session was closed"):
            await s.a2e.files.upload(FACE, on_progress=close)
        await asyncio.gather(*closing)


async def test_an_upload_that_is_never_taken_is_told() -> None:
    async with scene() as s:
        s.account.fault(Rule("html", method="PUT"))
        with pytest.raises(TransportError, match=r"face\.jpg.*text/html"):
            await s.a2e.files.upload(FACE)
        assert len(s.sent("PUT", "")) == RetryPolicy().attempts


async def test_an_upload_that_the_storage_refuses() -> None:
    async with scene() as s:
        s.account.fault(Rule("status", method="PUT", status=403, body="<Error>SignatureDoesNotMatch</Error>"))
        with pytest.raises(APIError, match=r"storage refused face\.jpg.*SignatureDoesNotMatch"):
            await s.a2e.files.upload(FACE)


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), (b"", "is empty"), (b"#!/bin/sh\n", "no media that is known here")],
)
async def test_what_cannot_be_media_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "face.jpg"
    if content is not None:
        path.write_bytes(content)
    async with scene() as s:
        with pytest.raises(RequestError, match=message) as caught:
            await s.a2e.files.upload(path, field="face_url")
        assert caught.value.field == "face_url"
        assert not s.account.requests


async def test_a_path_that_no_system_takes_is_refused() -> None:
    async with scene() as s:
        with pytest.raises(RequestError, match="cannot be read"):
            await s.a2e.files.upload("a\0b.jpg")


# -- downloads from a host that misbehaves ----------------------------------------------------------------


async def whole(_request: web.Request) -> web.StreamResponse:
    return web.Response(body=DATA, headers={"ETag": '"1"'}, content_type="video/mp4")


async def half(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"ETag": '"1"', "Content-Length": str(len(DATA))})
    await response.prepare(request)
    await response.write(DATA[: len(DATA) // 2])
    assert request.transport is not None
    request.transport.close()
    return response


async def rest(request: web.Request) -> web.StreamResponse:
    start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    body = DATA[start:]
    return web.Response(status=206, body=body, headers={"ETag": '"1"'}, content_type="video/mp4")


async def test_a_broken_download_is_continued(tmp_path: Path) -> None:
    async with host(half, rest) as (url, seen, a2e):
        assert (await a2e.files.save(url, tmp_path / "out.mp4")).read_bytes() == DATA
        assert 0 < int(seen[1].headers["Range"].removeprefix("bytes=").removesuffix("-")) <= len(DATA) // 2
        assert seen[1].headers["If-Range"] == '"1"'
        assert not any("Authorization" in request.headers for request in seen)
        assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


async def test_a_changed_file_is_fetched_from_the_start(tmp_path: Path) -> None:
    async with host(half, whole) as (url, _, a2e):
        assert (await a2e.files.save(url, tmp_path / "out.mp4")).read_bytes() == DATA


async def test_progress_is_told(tmp_path: Path) -> None:
    async with host(whole) as (url, _, a2e):
        moved: list[tuple[int, int | None]] = []
        await a2e.files.save(url, tmp_path / "out.mp4", on_progress=lambda *step: moved.append(step))
        assert moved[-1] == (len(DATA), len(DATA))
        assert len(moved) <= len(DATA) // CHUNK + 1


async def test_a_download_that_keeps_breaking_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_bytes(b"before")
    async with host(half) as (url, _, a2e):
        with pytest.raises(TransportError):
            await a2e.files.save(url, tmp_path / "out.mp4")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


async def test_a_cancelled_download_leaves_nothing(tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def stall(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "9"})
        await response.prepare(request)
        await response.write(b"123")
        reached.set()
        await asyncio.sleep(30)
        return response

    async with host(stall) as (url, _, a2e):
        save = asyncio.ensure_future(a2e.files.save(url, tmp_path / "out.mp4"))
        await reached.wait()
        save.cancel()
        with pytest.raises(asyncio.CancelledError):
            await save
    assert not list(tmp_path.iterdir())


async def answer(**how: object) -> web.StreamResponse:
    return web.Response(**how)


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"text": "<html>", "content_type": "text/html"}, DecodeError, "serves text/html"),
        ({"body": b"", "content_type": "video/mp4"}, TransportError, "empty"),
        ({"status": 404}, NotFoundError, "expired"),
        ({"status": 418}, APIError, "cannot be fetched"),
        ({"status": 503}, TransportError, "503"),
    ],
)
async def test_what_is_no_result_is_not_saved(
    tmp_path: Path, how: dict[str, object], error: type[Exception], message: str
) -> None:
    async with host(lambda _: answer(**how)) as (url, _, a2e):
        with pytest.raises(error, match=message):
            await a2e.files.save(url, tmp_path / "out.mp4")
    assert not list(tmp_path.iterdir())


async def test_a_size_limit_holds(tmp_path: Path) -> None:
    async with host(whole) as (url, _, a2e):
        with pytest.raises(DecodeError, match="max_bytes=1000"):
            await a2e.files.save(url, tmp_path / "out.mp4", max_bytes=1000)
    assert not list(tmp_path.iterdir())


async def test_a_size_limit_holds_without_a_length(tmp_path: Path) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async with host(endless) as (url, _, a2e):
        with pytest.raises(DecodeError, match="max_bytes"):
            await a2e.files.save(url, tmp_path / "out.mp4", max_bytes=3_000_000)


async def test_a_directory_gets_a_name_of_ours(tmp_path: Path) -> None:
    async with host(whole) as (url, _, a2e):
        task = Swap(id="../../etc/passwd", status="completed", result_url=url)
        assert await a2e.files.save(task, tmp_path) == tmp_path / "______etc_passwd.mp4"


@pytest.mark.parametrize(
    ("task_id", "path", "name"),
    [
        ("66e63777", "/r.mp4", "66e63777.mp4"),
        ("../../etc/passwd", "/r.mp4", "______etc_passwd.mp4"),
        ("/etc/passwd", "/r.mp4", "_etc_passwd.mp4"),
        ("C:\\x", "/r.mp4", "C__x.mp4"),
        ("con", "/r.mp4", "_con.mp4"),
        ("LPT1", "/r", "_LPT1"),
        ("a.", "/r. ", "a_"),
        ("\u202egpj.exe\u2215", "/r.mp4", "_gpj_exe_.mp4"),
        ("", "/r.mp4", "result.mp4"),
        ("..", "/..", "__"),
        ("x" * 5000, "/r.mp4", "x" * 100 + ".mp4"),
        ("a", "/r." + "p" * 300, "a"),
        ("a", "/r.m%2Fp4", "a"),
    ],
)
async def test_no_name_of_the_servers_is_more_than_a_name(tmp_path: Path, task_id: str, path: str, name: str) -> None:
    async with host(whole) as (url, _, a2e):
        place = url.replace("/result.mp4", path.replace(" ", "%20"))
        task = Swap(id=task_id, status="completed", result_url=place)
        assert (await a2e.files.save(task, tmp_path)).name == name
    assert [found.name for found in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
async def test_results_and_folders_made_for_them_are_their_owners_alone(tmp_path: Path) -> None:
    modes: set[int] = set()

    def look(_done: int, _total: int | None) -> None:
        modes.update(stat.S_IMODE(found.stat().st_mode) for found in (tmp_path / "made").rglob("*"))

    old = os.umask(0)
    try:
        async with host(whole) as (url, _, a2e):
            saved = await a2e.files.save(url, tmp_path / "made" / "deep" / "out.mp4", on_progress=look)
    finally:
        os.umask(old)
    assert modes == {0o600, 0o700}
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in list(saved.parents)[:2]} == {0o700}


@pytest.mark.skipif(os.name == "nt", reason="making links takes a privilege there")
async def test_a_link_in_the_place_of_a_result_is_replaced_and_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"precious")
    (tmp_path / "out.mp4").symlink_to(other)
    async with host(whole) as (url, _, a2e):
        saved = await a2e.files.save(url, tmp_path / "out.mp4")
    assert (saved.is_symlink(), saved.read_bytes(), other.read_bytes()) == (False, DATA, b"precious")


async def test_a_result_of_the_longest_name_is_saved(tmp_path: Path) -> None:
    async with host(whole) as (url, _, a2e):
        assert (await a2e.files.save(url, tmp_path / ("é" * 127))).read_bytes() == DATA


async def test_a_disk_without_room_is_noticed_before_it_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(total=1 << 40, free=len(DATA) - 1))
    async with host(whole) as (url, _, a2e):
        with pytest.raises(OSError, match=f"takes {len(DATA)} bytes, and {len(DATA) - 1} are free") as caught:
            await a2e.files.save(url, tmp_path / "out.mp4")
        assert caught.value.errno == ENOSPC
        monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(total=0, free=0))
        assert (await a2e.files.save(url, tmp_path / "out.mp4")).exists()


async def test_a_result_that_unpacks_without_bounds(tmp_path: Path) -> None:
    async with scene() as s:
        swap = await s.a2e.run(FACE_SWAP, **s.swap)
        s.account.fault(Rule("gzip_bomb", path="/results/*", size=1 << 26))
        with pytest.raises(A2EError):
            await s.a2e.files.save(swap, tmp_path / "out.mp4", max_bytes=1 << 25)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("odd", ["http://[", "https://[1]/a.mp4"])
async def test_a_result_url_that_is_none(tmp_path: Path, odd: str) -> None:
    async with scene() as s:
        for source in (odd, Swap(id="a", result_url=odd)):
            with pytest.raises(RequestError, match=r"result_url: .* is no URL"):
                await s.a2e.files.save(source, tmp_path)


async def test_an_expired_url_is_renewed_from_its_task(tmp_path: Path) -> None:
    async with scene() as s:
        swap = await s.a2e.run(FACE_SWAP, **s.swap)
        s.account.fault(Rule("status", method="GET", path="/results/*", nth=1, status=403))
        saved = await s.a2e.files.save(swap, tmp_path / "out.mp4")
        assert saved.stat().st_size > 1000
        assert s.sent("GET", swap.id).count(403) == 1


async def test_a_task_without_a_result(tmp_path: Path) -> None:
    async with scene(clock="stepped") as s:
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        with pytest.raises(RequestError, match=r"queued and has no result.*watch it"):
            await s.a2e.files.save(task, tmp_path)


async def test_an_upload_is_not_used_again_after_a_sleep_of_days(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its URL expires, although to a clock that stands still meanwhile no time has passed."""
    async with scene() as s:
        await s.a2e.files.upload(FACE)
        await s.a2e.files.upload(FACE)
        assert len(s.sent("PUT", "/storage/")) == 1
        woken = SimpleNamespace(monotonic=time.monotonic, time=lambda: time.time() + 4 * 86_400)
        monkeypatch.setattr("a2e_async.files.time", woken)
        await s.a2e.files.upload(FACE)
        assert len(s.sent("PUT", "/storage/")) == 2
