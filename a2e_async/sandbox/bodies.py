"""Bodies of requests: read within bounds, and kept without what is secret in them."""

import re
from urllib.parse import unquote

from aiohttp import web

from a2e_async.sandbox.wire import Refusal

_DEEPEST, _HIDDEN = 100, "***"
_PIECE = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_SECRET = re.compile(rb'("(?:webhook_token|password)"\s*:\s*)"(?:[^"\\]|\\.)*"', re.DOTALL)


async def read(request: web.BaseRequest) -> bytes:
    """Return a body that may be decoded as JSON and encoded again; Refusal for one that nobody should try to."""
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise Refusal("the body is too large", status=413) from None
    except web.RequestPayloadError:
        raise Refusal("the body cannot be read: is it compressed as it says?") from None
    if deeper_than(_DEEPEST, body):
        raise Refusal(f"the body is nested more than {_DEEPEST} deep")
    try:
        body.decode()
    except UnicodeDecodeError:
        raise Refusal("the body is not UTF-8") from None
    return body


def deeper_than(depth: int, text: bytes) -> bool:
    """Tell whether JSON holds more lists and objects within each other than that."""
    if text.count(b"[") + text.count(b"{") <= depth:
        return False
    now = 0
    for found in _PIECE.finditer(text):
        now += 1 if found[0] in b"[{" else -1 if found[0] in b"]}" else 0
        if now > depth:
            return True
    return False


class Hider:
    """Makes unreadable what the log must not hold: the caller's token, wherever it stands, and what else is secret."""

    def __init__(self, token: str) -> None:
        self._token = token

    def text(self, text: str) -> str:
        """Return a part of a URL without the token."""
        return text.replace(self._token, _HIDDEN) if self._token else text

    def target(self, target: str) -> str:
        """Return the path and query of a request line without the token, be it written plainly or in percents."""
        plain = unquote(target)
        return target if self.text(plain) == plain else self.text(plain)

    def body(self, body: bytes) -> bytes:
        """Return JSON without the token, tokens of callbacks and passwords."""
        if b"webhook_token" in body or b"password" in body:
            body = _SECRET.sub(rb'\1"***"', body)
        return body.replace(self._token.encode(), _HIDDEN.encode()) if self._token else body
