"""What arrives, within bounds: whole answers, and the texts of event streams."""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import TYPE_CHECKING

from a2e_async._events import EventReader
from a2e_async.errors import APIError, DecodeError

if TYPE_CHECKING:
    import aiohttp

LARGEST = 32 << 20
"""Bytes of an answer at the most, once unpacked: a page of a hundred records takes a hundredth of it."""
LONGEST = 1 << 20
"""Bytes of one line of an event stream at the most."""


async def whole(response: "aiohttp.ClientResponse", label: str) -> bytes:
    """Return the body, unpacked; raise DecodeError for one that has no reason to be so large."""
    content = response.content
    body = await content.readany()
    if content.at_eof():
        return body
    parts, size = [body], len(body)
    while part := await content.readany():
        size += len(part)
        if size > LARGEST:
            parts.clear()  # no collector of tracebacks wants it
            raise DecodeError(f"the answer is larger than {LARGEST >> 20} MiB.", endpoint=label)
        parts.append(part)
    return b"".join(parts)


async def texts(parts: AsyncIterable[bytes], label: str) -> AsyncGenerator[str]:
    """Yield the texts of an event stream; raise APIError for an error told in it."""
    reader, told = EventReader(), False
    async with aclosing(_lines(parts, label)) as lines:
        async for line in lines:
            event = reader.feed(line)
            if event is None:
                continue
            if event.name == "error":
                raise APIError(event.text(), http_status=200, endpoint=label)
            if event.name == "done":
                return
            # The result repeats what the deltas brought.
            if event.name == "delta" or not told:
                told = True
                yield event.text()


async def _lines(parts: AsyncIterable[bytes], label: str) -> AsyncGenerator[bytes]:
    rest, size = b"", 0
    async for part in parts:
        size += len(part)
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > LONGEST or size > LARGEST:
            raise DecodeError(f"the stream is larger than {LARGEST >> 20} MiB, or a line of it is.", endpoint=label)
    if rest:
        yield rest
