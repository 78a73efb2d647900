"""What the four apps share: the files of the page, a sandbox where there is no key, and one swap for each form."""

import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import a2e_async.sandbox
from a2e_async import FACE_SWAP, A2ESession, RequestError, SubmissionUncertainError
from a2e_async.sandbox import sandbox_thread

PAGE, SAMPLES = Path(__file__).parent / "page", Path(a2e_async.sandbox.__path__[0], "samples")
FILES = {path.name: path for path in [*PAGE.iterdir(), SAMPLES / "face.jpg", SAMPLES / "clip.mp4"]}
"""Everything that the page loads, by name."""
LARGEST = int(re.findall(r'data-largest="(\d+)"', FILES["page.html"].read_text(encoding="utf-8"))[0])
"""Bytes of a form at the most; the page knows it, too."""
REMEMBERED = 10_000
"""Forms at the most, the oldest forgotten first: a swap that is as old is in the service's records."""
PORT = int(os.environ.get("PORT", "8000"))
KEY = "Idempotency-Key"
"""Header with the number of a form. No page of another site can send it, so none starts a swap here."""

Message = MutableMapping[str, Any]
App = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


class Upload(NamedTuple):
    """A received file, as most frameworks hand it over: its name in the browser, and what was in it."""

    filename: str
    file: BinaryIO


@contextmanager
def service() -> Iterator[None]:
    """Lend a sandbox to an app that was started with neither A2E_API_KEY nor A2E_BASE_URL."""
    print(f"Open http://127.0.0.1:{PORT}/", flush=True)
    if "A2E_API_KEY" in os.environ or "A2E_BASE_URL" in os.environ:
        yield
        return
    # On disk, so that a swap that was under way goes on when the app is started again.
    kept = Path.home() / ".cache" / "a2e-examples" / Path(sys.argv[0]).stem
    kept.mkdir(parents=True, exist_ok=True)
    with sandbox_thread(db=kept / "sandbox.sqlite", clock="scaled:3") as sandbox:
        print(f"A2E_API_KEY is not set: a sandbox of its own, {sandbox.url}, does the work.", flush=True)
        os.environ.update(A2E_API_KEY="sk_example", A2E_BASE_URL=sandbox.url)
        yield


class Swaps:
    """Starts one swap for each form, however often it comes: by a double click, or again after a lost answer."""

    def __init__(self) -> None:
        self._started: dict[str, asyncio.Task[str]] = {}

    async def start(self, a2e: A2ESession, form: str, face: Upload | None, clip: Upload | None) -> str:
        """Return the id of a form's task; a form without files only asks for it. `RequestError` for what is wrong."""
        if not re.fullmatch(r"[0-9a-z]{16,40}", form):
            raise RequestError("must be 16 to 40 small letters and digits.", field=KEY)
        before = self._started.get(form)
        if before is None or (before.done() and before.exception()):
            doubt = before and before.exception()
            self._started[form] = asyncio.create_task(self._start(a2e, form, face, clip, doubt))
            if len(self._started) > REMEMBERED:
                del self._started[next(iter(self._started))]
        # A browser that goes away does not take it along: nobody would know whether it was paid for.
        return await asyncio.shield(self._started[form])

    async def _start(
        self, a2e: A2ESession, form: str, face: Upload | None, clip: Upload | None, doubt: BaseException | None
    ) -> str:
        # Each swap is named after its form, so that it is found even when this process knows nothing of it.
        for swap in (await a2e.face_swap.tasks.records()).items:
            if swap.name.startswith(f"{form} "):
                return swap.id
        if isinstance(doubt, SubmissionUncertainError):
            raise doubt  # it may still turn up
        if not all(getattr(upload, "filename", "") for upload in (face, clip)):
            raise RequestError("nothing was started, and nothing was paid: choose a face and a clip.")
        with tempfile.TemporaryDirectory(prefix="a2e-upload-") as folder:
            face_path = await asyncio.to_thread(_keep, face, Path(folder, "face"))
            clip_path = await asyncio.to_thread(_keep, clip, Path(folder, "clip"))
            name = f"{form} {clip.filename}"[:100]
            request = FACE_SWAP.start.request(name=name, face_url=face_path, video_url=clip_path)
            prepared = await a2e.prepare(FACE_SWAP.start, request)
        return (await a2e.call(FACE_SWAP.start, prepared)).id


def _keep(upload: Upload, stem: Path) -> Path:
    suffix = Path(upload.filename).suffix.lower()
    path = stem.with_suffix(suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else "")
    with path.open("wb") as kept:
        shutil.copyfileobj(upload.file, kept)
    return path


TOO_LARGE = {"title": "Too large", "status": 413, "detail": f"Face and clip may have {LARGEST:,} bytes together."}


def bounded(app: App) -> App:
    """Refuse a POST of unknown or too great a length before it is read: frameworks put all of it on the disk."""

    async def answer(scope: Message, receive: Any, send: Any) -> None:
        length = dict(scope.get("headers", ())).get(b"content-length", b"")
        if scope["type"] != "http" or scope["method"] != "POST" or (length.isdigit() and int(length) <= LARGEST):
            await app(scope, receive, send)
            return
        headers = [(b"content-type", b"application/problem+json")]
        await send({"type": "http.response.start", "status": 413, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps(TOO_LARGE).encode()})

    return answer
