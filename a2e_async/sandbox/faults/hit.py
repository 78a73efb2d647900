"""What an effect is given, and an answer in a form that it can change."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

import anyio
from aiohttp import web

from a2e_async.sandbox.faults.rule import Rule
from a2e_async.sandbox.wire import FileAnswer


class Hit(NamedTuple):
    """A request that is struck: how its work is done, the account's time (milliseconds), how to take all coins."""

    request: web.BaseRequest
    work: Callable[[], Awaitable[web.StreamResponse]]
    now: Callable[[], int]
    drain: Callable[[], None]


Instead: TypeAlias = Callable[[Rule, Hit], Awaitable[web.StreamResponse]]
"""Answers in the place of the work, or around it."""
Change: TypeAlias = Callable[[Rule, Hit, web.Response], Awaitable[web.StreamResponse | None]]
"""Changes the answer of work that was done, or sends it in its own way; None where there is nothing to change."""


def content(answer: web.Response) -> bytes:
    """Return the body of an answer."""
    return answer.body if isinstance(answer.body, bytes) else b""


async def held(request: web.BaseRequest, answer: web.StreamResponse) -> web.Response | None:
    """Return an answer with its body in memory, also that of a file; None for what was sent already."""
    if isinstance(answer, FileAnswer):
        return await _read(request, answer)
    return answer if isinstance(answer, web.Response) else None


async def _read(request: web.BaseRequest, answer: FileAnswer) -> web.Response | None:
    path = anyio.Path(answer.path)
    data, mtime = await path.read_bytes(), (await path.stat()).st_mtime_ns
    try:
        part = request.http_range
    except ValueError:
        return None
    start, stop, _ = part.indices(len(data))
    ranged = part.start is not None
    if ranged and start >= stop:
        return None
    headers = {**answer.headers, "Accept-Ranges": "bytes", "ETag": f'"{mtime:x}-{len(data):x}"'}
    if ranged:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
    return web.Response(body=data[start:stop], status=206 if ranged else 200, headers=headers)
