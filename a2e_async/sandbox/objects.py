"""Files the sandbox stores and serves: uploads, stored copies, samples, signed and unsigned URLs."""

import hmac
import os
import re
import tempfile
from hashlib import md5
from pathlib import Path
from uuid import uuid4

import msgspec
from aiohttp import StreamReader
from yarl import URL

from a2e_async.sandbox.store import Store

UPLOAD_LIMIT = 512 * 1024 * 1024
SAMPLES = Path(__file__).with_name("samples")
SAMPLE_PATH = "/sandbox/samples/"
_SAMPLE_TYPES = {"face.jpg": "image/jpeg", "clip.mp4": "video/mp4"}
_OWNER = re.compile(r"/user/([0-9a-f]{24})/")


class Found(msgspec.Struct, frozen=True):
    """A file to serve, and the MIME type to serve it with."""

    path: Path
    mime: str
    how: str = "stored"


class TooLargeError(Exception):
    """A stream held more bytes than allowed."""


class Objects:
    """An object store in a directory: paths are those of the URLs, names on disk the sandbox's own."""

    def __init__(self, store: Store, root: Path) -> None:
        self.root = root
        self._store = store
        self._secret = store.meta("secret", os.urandom(32))
        # Other users of this machine are to read neither uploads nor results.
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("objects", "inputs", "results"):
            (root / name).mkdir(exist_ok=True)

    def find(self, path: str) -> Found | None:
        """Return what is served below /cdn/ or /sandbox/samples/ at a decoded URL path."""
        if path.startswith(SAMPLE_PATH):
            name = path.removeprefix(SAMPLE_PATH)
            return Found(SAMPLES / name, _SAMPLE_TYPES[name], "sample") if name in _SAMPLE_TYPES else None
        row = self._store.row("SELECT file, mime FROM objects WHERE path = ?", path)
        if not row:
            return None
        file, mime = msgspec.convert(row, tuple[str, str])
        return Found(self.root / "objects" / file, mime)

    def keep(self, path: str, file: Path, mime: str) -> None:
        """Take a finished file of the same directory tree over and serve it at a URL path."""
        name = uuid4().hex
        file.replace(self.root / "objects" / name)
        # An older file stays: an answer may be half way through it.
        self._store.change("INSERT OR REPLACE INTO objects VALUES (?, ?, ?)", path, name, mime)

    def sign(self, url: URL, **claims: str | int) -> URL:
        """Return the URL with its claims and a signature in the query."""
        texts = {name: str(value) for name, value in claims.items()}
        return url.with_query({**texts, "sig": self.signature(url.path, texts)})

    def claims(self, url: URL) -> dict[str, str] | None:
        """Return the claims of a URL, or None unless path and query are as they were signed."""
        claims = dict(url.query)
        signature = claims.pop("sig", "")
        matches = hmac.compare_digest(signature.encode(), self.signature(url.path, claims).encode())
        # A name given twice would be signed as one value and could be read as the other, a line break as one more name.
        plain = len(url.query) == len(claims) + 1 and not any("\n" in value for value in claims.values())
        return claims if matches and plain else None

    def signature(self, path: str, claims: dict[str, str]) -> str:
        """Return what proves that a decoded URL path was signed with these claims."""
        text = "\n".join([path, *(f"{name}={claims[name]}" for name in sorted(claims))])
        return hmac.digest(self._secret, text.encode(), "sha256").hex()

    def scratch(self, suffix: str = "") -> Path:
        """Return a fresh name for a file that is not finished."""
        return self.root / f"{uuid4().hex}.part{suffix}"


def owner_id(path: str) -> str | None:
    """Return the user id that an object's URL path holds."""
    held = _OWNER.search(path)
    return held[1] if held else None


async def receive(stream: StreamReader, target: Path, limit: int = UPLOAD_LIMIT) -> str:
    """Write a stream to a file and return its MD5; no file is left on errors, TooLargeError among them."""
    # Written where it is read: a hop to a thread costs more than what the page cache takes for a chunk.
    digest, size = md5(usedforsecurity=False), 0
    try:
        with target.open("wb") as file:
            async for chunk in stream.iter_chunked(1 << 18):
                size += len(chunk)
                if size > limit:
                    raise TooLargeError
                digest.update(chunk)
                file.write(chunk)
    except BaseException:
        target.unlink(missing_ok=True)  # noqa: ASYNC240
        raise
    return digest.hexdigest()


def work_directory(db: str | Path) -> tuple[Path, tempfile.TemporaryDirectory[str] | None]:
    """Return where files go: beside a database file, else a temporary directory to be cleaned up."""
    if str(db) != ":memory:":
        return Path(f"{db}.files"), None
    temporary = tempfile.TemporaryDirectory(prefix="a2e-sandbox-", ignore_cleanup_errors=True)
    return Path(temporary.name), temporary
