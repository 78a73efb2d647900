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


async def whole(response: "aiohttp.ClientResponse", label: str) -> bytes:
    """Return the body, unpacked; raise DecodeError for one that has no reason to be so large."""
    if response.content.is_eof():  # as most are: all of it came with its head
        return await response.read()
    length = response.content_length
    if length is not None and length <= LARGEST and "Content-Encoding" not in response.headers:
        return await response.read()
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > LARGEST:
            raise DecodeError(f"the answer is larger than {LARGEST >> 20} MiB.", endpoint=label)
        parts.append(part)
    return b"".join(parts)


async def texts(lines: AsyncIterable[bytes], label: str) -> AsyncGenerator[str]:
    """Yield the texts of an event stream; raise APIError for an error told in it."""
    reader, told, size = EventReader(), False, 0
    async with aclosing(_lines(lines, label)) as found:
        async for line in found:
            size += len(line)
            if size > LARGEST:
                raise DecodeError(f"the stream is larger than {LARGEST >> 20} MiB.", endpoint=label)
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


async def _lines(lines: AsyncIterable[bytes], label: str) -> AsyncGenerator[bytes]:
    try:
        async for line in lines:
            yield line
    except ValueError as error:  # what aiohttp raises for a line without an end
        raise DecodeError("a line of the event stream is too long.", endpoint=label) from error
