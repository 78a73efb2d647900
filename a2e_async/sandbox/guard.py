"""Who is answered at all: no page of another site drives the sandbox through the browser of its visitor."""

from aiohttp import web
from yarl import URL

from a2e_async.sandbox.downloads import STORAGE
from a2e_async.sandbox.reach import is_loopback
from a2e_async.sandbox.wire import Refusal

_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})


def check(request: web.BaseRequest, *, local: bool) -> None:
    """Refuse a request that a browser sends for another site, one with odd headers and, if `local`, an odd Host."""
    if not all(value.isascii() for _, value in request.raw_headers):
        raise Refusal("headers must be ASCII")
    if local and not _names_loopback(request.host):
        # A page of another site could otherwise reach this server through a name it resolves to loopback.
        raise Refusal("the Host header must name this machine", status=403)
    # A signed URL is its own permission, and storage takes uploads from pages of any site.
    if request.method not in _HARMLESS and not request.path.startswith(STORAGE) and from_elsewhere(request):
        raise Refusal("a page of another site must not change anything here", status=403)


def from_elsewhere(request: web.BaseRequest) -> bool:
    """Tell whether a page of another origin sent this; another port of this machine is another origin, too."""
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    if site is not None:
        return site not in {"same-origin", "none"}
    return origin is not None and origin.partition("://")[2] != request.host


def _names_loopback(authority: str) -> bool:
    try:
        return is_loopback(URL(f"//{authority}").host or "")
    except ValueError:
        return False
