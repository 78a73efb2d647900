"""What a file is, by its first bytes, and how long an MP4 runs: standard library only."""

from pathlib import Path
from typing import BinaryIO, NamedTuple

_PICTURES = ((b"\xff\xd8\xff", "image/jpeg"), (b"\x89PNG\r\n\x1a\n", "image/png"), (b"GIF8", "image/gif"))
_UNKNOWN_SECONDS = 5


class Kind(NamedTuple):
    """A MIME type; `seconds` is None for what does not run, and 5 where only decoding would tell."""

    mime: str
    seconds: int | None

    @property
    def family(self) -> str:
        """`image`, `video` or `application`."""
        return self.mime.partition("/")[0]


def sniff(path: Path) -> Kind:
    """Return the kind of a file by its bytes; application/octet-stream where unknown."""
    with path.open("rb") as file:
        head = file.read(16)
        for magic, mime in _PICTURES:
            if head.startswith(magic):
                return Kind(mime, None)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return Kind("image/webp", None)
        if head[:4] == b"\x1aE\xdf\xa3":
            return Kind("video/webm", _UNKNOWN_SECONDS)
        if head[4:8] == b"ftyp":
            mime = "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"
            return Kind(mime, _mp4_seconds(file))
    return Kind("application/octet-stream", None)


def _mp4_seconds(file: BinaryIO) -> int:
    end = file.seek(0, 2)
    moov = _find_box(file, 0, end, b"moov")
    header = moov and _find_box(file, *moov, b"mvhd")
    if not header:
        return _UNKNOWN_SECONDS
    file.seek(header[0])
    body = file.read(32)
    # Version 1 widens the two dates before the scale and the duration from 4 to 8 bytes.
    wide = body[:1] == b"\x01"
    at = 20 if wide else 12
    scale = int.from_bytes(body[at : at + 4], "big")
    length = int.from_bytes(body[at + 4 : at + (12 if wide else 8)], "big")
    return max(1, round(length / scale)) if scale else _UNKNOWN_SECONDS


def _find_box(file: BinaryIO, at: int, end: int, name: bytes) -> tuple[int, int] | None:
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size, start = int.from_bytes(head[:4], "big"), at + 8
        if size == 1:
            size, start = int.from_bytes(head[8:16], "big"), at + 16
        stop = at + size if size else end
        if head[4:8] == name:
            return start, min(stop, end)
        if stop <= at:
            return None
        at = stop
    return None
