"""What leaves the server: the envelope, refusals, times, and the odd page that is not JSON."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import msgspec
from aiohttp import web

REFUSED = 1001
"""The only public code for a refusal in general; the complete list of codes is unknown."""
MODERATED = 1003

SEALED = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
"""Headers of files that anybody may have uploaded: what is in them never runs as a page of this server."""

_encode = msgspec.json.Encoder().encode


class Refusal(Exception):  # noqa: N818 - an answer of the service, not a fault of the sandbox
    """An answer other than success; carries the HTTP status and the code of the envelope."""

    def __init__(self, msg: str, *, status: int = 400, code: int = REFUSED) -> None:
        super().__init__(msg)
        self.msg, self.status, self.code = msg, status, code

    def response(self) -> web.Response:
        """Return the refusal as the service words it."""
        return respond({"code": self.code, "msg": self.msg, "trace_id": str(uuid4())}, status=self.status)


class FileAnswer(web.FileResponse):
    """A file that is about to be sent, and where it lies; it is also closed if its opening was not waited for."""

    def __init__(self, path: Path, headers: Mapping[str, str]) -> None:
        super().__init__(path, headers=dict(headers))
        self.path = path
        self._file: IO[bytes] | None = None
        self._left = False

    async def prepare(self, request: web.BaseRequest) -> Any:
        """Send it."""
        try:
            return await super().prepare(request)
        except asyncio.CancelledError:
            # A thread may just be opening the file; aiohttp knows of it only afterwards.
            self._left = True
            self._close()
            raise

    def _make_response(self, request: web.BaseRequest, accept_encoding: str) -> Any:
        found = super()._make_response(request, accept_encoding)
        self._file = found[1]
        if self._left:
            self._close()
        return found

    def _close(self) -> None:
        if self._file:
            self._file.close()


def respond(answer: object, *, status: int = 200) -> web.Response:
    """Return any object as a JSON answer."""
    return web.Response(body=_encode(answer), status=status, content_type="application/json")


def success(data: object) -> web.Response:
    """Return data in the envelope of a successful call."""
    return respond({"code": 0, "data": data, "trace_id": str(uuid4())})


def page(title: str, *, status: int = 200, body: str = "") -> web.Response:
    """Return an HTML page, as web servers and gateways do where JSON was expected."""
    head = f"<!doctype html><html><head><title>{title}</title></head>"
    text = f"{head}<body><h1>{title}</h1>{body}</body></html>"
    return web.Response(text=text, status=status, content_type="text/html")


def store_error(code: str, message: str, *, status: int = 403) -> web.Response:
    """Return an error in the XML that object stores speak."""
    inner = f"<Code>{code}</Code><Message>{escape(message)}</Message>"
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'
    return web.Response(text=text, status=status, content_type="application/xml")


def iso(milliseconds: int) -> str:
    """Return a time in milliseconds since 1970 as ISO 8601 UTC with milliseconds and Z."""
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03}Z"


@lru_cache(maxsize=4096)  # a page of records holds hundreds of times, most within the same few minutes
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()[: -len("+00:00")]


def to_text(value: object) -> str:
    """Return a value as JSON text."""
    return _encode(value).decode()
