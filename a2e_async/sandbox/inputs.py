"""Input URLs, fetched and looked at as the service would before it charges a coin."""

from hashlib import sha256
from pathlib import Path

import aiohttp
import anyio.to_thread
import msgspec
from yarl import URL

from a2e_async.sandbox.downloads import DeniedError, Files
from a2e_async.sandbox.flight import SingleFlight
from a2e_async.sandbox.objects import Objects, TooLargeError, receive
from a2e_async.sandbox.reach import Reach, client, is_loopback, parsed
from a2e_async.sandbox.sniff import Kind, sniff
from a2e_async.sandbox.wire import Refusal

_NAMES = {
    "image": "a picture (JPEG, PNG, WebP, GIF)",
    "video": "a video (MP4, MOV, WebM, MKV)",
    "audio": "a sound (WAV, MP3, M4A, OGG, FLAC)",
}
_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=5)


class Input(msgspec.Struct, frozen=True):
    """An input on disk and what its bytes are."""

    path: Path
    kind: Kind


class Inputs:
    """Fetches each URL once and keeps it as long as the sandbox's files, whatever becomes of it elsewhere."""

    def __init__(self, files: Files, objects: Objects, reach: Reach) -> None:
        self._files, self._objects = files, objects
        self._reach: Reach = reach
        self._kinds: dict[Path, Kind] = {}
        self._flight: SingleFlight[Path] = SingleFlight()
        self._client: aiohttp.ClientSession | None = None

    async def check(self, url: str, field: str, own: str, families: tuple[str, ...] = ()) -> Input:
        """Return the input behind a URL; Refusal names the field, the URL and what is wrong with it.

        `own` is the authority (host:port) under which the caller sees this sandbox.
        """
        try:
            found = await self._load(url, own)
            if families and found.kind.family not in families:
                raise Refusal(f"is not {' or '.join(_NAMES[family] for family in families)}")
        except Refusal as refusal:
            raise Refusal(f"{field}: {url} {refusal.msg}") from None
        return found

    async def aclose(self) -> None:
        """Stop fetching."""
        await self._flight.aclose()
        if self._client:
            await self._client.close()

    async def _load(self, text: str, own: str) -> Input:
        path = await self._locate(text, own)
        if path not in self._kinds:
            self._kinds[path] = await anyio.to_thread.run_sync(sniff, path)
        return Input(path, self._kinds[path])

    async def _locate(self, text: str, own: str) -> Path:
        url = parsed(text)
        if url.authority == own:
            return await self._own(url)
        kept = self._objects.root / "inputs" / sha256(text.encode()).hexdigest()
        if kept in self._kinds or kept.exists():
            return kept
        if self._reach == "loopback" and not is_loopback(url.host or ""):
            raise Refusal('is not on this machine; the sandbox fetches from elsewhere only with fetch="any"')
        return await self._flight.run(text, lambda: self._fetch(url, kept))

    async def _own(self, url: URL) -> Path:
        # Past HTTP, so that the request log holds only what callers sent.
        try:
            return (await self._files.find(url)).path
        except DeniedError as denied:
            raise _http_error(denied.status) from None

    async def _fetch(self, url: URL, kept: Path) -> Path:
        if self._client is None:
            self._client = client(self._reach, _TIMEOUT)
        part = self._objects.scratch()
        try:
            async with self._client.get(url, allow_redirects=False) as response:
                if response.status != 200:
                    raise _http_error(response.status)
                await receive(response.content, part)
        except TooLargeError:
            raise Refusal("is too large") from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise Refusal(f"cannot be fetched: {str(error) or type(error).__name__}") from None
        return part.replace(kept)


def _http_error(status: int) -> Refusal:
    return Refusal("redirects" if 300 <= status < 400 else f"answers HTTP {status}")
