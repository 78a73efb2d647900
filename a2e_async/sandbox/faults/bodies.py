"""Bodies whose bytes are other than they should be; their length is told rightly."""

import asyncio
import re
import zlib

from aiohttp import web

from a2e_async.sandbox.faults.hit import Change, Hit, content
from a2e_async.sandbox.faults.rule import Rule

_JSON = "application/json"
_TEXT = re.compile(rb'(:|\[|,)"')
_SPACES = b" " * (1 << 20)


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
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts, left = [packer.compress(body)], size - len(body)
    while left > 0:
        parts.append(packer.compress(_SPACES[:left]))
        left -= len(_SPACES)
    return b"".join([*parts, packer.flush()])


CHANGES: dict[str, Change] = {
    "content_type": _content_type,
    "invalid_json": _invalid_json,
    "invalid_utf8": _invalid_utf8,
    "gzip_bomb": _gzip_bomb,
    "corrupt": _corrupt,
    "short": _short,
}
