"""Server-sent events: which topics have changed, so that whoever shows them reads those again."""

import asyncio
import contextlib
from contextlib import ExitStack
from math import inf

from aiohttp import web

from a2e_async.sandbox.account import Account
from a2e_async.sandbox.news import News
from a2e_async.sandbox.wire import to_text

_PAUSE, _SILENCE = 0.4, 15.0
"""Seconds between two events: at least, however much happens; and at most, so that a reader's going is noticed."""


class Streams:
    """The event streams that are open; each ends with its reader or with the sandbox."""

    def __init__(self) -> None:
        self._open: set[_Stream] = set()

    async def serve(self, request: web.BaseRequest, world: News, account: Account | None) -> web.StreamResponse:
        """Send an event at once, and one whenever something of the world or the account has changed."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        stream = _Stream(account)
        self._open.add(stream)
        with ExitStack() as listening, contextlib.suppress(ConnectionError):
            listening.callback(self._open.discard, stream)
            listening.enter_context(world.heard_by(stream.note))
            if account:
                listening.enter_context(account.news.heard_by(stream.note))
            while not stream.ended.is_set():
                await response.write(stream.event())
                await stream.change()
            await response.write_eof()
        return response

    def end(self) -> None:
        """End all streams."""
        for stream in self._open:
            stream.ended.set()
            stream.note("")


class _Stream:
    """What has changed since the last event of one stream."""

    def __init__(self, account: Account | None) -> None:
        self._account, self._told = account, 0
        self.ended, self._changed = asyncio.Event(), asyncio.Event()
        self._topics: set[str] = set()

    def note(self, topic: str) -> None:
        self._topics.add(topic)
        self._changed.set()

    def event(self) -> bytes:
        self._told = self._account.clock.now() if self._account else 0
        topics = sorted(self._topics)
        self._topics.clear()
        self._changed.clear()
        return f"data: {to_text(topics)}\n\n".encode()

    async def change(self) -> None:
        """Return when there is news, a task has changed by itself, or nothing happened for long."""
        await _wait(self.ended, _PAUSE)
        left = self._account.tally.next_change(self._told) if self._account else inf
        if not await _wait(self._changed, min(left, _SILENCE)) and left <= _SILENCE:
            self._topics |= {"tasks", "ledger"}


async def _wait(event: asyncio.Event, seconds: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
