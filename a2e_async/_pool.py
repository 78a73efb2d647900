"""The only one who opens sessions of aiohttp's client."""

import asyncio
from typing import TYPE_CHECKING, Any, cast
from weakref import WeakValueDictionary

from a2e_async._courier import signing
from a2e_async._limits import Gate
from a2e_async._secret import Secret
from a2e_async._surely import surely
from a2e_async._version import __version__
from a2e_async.config import SessionConfig

if TYPE_CHECKING:
    import aiohttp

# Servers commonly close idle connections after 5 s; a submission written to a dying one has an unknown outcome.
KEEPALIVE = 4.0
_HOPS = 5
_STREAM = 10.0
"""Times the timeout that an event stream may last."""
_Options = dict[str, Any]


class ClosedError(ConnectionError):
    """The session is closed: nothing can be sent on it."""


class Pool:
    """What belongs to one event loop: connections, gate, transfer slots."""

    def __init__(self, config: SessionConfig, borrowed: "aiohttp.ClientSession | None") -> None:
        import aiohttp  # noqa: PLC0415 - four times the cost of all other imports together

        self.gate = Gate(config.limits.concurrency, config.limits.rate, config.limits.limiter)
        self.transfers = asyncio.Semaphore(config.limits.transfers)
        self.uploads: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        """One lock for each content on its way, so that a file wanted by many is uploaded once."""
        self.errors = (aiohttp.ClientError, TimeoutError, OSError)
        timeout = aiohttp.ClientTimeout(total=config.timeout, sock_connect=min(config.timeout, 15.0))
        # A transfer has no total: as long as bytes move, it may go on.
        transfer = aiohttp.ClientTimeout(total=None, sock_connect=15.0, sock_read=config.timeout)
        lasting = aiohttp.ClientTimeout(total=_STREAM * config.timeout, sock_connect=15.0, sock_read=config.timeout)
        headers = {
            "Authorization": Secret(f"Bearer {config.api_key}"),
            "Content-Type": "application/json",
            "User-Agent": f"a2e-async/{__version__}",
            # Some rows want it (avatar training), some take their default language from it, none minds (contract 1.2).
            "x-lang": "en-US",
        }
        self._owned: list[aiohttp.ClientSession] = []
        self.call: _Options = {"timeout": timeout, "allow_redirects": False}
        """What every request to the service is made with."""
        if borrowed is None:
            self._api = self._open(aiohttp, config.limits.concurrency, headers)
            # Other hosts serve the files: nothing that is sent to them may carry the token.
            self._plain = self._open(aiohttp, config.limits.transfers, {"User-Agent": headers["User-Agent"]})
        else:
            self._api = self._plain = borrowed
            # A middleware of its owner's might send a paid request twice.
            self.call |= {"raise_for_status": False, "auto_decompress": True, "middlewares": (signing(headers),)}
        self.listen: _Options = {**self.call, "timeout": lasting}
        """What event streams are asked for with."""
        self.move: _Options = {"timeout": transfer, "raise_for_status": False, "max_redirects": _HOPS}
        """What files are moved with, besides a `Courier` as the only middleware."""

    @property
    def api(self) -> "aiohttp.ClientSession":
        """What calls the service; raises one of `errors` if it was closed while a request waited for its turn."""
        return _alive(self._api)

    @property
    def plain(self) -> "aiohttp.ClientSession":
        """What moves files; raises as `api` does."""
        return _alive(self._plain)

    def _open(self, lib: Any, limit: int, headers: dict[str, str]) -> "aiohttp.ClientSession":
        connector = lib.TCPConnector(limit=limit, keepalive_timeout=KEEPALIVE)
        session = lib.ClientSession(connector=connector, headers=headers, cookie_jar=lib.DummyCookieJar())
        self._owned.append(session)
        return cast("aiohttp.ClientSession", session)

    async def aclose(self) -> None:
        await surely(self._close())

    async def _close(self) -> None:
        for session in self._owned:
            await session.close()


def _alive(session: "aiohttp.ClientSession") -> "aiohttp.ClientSession":
    if session.closed:
        raise ClosedError
    return session
