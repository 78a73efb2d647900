"""Connections that break, and bodies that come in another way than HTTP promises."""

import asyncio
import os
import socket
import struct

from aiohttp import web

from a2e_async.sandbox.faults.hit import Change, Hit, Instead, content
from a2e_async.sandbox.faults.rule import Rule

# A client that reads all it is sent should outlive its own time-out.
_CHUNK, _PAUSE = b" " * 16384, 0.01


async def _reset_before(_rule: Rule, hit: Hit) -> web.StreamResponse:
    return _cut(hit.request)


async def _reset_after(_rule: Rule, hit: Hit) -> web.StreamResponse:
    await hit.work()
    return _cut(hit.request)


async def _truncated(rule: Rule, hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    body = content(answer)
    if not body or hit.request.method == "HEAD":
        return None
    sent = await _begin(hit, answer, len(body))
    await sent.write(body[: int(len(body) * rule.part)])
    if hit.request.transport:
        hit.request.transport.close()
    return sent


async def _dribble(rule: Rule, hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    body = content(answer)
    if not body or hit.request.method == "HEAD":
        return None
    sent = await _begin(hit, answer, len(body))
    for at in range(len(body)):
        await asyncio.sleep(rule.pace)
        await sent.write(body[at : at + 1])
    return sent


async def _wrong_length(rule: Rule, hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    body = content(answer)
    if not body or hit.request.method == "HEAD":
        return None
    sent = await _begin(hit, answer, max(0, len(body) + rule.off))
    await sent.write(body)
    return sent


async def _endless(_rule: Rule, hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    if hit.request.method == "HEAD":
        return None
    sent = await _begin(hit, answer, None)
    await sent.write(content(answer))
    while True:
        await asyncio.sleep(_PAUSE)
        await sent.write(_CHUNK)


async def _begin(hit: Hit, answer: web.Response, length: int | None) -> web.StreamResponse:
    sent = web.StreamResponse(status=answer.status, headers=answer.headers)
    sent.content_length = length
    writer = await sent.prepare(hit.request)
    if writer:
        # Else it would hold back what is longer than it was told.
        writer.length = None
    return sent


def _cut(request: web.BaseRequest) -> web.StreamResponse:
    # Without a zero linger the kernel ends the connection politely, which clients report as another error.
    transport = request.transport
    if transport is not None:
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response(status=500, reason="cut")


INSTEAD: dict[str, Instead] = {"reset_before": _reset_before, "reset_after": _reset_after}
CHANGES: dict[str, Change] = {
    "truncated": _truncated,
    "dribble": _dribble,
    "wrong_length": _wrong_length,
    "endless": _endless,
}
