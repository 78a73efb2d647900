"""Callbacks of the service: each is believed in nothing but that some task may have ended, which is then read."""

import hmac
import logging
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import unquote_to_bytes

from a2e_async._endpoint import Caller
from a2e_async._secret import Secret
from a2e_async.errors import ConfigError
from a2e_async.poller import hurry

if TYPE_CHECKING:
    from aiohttp import web

Scope: TypeAlias = Mapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Mapping[str, object]]]
Send: TypeAlias = Callable[[Any], Awaitable[None]]  # each framework has its own type of messages
Read: TypeAlias = Callable[[], Awaitable[bytes]]
Headers: TypeAlias = Iterable[tuple[bytes, bytes]]

_HEADER = b"x-a2e-webhook-token"
_SHORTEST_TOKEN, _LONGEST_TOKEN = 16, 256
_MOST_BYTES = 1024 * 1024
_MOST_IDS = 16
_REMEMBERED = 4096

# The body was never documented, so it is not parsed: what looks like an id is looked for, whatever the form.
_ID = re.compile(rb"(?<![0-9A-Za-z])[0-9a-f]{24}(?![0-9A-Za-z])")
_NAMED = re.compile(
    rb"""(?<![0-9A-Za-z_])(?:_?id|task_?[iI]d)["'\\\]]{0,4}\s{0,9}[:=]\s{0,9}["'\\]{0,4}(""" + _ID.pattern + rb")"
)
_ALLOW = {"Allow": "POST"}

log = logging.getLogger("a2e_async")


class Webhooks:
    """Receives the service's callbacks, for a session whose watchers wait on the same event loop.

    It is an ASGI application, and `aiohttp` is a handler of aiohttp's server. ``token`` is the ``webhook_token`` of
    the starts, at least 16 printable ASCII characters; `ConfigError` for any other. A callback makes the poller read
    the task that somebody waits for; one that nobody here waits for is offered, by its id alone, to ``on_task``,
    which may be a coroutine function and is waited for. The body is undocumented: an id in it may be another record's.
    """

    def __init__(
        self, a2e: Caller, *, token: str, on_task: Callable[[str], Awaitable[None] | None] | None = None
    ) -> None:
        token = Secret(token)
        check_token(token)
        self._a2e, self._token, self._on_task = a2e, token.encode(), on_task
        self._seen: dict[bytes, None] = {}

    @staticmethod
    def new_token() -> str:
        """Make a token that nobody can guess; all processes that receive callbacks must share it."""
        return secrets.token_urlsafe(32)

    async def receive(self, headers: Headers, body: bytes) -> int:
        """Take one POST, from whatever server, and return the HTTP status to answer with at once.

        200: taken, also where it came twice or nobody waits; 400: it names no task; 401: not the token; 413: a body
        above 1 MiB.
        """
        if not self._trusts(headers):
            return 401
        if len(body) > _MOST_BYTES:
            return 413
        text = unquote_to_bytes(body)
        named, every = _ids(_NAMED, text), _ids(_ID, text)
        if not every:
            log.warning("A callback named no task: its form is unknown. Polling finds what has ended.")
            return 400
        digest = blake2b(body, digest_size=16).digest()
        if self._came_before(digest):
            return 200
        try:
            await self._tell(named, every)
        except BaseException:
            self._seen.pop(digest, None)  # it comes again, and has not been heard yet
            raise
        return 200

    async def _tell(self, named: list[str], every: list[str]) -> None:
        waited_for = [task_id for task_id in dict.fromkeys([*named, *every]) if hurry(self._a2e, task_id)]
        if self._on_task and not waited_for:
            for task_id in named or every:
                told = self._on_task(task_id)
                if told is not None:
                    await told

    async def aiohttp(self, request: "web.BaseRequest") -> "web.Response":
        """Answer a request of aiohttp's server: ``app.router.add_post("/a2e", hooks.aiohttp)``."""
        from aiohttp import web  # noqa: PLC0415 - whoever comes here has loaded it

        status = await self._answer(request.method, request.raw_headers, request.content.readany)
        return web.Response(status=status, headers=_ALLOW if status == 405 else None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of an ASGI server, at whatever path; RuntimeError for a WebSocket and the like."""
        if scope["type"] != "http":
            raise RuntimeError(f"webhooks come by HTTP, not by {scope['type']}")
        method, headers = cast("str", scope["method"]), cast("Headers", scope["headers"])
        status = await self._answer(method, headers, _reader(receive))
        more = [(name.lower().encode(), value.encode()) for name, value in _ALLOW.items()] if status == 405 else []
        fields = [(b"content-length", b"0"), *more]
        await send({"type": "http.response.start", "status": status, "headers": fields})
        await send({"type": "http.response.body", "body": b""})

    async def _answer(self, method: str, headers: Headers, read: Read) -> int:
        if method != "POST":
            return 405
        headers, body = list(headers), bytearray()
        # Nothing is read for somebody who does not know the token.
        if not self._trusts(headers):
            return 401
        while chunk := await read():
            body += chunk
            if len(body) > _MOST_BYTES:
                return 413
        return await self.receive(headers, bytes(body))

    def _trusts(self, headers: Headers) -> bool:
        given = b",".join(value for name, value in headers if name.lower() == _HEADER)
        return hmac.compare_digest(given, self._token)

    def _came_before(self, digest: bytes) -> bool:
        known = digest in self._seen
        self._seen[digest] = None
        if len(self._seen) > _REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return known


def check_token(token: str) -> None:
    """Raise `ConfigError` for a token that could be guessed, or that no header carries as it is."""
    right = _SHORTEST_TOKEN <= len(token) <= _LONGEST_TOKEN and token.isascii() and token.isprintable()
    if not right or " " in token:
        raise ConfigError(
            f"token must have {_SHORTEST_TOKEN} to {_LONGEST_TOKEN} printable ASCII characters and no blank: "
            "Webhooks.new_token() makes one."
        )


def _ids(pattern: re.Pattern[bytes], text: bytes) -> list[str]:
    found: list[bytes] = pattern.findall(text)
    return [task_id.decode() for task_id in dict.fromkeys(found)][:_MOST_IDS]


def _reader(receive: Receive) -> Read:
    more = True

    async def read() -> bytes:
        nonlocal more
        while more:
            message = await receive()
            more = bool(message.get("more_body"))
            if chunk := message.get("body"):
                return cast("bytes", chunk)
        return b""

    return read
