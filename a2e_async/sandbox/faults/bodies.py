"""Bodies whose bytes are other than they should be; their length is told rightly."""

import asyncio
import struct
import zlib
from collections.abc import Iterator
from functools import lru_cache

from aiohttp import web

from a2e_async.sandbox.faults.hit import Change, Hit, content
from a2e_async.sandbox.faults.rule import Rule

_JSON = "application/json"
_SPACES = b" " * (1 << 20)
_GZIP = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""The head of a gzip file that says no more than that it is one."""


async def _content_type(rule: Rule, _hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    answer.headers["Content-Type"] = rule.content_type
    return answer


async def _invalid_json(_rule: Rule, _hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    if answer.content_type != _JSON:
        return None
    body = content(answer)
    answer.body = body[: len(body) // 2]
    return answer


async def _invalid_utf8(_rule: Rule, _hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    if answer.content_type != _JSON:
        return None
    answer.body = content(answer).replace(b':"', b':"\xff\xfe')
    return answer


async def _gzip_bomb(rule: Rule, _hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    answer.body = await asyncio.to_thread(_packed, content(answer), rule.size)
    answer.headers["Content-Encoding"] = "gzip"
    return answer


async def _corrupt(_rule: Rule, _hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    body = bytearray(content(answer))
    for at in range(min(512, len(body) // 2), len(body), 1024):
        body[at] ^= 0xFF
    answer.body = bytes(body)
    return answer


async def _short(rule: Rule, _hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    body = content(answer)
    answer.body = body[: int(len(body) * rule.part)]
    return answer


def _packed(body: bytes, size: int) -> bytes:
    start = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = start.compress(body) + start.flush(zlib.Z_FULL_FLUSH)
    check = zlib.crc32(body)
    for spaces in _spaces(size):
        check = zlib.crc32(spaces, check)
    return _GZIP + packed + _packed_spaces(size) + struct.pack("<LL", check, (len(body) + size) & 0xFFFFFFFF)


@lru_cache(maxsize=4)  # the second costs a tenth of the first
def _packed_spaces(size: int) -> bytes:
    packer = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    return b"".join([*map(packer.compress, _spaces(size)), packer.flush()])


def _spaces(size: int) -> Iterator[bytes]:
    while size > 0:
        yield _SPACES[:size]
        size -= len(_SPACES)


CHANGES: dict[str, Change] = {
    "content_type": _content_type,
    "invalid_json": _invalid_json,
    "invalid_utf8": _invalid_utf8,
    "gzip_bomb": _gzip_bomb,
    "corrupt": _corrupt,
    "short": _short,
}
