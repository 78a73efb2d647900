"""One download: streamed, continued by Range where it broke, checked for its length."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from errno import ENOSPC
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from a2e_async._answer import retry_after
from a2e_async._courier import Courier
from a2e_async._pool import Pool
from a2e_async._retry import next_pause, waits
from a2e_async._secret import hide
from a2e_async._surely import opened
from a2e_async._transport import Transport
from a2e_async.errors import APIError, DecodeError, NotFoundError, TransportError

if TYPE_CHECKING:
    import aiohttp

Progress = Callable[[int, int | None], None]
"""Called with the bytes moved so far and the bytes in all (None if unknown)."""

CHUNK = 1 << 20
LABEL = "GET result"
_GONE = frozenset({403, 404, 410})
_BUSY = frozenset({416, 429})
"""Answers that another try, from the start, may not get."""
SLOWEST = 1024.0
"""Bytes a second below which a download is broken off, and continued."""
_NO_MEDIA = ("text/html", "application/json", "application/xml")


def private(path: str, flags: int) -> int:
    """Open a file that only its owner may read; Windows has no such bits, there the folder decides."""
    return os.open(path, flags, 0o600)


def _room(folder: Path) -> float:
    from shutil import disk_usage  # noqa: PLC0415 - brings formats of archives along

    found = disk_usage(folder)
    return found.free if found.total else inf  # what has no size does not tell


class Download:
    """Fills one file; what arrived before a break is kept for the next try."""

    def __init__(  # noqa: PLR0913 - from where, to where, and within what
        self,
        transport: Transport,
        pool: Pool,
        courier: Courier,
        part: Path,
        *,
        max_bytes: int,
        progress: Progress | None,
    ) -> None:
        self._transport, self._pool, self._courier, self._part = transport, pool, courier, part
        self._max, self._progress = max_bytes, progress
        self._done = 0
        self._etag = ""
        self._asked: float | None = None
        """Seconds that the host asked to wait in its last answer."""

    async def run(self, url: str, renew: Callable[[], Awaitable[str]] | None) -> None:
        """Fetch all of it; ``renew`` brings a fresh URL, once, where the first has expired."""
        pauses = waits(self._transport.config.retry)
        while True:
            try:
                return await self._fetch(url)
            except NotFoundError:
                if renew is None:
                    raise
                url, renew = await renew(), None
            except TransportError:
                pause = next_pause(pauses, self._transport.config.retry, self._asked)
                if pause is None:
                    raise
                await asyncio.sleep(pause)

    async def _fetch(self, url: str) -> None:
        headers = {"Accept-Encoding": "identity"}
        self._asked = None
        if self._done:
            headers |= {"Range": f"bytes={self._done}-"} | ({"If-Range": self._etag} if self._etag else {})
        async with contextlib.AsyncExitStack() as stack:
            try:
                request = self._pool.plain.get(url, headers=headers, middlewares=(self._courier,), **self._pool.move)
                response = await stack.enter_async_context(request)
            except self._pool.errors as error:
                raise self._transport.translate(LABEL, error) from hide(error)
            total = self._begin(response)
            await self._check_room(total)
            async with opened(self._part, "ab" if self._done else "wb", private) as file:
                await self._copy(response, file, total)
        if total is not None and self._done != total:
            raise TransportError(f"{self._done} of {total} bytes arrived.", endpoint=LABEL)
        if not self._done:
            raise TransportError("the result is empty.", endpoint=LABEL)

    def _begin(self, response: "aiohttp.ClientResponse") -> int | None:
        status = response.status
        if status in _GONE:
            raise NotFoundError("the result URL has expired or is gone.", http_status=status, endpoint=LABEL)
        if status in _BUSY or status >= 500:
            self._done, self._asked = 0, retry_after(response.headers.get("Retry-After", ""))
            raise TransportError(f"HTTP {status}.", endpoint=LABEL)
        if status >= 300:
            raise APIError("the result cannot be fetched.", http_status=status, endpoint=LABEL)
        if response.content_type in _NO_MEDIA:
            raise DecodeError(f"the result URL serves {response.content_type}, not a media file.", endpoint=LABEL)
        if status != 206:
            self._done = 0
        self._etag = response.headers.get("ETag", "")
        total = None if response.content_length is None else self._done + response.content_length
        self._check(total or 0)
        return total

    async def _copy(self, response: "aiohttp.ClientResponse", file: anyio.AsyncFile[bytes], total: int | None) -> None:
        held: list[bytes] = []
        size = 0
        loop, patience = asyncio.get_running_loop(), self._transport.config.timeout
        since, before = loop.time(), self._done
        try:
            while True:
                try:
                    chunk = await response.content.readany()
                except self._pool.errors as error:
                    raise self._transport.translate(LABEL, error) from hide(error)
                if not chunk:
                    break
                held.append(chunk)
                size += len(chunk)
                self._check(self._done + size)
                if (now := loop.time()) - since >= patience:
                    if self._done + size - before < SLOWEST * (now - since):
                        raise TransportError(f"slower than {SLOWEST:g} bytes a second.", endpoint=LABEL)
                    since, before = now, self._done + size
                if size >= CHUNK:
                    await self._write(file, held, total)
                    held, size = [], 0
        finally:
            # What arrived before a break counts for the next try.
            await self._write(file, held, total)

    async def _write(self, file: anyio.AsyncFile[bytes], held: list[bytes], total: int | None) -> None:
        data = b"".join(held)
        await file.write(data)
        self._done += len(data)
        if data and self._progress:
            self._progress(self._done, total)

    async def _check_room(self, total: int | None) -> None:
        room = await anyio.to_thread.run_sync(_room, self._part.parent)
        if total is not None and total - self._done > room:
            raise OSError(ENOSPC, f"the result takes {total} bytes, and {room} are free", str(self._part.parent))

    def _check(self, size: int) -> None:
        if size > self._max:
            raise DecodeError(f"the result is larger than max_bytes={self._max}.", endpoint=LABEL)
