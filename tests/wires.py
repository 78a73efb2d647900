"""Whatever a server may send, byte by byte, through a session's own ways of asking."""

import asyncio
import gzip
import re
import socket
import zlib
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver

from a2e_async import A2ESession, PollPolicy, RetryPolicy
from a2e_async.groups.image_to_video import ExtendPromptStreamed, ImageToVideo
from a2e_async.sandbox.objects import SAMPLES
from tests.mutations import Draw, mutated, scrambled

KEY = "sk_wire-secret"
FACE = SAMPLES / "face.jpg"
_JSON = b'{"code":0,"data":{"coins":12.5,"_id":"65a0b1c2d3e4f5a6b7c8d9e0","uploadUrl":"http://127.0.0.1:19999/x"},"trace_id":"t"}'
_EVENTS = b'event: delta\ndata: {"delta": "a"}\n\nevent: done\ndata: {}\n\n'
_MEDIA = b"\x00\x00\x00\x18ftypmp42" + bytes(range(256)) * 8


def _said(status: bytes, body: bytes, *fields: bytes, length: int | None = -1) -> bytes:
    head = [b"HTTP/1.1 " + status, *fields]
    if length is not None:
        head.append(b"Content-Length: %d" % (len(body) if length < 0 else length))
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def _chunks(body: bytes) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"


_TYPE = b"Content-Type: application/json"
_SAID = (
    _said(b"200 OK", _JSON, _TYPE),
    _said(b"200 OK", _chunks(_JSON), _TYPE, b"Transfer-Encoding: chunked", length=None),
    _said(b"200 OK", gzip.compress(_JSON), _TYPE, b"Content-Encoding: gzip"),
    _said(b"200 OK", zlib.compress(_JSON), _TYPE, b"Content-Encoding: deflate"),
    _said(b"200 OK", _JSON, _TYPE, b"Content-Encoding: br"),
    _said(b"200 OK", _JSON, _TYPE, b"Content-Encoding: zstd"),
    _said(b"200 OK", _JSON, b"Content-Type: text/html; charset=utf-16", b"Set-Cookie: a=b; Max-Age=x", length=None),
    _said(b"200 OK", _EVENTS, b"Content-Type: text/event-stream", length=None),
    _said(b"200 OK", _chunks(_EVENTS), b"Content-Type: text/event-stream", b"Transfer-Encoding: chunked", length=None),
    _said(b"429 Too Many Requests", b'{"code":1,"msg":"slow"}', _TYPE, b"Retry-After: 1"),
    _said(b"503 Service Unavailable", b"<html>", b"Content-Type: text/html", b"Retry-After: soon"),
    _said(b"404 Not Found", b'{"code":1001,"msg":"gone"}', _TYPE),
    _said(b"302 Found", b"", b"Location: http://127.0.0.1:9/x"),
    _said(b"307 Temporary Redirect", b"", b"Location: //[::1"),
    _said(b"204 No Content", b""),
    b"HTTP/1.1 100 Continue\r\n\r\n" + _said(b"200 OK", _JSON, _TYPE),
    _said(b"101 Switching Protocols", _JSON, b"Upgrade: h2c", b"Connection: Upgrade"),
    b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n" + _JSON,
    _said(b"200 OK", _MEDIA, b"Content-Type: video/mp4", b'ETag: "a"', b"Accept-Ranges: bytes"),
    _said(b"200 OK", _MEDIA, b"Content-Type: video/mp4", b'ETag: "\xfc\xff"', length=9000),
    _said(b"206 Partial Content", _MEDIA, b"Content-Type: video/mp4", b"Content-Range: bytes 7-99/100", length=9000),
    _said(b"416 Range Not Satisfiable", b"", b"Content-Range: bytes */7"),
)
_TOKENS = (
    b"\r\n", b"\r\n\r\n", b": ", b"Content-Length: 5\r\n", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n",
    b"HTTP/1.1 ", b"HTTP/9.9 ", b"200", b"999", b"Location: http://[\r\n", b"Content-Encoding: gzip\r\n", b"fffffff\r\n",
    b"Content-Type: text/event-stream\r\n", b"x" * 9000, b"\x1f\x8b\x08", b"Retry-After: \xb2\r\n", b"Content-Type: \xff/;=\r\n",
)  # fmt: skip


def http(draw: Draw) -> bytes:
    """Draw a way of asking, and what the server says to it."""
    said = draw.choice(_SAID)
    way = bytes([draw.randrange(256)])
    if draw.random() < 0.3 and _JSON in said and b"Content-Encoding" not in said:
        body = mutated(draw, [_JSON])
        return way + _said(b"200 OK", body, _TYPE)
    return way + scrambled(draw, said, _SAID, _TOKENS)


class _Nowhere(AbstractResolver):
    """Knows no name: what a server names must not be asked for in a test."""

    async def resolve(self, host: str, port: int = 0, family: Any = 0) -> Any:
        raise OSError(None, f"{host} is not looked up here")

    async def close(self) -> None:
        pass


def _at_home(info: Any) -> socket.socket:
    if info[4][0] not in {"127.0.0.1", "::1"}:
        raise OSError(None, f"{info[4][0]} is not connected to here")
    return socket.socket(*info[:3])


async def ask(folder: Path, data: bytes) -> object:
    """Ask in one of a session's ways; a server answers that with the rest of the bytes, and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if length := re.search(rb"Content-Length: (\d+)", head):
                await reader.readexactly(int(length[1]))
            writer.write(said)
            await writer.drain()
            for _ in range(6):  # what arrived before the end is read by then
                await asyncio.sleep(0)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1")
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    said = data[1:].replace(b":19999", url.encode()[-6:])
    connector = aiohttp.TCPConnector(resolver=_Nowhere(), socket_factory=_at_home)
    try:
        async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as borrowed:
            retry, poll = RetryPolicy(attempts=2, base=0.001, patience=0.001), PollPolicy()
            async with A2ESession(KEY, base_url=url, http=borrowed, timeout=2.0, retry=retry, poll=poll) as a2e:
                return await _WAYS[data[0] % len(_WAYS)](a2e, url, folder)
    finally:
        server.close()
        await server.wait_closed()


async def _coins(a2e: A2ESession, _url: str, _folder: Path) -> object:
    return await a2e.account.coins()


async def _paid(a2e: A2ESession, _url: str, _folder: Path) -> object:
    return await a2e.face_swap.tasks.add(name="n", face_url="https://a/f.jpg", video_url="https://a/v.mp4")


async def _stream(a2e: A2ESession, _url: str, _folder: Path) -> object:
    request = ExtendPromptStreamed(
        reference_id="r", image_url="https://a/f.jpg", prompt="p", negative_prompt="", stream=True
    )
    return [text async for text in a2e.stream(ImageToVideo.prompt_extension, request)]


async def _download(a2e: A2ESession, url: str, folder: Path) -> object:
    return (await a2e.files.save(f"{url}/r.mp4", folder / "saved.mp4", max_bytes=1 << 20)).stat().st_size


async def _upload(a2e: A2ESession, _url: str, _folder: Path) -> object:
    return await a2e.files.upload(FACE)


_WAYS = (_coins, _paid, _stream, _download, _upload)
