"""Local files in, result files out: presigned uploads, and downloads that are whole or not there at all."""

import asyncio
import contextlib
import hashlib
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from a2e_async._answer import retry_after
from a2e_async._courier import Courier
from a2e_async._download import CHUNK, SLOWEST, Download, Progress
from a2e_async._download import LABEL as GET
from a2e_async._endpoint import Caller
from a2e_async._pool import Pool
from a2e_async._retry import next_pause, waits
from a2e_async._secret import hide
from a2e_async._sniff import HEAD, media_problem, media_type
from a2e_async._surely import opened, surely
from a2e_async._transport import Transport
from a2e_async._wire import ById, url_problem
from a2e_async.errors import A2EError, APIError, RequestError, TransportError
from a2e_async.groups.account import Account, UploadRequest
from a2e_async.tasks import Task, kind_of

if TYPE_CHECKING:
    import aiohttp

# The default bucket keeps uploads for three days (contract 1.5); a URL is handed out again for one.
REUSE = 86_400.0
REMEMBERED = 10_000
"""Uploads of which a session knows the URL at the most, the oldest forgotten first: some 3 MB."""
LARGEST = 4 << 30
"""Bytes of a result at the most, unless told otherwise."""
LABEL = "PUT upload"
UNSAFE = re.compile(
    r"""[<>:"/\\|?*\x00-\x1f]|^\.|[. ]$|^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\xb9\xb2\xb3])(\.|$)""",
    re.IGNORECASE,
)
"""What a name of a file must not have: it would mean another place, or a device of Windows."""
_STEP = 1 << 16
_LONGEST = 100


class LocalFile(NamedTuple):
    """A file that was looked into and found fit to be uploaded."""

    path: Path
    size: int
    mime: str
    digest: str


class _Body:
    """Reads the file from its start for each sending: aiohttp by itself repeats a PUT whose connection broke."""

    def __init__(self, file: anyio.AsyncFile[bytes], size: int, patience: float, on_progress: Progress | None) -> None:
        self._file, self._size, self._progress = file, size, on_progress
        self._patience, self._step = patience, min(_STEP, max(1, int(SLOWEST * patience)))
        self._limit = asyncio.timeout(None)

    def in_time(self) -> asyncio.Timeout:
        """Return what ends a sending that is slower than `SLOWEST`, or whose answer does not come."""
        self._limit = asyncio.timeout(self._patience)
        return self._limit

    async def __aiter__(self) -> AsyncIterator[bytes]:
        await self._file.seek(0)
        sent, limit = 0, self._limit
        # aiohttp gives up what still looks for more when the answer comes, and the connection with it.
        while sent < self._size and (chunk := await self._file.read(CHUNK)):
            for start in range(0, len(chunk), self._step):
                yield chunk[start : start + self._step]
                with contextlib.suppress(RuntimeError):  # it is over, or was answered before it was read
                    limit.reschedule(asyncio.get_running_loop().time() + self._patience)
            sent += len(chunk)
            if self._progress:
                self._progress(sent, self._size)


