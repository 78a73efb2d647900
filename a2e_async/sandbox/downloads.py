"""The file side of the server, which takes no token: results, stored objects, samples, and signed PUTs."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from aiohttp import web
from msgspec import structs
from yarl import URL

from a2e_async.sandbox.account import Account
from a2e_async.sandbox.objects import (
    SAMPLE_PATH,
    UPLOAD_LIMIT,
    Found,
    Objects,
    TooLargeError,
    owner_id,
    receive,
)
from a2e_async.sandbox.results import Results, task_id
from a2e_async.sandbox.sniff import sniff
from a2e_async.sandbox.wire import SEALED, FileAnswer, store_error
from a2e_async.sandbox.world import World

STORAGE = "/storage/"
PREFIXES = ("/results/", "/cdn/", SAMPLE_PATH, STORAGE)
_OPEN_TO_PAGES = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, PUT",
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Expose-Headers": "*",
    "Access-Control-Max-Age": "3600",
}
"""Browsers upload to the service's storage and show what lies there, whatever site their page is of."""


class DeniedError(Exception):
    """An object store's refusal: an HTTP status, a code word and a text."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class Files:
    """Serves and takes files by URL path."""

    def __init__(self, world: World, objects: Objects, results: Results) -> None:
        self._world, self._objects, self._results = world, objects, results

    def owner(self, path: str) -> Account | None:
        """Return the account a file belongs to; None for samples and for what does not exist."""
        if path.startswith("/results/"):
            found = self._world.task(task_id(PurePosixPath(path).stem))
            return found[0] if found else None
        user_id = owner_id(path)
        return self._world.owner(user_id) if user_id else None

    async def respond(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a GET, a HEAD, a signed PUT, or a browser that asks what a page may send."""
        response = web.Response(status=204) if request.method == "OPTIONS" else await self._answer(request)
        response.headers.update(_OPEN_TO_PAGES)
        return response

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            if request.path.startswith(STORAGE):
                return await self._put(request)
            if request.method not in {"GET", "HEAD"}:
                raise DeniedError(405, "MethodNotAllowed", "only GET and HEAD")
            found = await self.find(request.url)
        except DeniedError as denied:
            return store_error(denied.code, denied.message, status=denied.status)
        headers = {"Content-Type": found.mime, "X-A2E-Sandbox": found.how, **SEALED}
        return FileAnswer(found.path, headers)

    async def find(self, url: URL) -> Found:
        """Return the file behind a URL of this sandbox, or raise DeniedError."""
        found = await self._result(url) if url.path.startswith("/results/") else self._objects.find(url.path)
        if not found or not found.path.exists():
            raise DeniedError(404, "NoSuchKey", "there is no such object")
        return found

    async def _result(self, url: URL) -> Found:
        name = PurePosixPath(url.path).stem
        held = self._world.task(task_id(name))
        if not held:
            raise DeniedError(404, "NoSuchKey", "the task of this result is gone")
        account, task = held
        self._claims(url, account)
        try:
            path, how = await self._results.file(structs.replace(task, id=name))
        except (OSError, ValueError) as error:
            raise DeniedError(500, "InternalError", f"the result cannot be made: {error}") from None
        return Found(path, sniff(path).mime, how)

    async def _put(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method != "PUT":
            raise DeniedError(405, "MethodNotAllowed", "only PUT")
        mime = _allowed(request, self._claims(request.url, self.owner(request.path)))
        part = self._objects.scratch()
        try:
            etag = await receive(request.content, part)
        except TooLargeError:
            raise DeniedError(400, "EntityTooLarge", f"more than {UPLOAD_LIMIT} bytes") from None
        self._objects.keep(request.path.replace(STORAGE, "/cdn/", 1), part, mime)
        return web.Response(headers={"ETag": f'"{etag}"'})

    def _claims(self, url: URL, account: Account | None) -> dict[str, str]:
        claims = self._objects.claims(url)
        if claims is None or account is None:
            raise DeniedError(403, "SignatureDoesNotMatch", "the signature of this URL is wrong")
        if account.clock.now() >= int(claims["expires"]) * 1000:
            raise DeniedError(403, "AccessDenied", "this URL has expired")
        return claims


def _allowed(request: web.BaseRequest, claims: Mapping[str, str]) -> str:
    if "Authorization" in request.headers:
        raise DeniedError(403, "InvalidArgument", "a signed URL takes no Authorization header")
    mime = request.headers.get("Content-Type", "application/octet-stream")
    if claims.get("type") not in {None, mime}:
        raise DeniedError(403, "SignatureDoesNotMatch", f"Content-Type was signed as {claims['type']}")
    if request.content_length is None:
        raise DeniedError(411, "MissingContentLength", "a PUT needs a Content-Length")
    if claims.get("size") not in {None, str(request.content_length)}:
        raise DeniedError(403, "SignatureDoesNotMatch", f"Content-Length was signed as {claims['size']}")
    return mime
