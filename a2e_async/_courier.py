"""Files come from and go to hosts that a server names: what they get to see of us, and where none may lead us."""

import socket
from contextlib import suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from a2e_async.config import is_loopback
from a2e_async.errors import DecodeError

if TYPE_CHECKING:
    import aiohttp
    from yarl import URL

_CARRIED = frozenset({
    "accept", "accept-encoding", "connection", "content-length", "content-type", "host", "if-range", "range",
    "transfer-encoding", "user-agent",
})  # fmt: skip


class Courier:
    """Sees each request of a transfer off, redirects included: aiohttp calls it as the request's only middleware.

    What a lent session adds of its own stays here: its default headers, cookies, credentials. A service that is
    reached by https names no file that is not, and a public one none on a private network; DecodeError if it does.
    A URL that the user ``gave`` is the user's to judge, but what it redirects to is not.
    """

    def __init__(self, label: str, base_url: str, *, gave: str = "") -> None:
        self._label = label
        self._https = not gave and base_url.startswith("https:")
        self._inside = any(not is_public(urlsplit(url).hostname or "") for url in (base_url, gave) if url)

    async def __call__(
        self, request: "aiohttp.ClientRequest", handler: "aiohttp.ClientHandlerType"
    ) -> "aiohttp.ClientResponse":
        """Pass the request on, less what is nobody else's business."""
        self._admit(request.url)
        for name in {name for name in request.headers if name.lower() not in _CARRIED}:
            request.headers.popall(name)
        return await handler(request)

    def _admit(self, url: "URL") -> None:
        place = f"{url.scheme}://{url.host}"
        if self._https and url.scheme != "https":
            raise DecodeError(f"it leads to {place}, and so from https to what anybody may read.", endpoint=self._label)
        if not self._inside and not is_public(url.host or ""):
            raise DecodeError(f"it leads to {place}, which is no public address.", endpoint=self._label)
        self._https = url.scheme == "https"


def signing(headers: dict[str, str]) -> "aiohttp.ClientMiddlewareType":
    """Return a middleware that signs the requests of a lent session."""

    async def sign(request: "aiohttp.ClientRequest", handler: "aiohttp.ClientHandlerType") -> "aiohttp.ClientResponse":
        # After whatever a lent session adds by itself, so that its traces see no token and its netrc is no obstacle.
        request.headers.update(headers)
        return await handler(request)

    return sign


def is_public(host: str) -> bool:
    """Tell whether a host may be anywhere; a name may, whatever it resolves to, unless it means this machine."""
    if is_loopback(host):
        return False
    with suppress(OSError, UnicodeError):  # resolvers take 127.1, 0x7f000001 and 2130706433 for addresses, too
        host = socket.inet_ntoa(socket.inet_aton(host.removesuffix(".")))
    try:
        address = ip_address(host)
    except ValueError:
        return True
    return (getattr(address, "ipv4_mapped", None) or address).is_global