class Files:
    """Uploads local files and saves results. Transfers carry no token."""

    def __init__(self, caller: Caller, transport: Transport) -> None:
        self._caller, self._transport = caller, transport
        self._known: dict[str, tuple[str, float, float]] = {}

    async def upload(
        self,
        path: str | os.PathLike[str],
        *,
        accept: Sequence[str] = ("picture", "video", "audio"),
        field: str = "path",
        on_progress: Progress | None = None,
    ) -> str:
        """Upload a file and return its public URL, valid for about three days.

        The same content is uploaded once a day and session, however often it is asked for, as long as not more than
        10,000 others came since. ``accept`` lists ``picture``, ``video`` and ``audio``; what the file is not raises
        `RequestError` naming ``field``. The service prices presigned uploads (contract 1.6).
        """
        return await self.send(await self.inspect(path, accept=accept, field=field), on_progress)

    async def inspect(
        self,
        path: str | os.PathLike[str],
        *,
        accept: Sequence[str] = ("picture", "video", "audio"),
        field: str = "path",
    ) -> LocalFile:
        """Look into a file without sending it; raise `RequestError` for what `upload` would refuse."""
        return await anyio.to_thread.run_sync(_inspect, Path(path), tuple(accept), field)

    async def send(self, local: LocalFile, on_progress: Progress | None = None) -> str:
        """Upload an inspected file, unless its content was, and return its public URL."""
        pool = self._transport.pool()
        async with pool.uploads.setdefault(local.digest, asyncio.Lock()):
            url, until, day = self._known.get(local.digest, ("", 0.0, 0.0))
            # A clock that stands still while the machine sleeps knows nothing of the day on which the URL expires.
            if time.monotonic() >= until or time.time() >= day:
                async with pool.transfers:
                    with self._transport.teller.transfer("upload", on_progress, size=local.size) as progress:
                        url = await self._put(pool, local, progress)
                self._known.pop(local.digest, None)
                self._known[local.digest] = (url, time.monotonic() + REUSE, time.time() + REUSE)
                if len(self._known) > REMEMBERED:
                    del self._known[next(iter(self._known))]
        return url

    async def _put(self, pool: Pool, local: LocalFile, progress: Progress | None) -> str:
        key = f"{local.digest[:32]}{local.path.suffix.lower()}"
        request = UploadRequest(key=key, content_type=local.mime, file_size=local.size)
        slot = await self._caller.call(Account.upload_url, request)
        async with opened(local.path, "rb") as file:
            body = _Body(file, local.size, self._transport.config.timeout, progress)
            await self._put_bytes(pool, slot.upload_url, local, body)
        return slot.cdn_url or f"https://{slot.bucket}.ai2everyone.com/{slot.key}"

    async def _put_bytes(self, pool: Pool, url: str, local: LocalFile, body: _Body) -> None:
        headers = {"Content-Type": local.mime, "Content-Length": str(local.size)}
        pauses = waits(self._transport.config.retry)
        courier = Courier(LABEL, self._transport.config.base_url)
        options: dict[str, Any] = {"headers": headers, "middlewares": (courier,), "allow_redirects": False, **pool.move}
        while True:
            asked = None
            try:
                async with body.in_time(), pool.plain.put(url, data=body, **options) as response:
                    asked = retry_after(response.headers.get("Retry-After", ""))
                    failure = await _refusal(response, local.path.name)
            except pool.errors as error:
                failure = self._transport.translate(LABEL, error)
                failure.__cause__ = hide(error)
            if failure is None:
                return
            pause = next_pause(pauses, self._transport.config.retry, asked)
            if pause is None or not isinstance(failure, TransportError):
                raise failure
            await asyncio.sleep(pause)

    async def save(
        self,
        source: Task | str,
        to: str | os.PathLike[str],
        *,
        max_bytes: int = LARGEST,
        on_progress: Progress | None = None,
    ) -> Path:
        """Download a finished task's result, or any URL, and return where it lies.

        ``to`` is a file, or a directory that exists. The file appears when it is complete, in one step; a broken
        download is continued, an expired URL is renewed once from its task. Above ``max_bytes`` (4 GiB) it is given
        up. Only its owner may read the file, and folders made for it, where the system knows such permissions.

        Raises `DecodeError` also where a task's result, or a redirect, leads from https to http, or from a public
        service into a private network; OSError where the disk has no room for it.
        """
        url = result_url(source)
        target = await anyio.to_thread.run_sync(_target, Path(to), source, url)
        return await self._fetch(source, 0, url, target, max_bytes, on_progress)

    async def save_all(
        self,
        task: Task,
        to: str | os.PathLike[str],
        *,
        max_bytes: int = LARGEST,
        on_progress: Progress | None = None,
    ) -> list[Path]:
        """Download all results of a finished task, as `save` does one, and return where they lie.

        The second and further ones get ``-2``, ``-3`` and so on before the suffix. The first appears last: where it
        is, all are. ``max_bytes`` is for each; ``on_progress`` begins anew with each.
        """
        urls = [result_url(task, place) for place in range(len(task.result_urls) or 1)]
        first = await anyio.to_thread.run_sync(_target, Path(to), task, urls[0])
        targets = [first, *(first.with_stem(f"{first.stem}-{number}") for number in range(2, len(urls) + 1))]
        for place in reversed(range(len(urls))):
            await self._fetch(task, place, urls[place], targets[place], max_bytes, on_progress)
        return targets

    async def _fetch(  # noqa: PLR0913, PLR0917 - what is downloaded, whereto, and how
        self,
        source: Task | str,
        place: int,
        url: str,
        target: Path,
        max_bytes: int,
        on_progress: Progress | None,
    ) -> Path:
        await anyio.to_thread.run_sync(_make, target.parent)
        part = target.with_name(f".{target.name[:40]}.{secrets.token_hex(8)}.part")
        pool = self._transport.pool()
        gave, task_id = (source, "") if isinstance(source, str) else ("", source.id)
        courier = Courier(GET, self._transport.config.base_url, gave=gave)
        telling = self._transport.teller.transfer("download", on_progress, task_id=task_id)
        try:
            async with pool.transfers:
                with telling as progress:
                    download = Download(self._transport, pool, courier, part, max_bytes=max_bytes, progress=progress)
                    await download.run(url, self._renewal(source, place))
            await surely(anyio.Path(part).replace(target))
        finally:
            await surely(anyio.Path(part).unlink(missing_ok=True))
        return target

    def _renewal(self, source: Task | str, place: int) -> Callable[[], Awaitable[str]] | None:
        if isinstance(source, str) or (detail := kind_of(source).detail) is None:
            return None

        async def renew() -> str:
            task = await self._caller.call(detail, ById(id=source.id))
            return result_url(task, place)

        return renew


