"""Recorded answers of the service, as a browser exports them (HAR) or written down by hand."""

import base64
import binascii
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from a2e_async.errors import ConfigError
from a2e_async.sandbox.routing import find_route

_FORMS = (
    "write a HAR file, as a browser's developer tools export it, or JSON: "
    '{"method": "GET", "path": "/api/v1/...", "status": 200, "body": {...}}, with "request" for what was sent'
)


class Recording(msgspec.Struct, frozen=True):
    """One request and what the service answered; its repr would show what is nobody's business, so it has none."""

    method: str
    host: str
    path: str
    query: str
    sent: bytes
    status: int
    answer: bytes

    def __repr__(self) -> str:
        return f"<Recording {self.method}>"


class _Text(msgspec.Struct):
    text: str = ""
    encoding: str = ""


class _HarRequest(msgspec.Struct, rename="camel"):
    method: str
    url: str
    post_data: _Text | None = None


class _HarResponse(msgspec.Struct):
    status: int
    content: _Text = msgspec.field(default_factory=_Text)


class _HarEntry(msgspec.Struct):
    request: _HarRequest
    response: _HarResponse


class _HarLog(msgspec.Struct):
    entries: list[_HarEntry]


class _Har(msgspec.Struct):
    log: _HarLog


class _Plain(msgspec.Struct):
    method: str
    path: str
    status: int
    body: msgspec.Raw
    request: msgspec.Raw = msgspec.Raw()


def read(file: str) -> list[Recording]:
    """Return what a file holds of the service, in its order; ConfigError for what is no recording."""
    try:
        text = Path(file).read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {file}: {error.strerror}.") from None
    try:
        found = list(_recordings(text.removeprefix(b"\xef\xbb\xbf")))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ConfigError(f"{file} holds no recorded answers ({_reason(error)}): {_FORMS}.") from None
    # Nobody answered what was stopped or preflighted, nor, with a body, what a browser had in its cache.
    found = [one for one in found if one.method != "OPTIONS" and one.status not in {0, 304}]
    hosts = {one.host for one in found if find_route(one.method, one.path)}
    # A page also talks to others, who may well have a path that begins alike.
    kept = [one for one in found if one.path.startswith("/api/") and (one.host in hosts or len(found) == 1)]
    if not kept:
        raise ConfigError(f"{file} holds no request to the service: none of {len(found)} has a path that it has.")
    return kept


def _recordings(text: bytes) -> Iterator[Recording]:
    if b'"log"' in text[:200]:
        for entry in msgspec.json.decode(text, type=_Har).log.entries:
            sent = entry.request.post_data
            yield _recording(
                entry.request.method,
                entry.request.url,
                sent.text.encode() if sent else b"",
                entry.response.status,
                _bytes(entry.response.content),
            )
    else:
        for one in msgspec.json.decode(text if text.lstrip()[:1] == b"[" else b"[%s]" % text, type=list[_Plain]):
            yield _recording(one.method, one.path, bytes(one.request), one.status, bytes(one.body))


def _recording(method: str, address: str, sent: bytes, status: int, answer: bytes) -> Recording:
    url = urlsplit(address)
    return Recording(method.upper(), url.netloc, url.path, url.query, sent, status, answer)


def _bytes(content: _Text) -> bytes:
    if content.encoding != "base64":
        return content.text.encode()
    try:
        return base64.b64decode(content.text, validate=True)
    except binascii.Error:
        return b""


def _reason(error: Exception) -> str:
    if isinstance(error, msgspec.DecodeError):
        return str(error)  # it names fields alone, never their values
    return "nested too deep" if isinstance(error, RecursionError) else "a URL or text that is none"
