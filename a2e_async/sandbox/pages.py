"""The dashboard's own files, and the headers that keep what they show from doing anything."""

from functools import cache
from pathlib import Path

from aiohttp import web

from a2e_async.sandbox.wire import FileAnswer

_FOLDER = Path(__file__).with_name("dashboard")
_TYPES = {".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".svg": "image/svg+xml"}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def dashboard(path: str) -> web.StreamResponse | None:
    """Return the file behind a URL path, if it is one of the dashboard's."""
    file = _files().get(path)
    if not file:
        return None
    return FileAnswer(file, {**_HEADERS, "Content-Type": f"{_TYPES[file.suffix]}; charset=utf-8"})


@cache
def _files() -> dict[str, Path]:
    files = {f"/sandbox/dashboard/{file.name}": file for file in _FOLDER.iterdir() if file.suffix in _TYPES}
    return {**files, "/": _FOLDER / "index.html"}