def _inspect(path: Path, accept: tuple[str, ...], field: str) -> LocalFile:
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
    except (OSError, ValueError) as error:  # ValueError: no path that a system takes
        raise RequestError(
            f"{path} cannot be read ({getattr(error, 'strerror', None) or error}).", field=field
        ) from error
    if not size:
        raise RequestError(f"{path} is empty.", field=field)
    if problem := media_problem(head, accept):
        raise RequestError(f"{path} {problem}.", field=field)
    return LocalFile(path, size, media_type(head), digest)


async def _refusal(response: "aiohttp.ClientResponse", name: str) -> A2EError | None:
    # A store answers an upload without a page: what sends one stands on the way, and has kept nothing.
    page = response.status < 300 and response.content_type == "text/html"
    if response.status < 300 and not page:
        return None
    if page or response.status == 429 or response.status >= 500:
        text = f"{name} was not taken: HTTP {response.status}, {response.content_type}."
        return TransportError(text, endpoint=LABEL)
    text = (await response.content.read(400)).decode("utf-8", "replace")
    return APIError(f"the storage refused {name}: {text}", http_status=response.status, endpoint=LABEL)


def result_url(source: Task | str, place: int = 0) -> str:
    """Return the URL to download from; raise RequestError for a task without a result."""
    url = source if isinstance(source, str) else next(iter(source.result_urls[place:]), "")
    if not url and not isinstance(source, str):
        raise RequestError(f"task {source.id} is {source.state} and has no result yet: watch it to the end first.")
    if problem := url_problem(url, local=False):
        raise RequestError(problem, field="result_url")
    return url


def _target(to: Path, source: Task | str, url: str) -> Path:
    if not to.is_dir():
        return to
    # A name that a server gave must not choose a directory of its own.
    name = PurePosixPath(urlsplit(url).path)
    stem = name.stem if isinstance(source, str) else source.id
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", stem[:_LONGEST]) or "result"
    suffix = name.suffix if re.fullmatch(r"\.[A-Za-z0-9]{1,8}", name.suffix) else ""
    return to / f"{'_' * bool(UNSAFE.search(safe))}{safe}{suffix}"


def _make(folder: Path) -> None:
    if not folder.is_dir():
        _make(folder.parent)
        folder.mkdir(0o700, exist_ok=True)
