"""What a file is, by its first bytes, and how long an MP4, WAV or MP3 runs: standard library only."""

from pathlib import Path
from typing import BinaryIO, NamedTuple

_UNKNOWN_SECONDS = 5
_KILOBITS = {
    3: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 0),
    2: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0),
}
"""Rates of MP3 by the version bits of a frame's header: 3 is MPEG-1, 2 and 0 are MPEG-2 and 2.5."""


class Kind(NamedTuple):
    """A MIME type; `seconds` is None for what does not run, and 5 where only decoding would tell."""

    mime: str
    seconds: int | None

    @property
    def family(self) -> str:
        """`image`, `video`, `audio` or `application`."""
        return self.mime.partition("/")[0]


_MAGIC = {
    b"\xff\xd8\xff": Kind("image/jpeg", None),
    b"\x89PNG\r\n\x1a\n": Kind("image/png", None),
    b"GIF8": Kind("image/gif", None),
    b"\x1aE\xdf\xa3": Kind("video/webm", _UNKNOWN_SECONDS),
    b"OggS": Kind("audio/ogg", _UNKNOWN_SECONDS),
    b"fLaC": Kind("audio/flac", _UNKNOWN_SECONDS),
}


def sniff(path: Path) -> Kind:
    """Return the kind of a file by its bytes; application/octet-stream where unknown."""
    with path.open("rb") as file:
        head = file.read(16)
        for magic, kind in _MAGIC.items():
            if head.startswith(magic):
                return kind
        if head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] and head[1] & 0xE6 == 0xE2):
            return Kind("audio/mpeg", _mp3_seconds(file, head))
        if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
            return Kind("audio/wav", _wav_seconds(file))
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return Kind("image/webp", None)
        if head[4:8] == b"ftyp":
            mime = "video/quicktime" if head[8:12] == b"qt  " else "video/mp4"
            return Kind("audio/mp4" if _is_sound(file, head) else mime, _mp4_seconds(file))
    return Kind("application/octet-stream", None)


def _is_sound(file: BinaryIO, head: bytes) -> bool:
    moov = _find_box(file, 0, file.seek(0, 2), b"moov")
    if head[8:12] == b"M4A " or not moov:
        return head[8:12] == b"M4A "
    file.seek(moov[0])
    tracks = file.read(moov[1] - moov[0])
    return b"soun" in tracks and b"vide" not in tracks


def _wav_seconds(file: BinaryIO) -> int:
    end, at, rate = file.seek(0, 2), 12, 0
    while at + 8 <= end:
        file.seek(at)
        head = file.read(24)
        size = int.from_bytes(head[4:8], "little")
        if head[:4] == b"fmt ":
            rate = int.from_bytes(head[16:20], "little")
        if head[:4] == b"data" and rate:
            # Writers that stream leave the largest number where the size should be.
            return max(1, round(min(size, end - at - 8) / rate))
        at += 8 + size + size % 2
    return _UNKNOWN_SECONDS


def _mp3_seconds(file: BinaryIO, head: bytes) -> int:
    start = 0
    if head[:3] == b"ID3":
        start = 10 + sum(digit << shift for digit, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
        file.seek(start)
        head = file.read(4)
    if len(head) < 4 or head[0] != 0xFF:
        return _UNKNOWN_SECONDS
    version = head[1] >> 3 & 3
    rate = _KILOBITS[3 if version == 3 else 2][head[2] >> 4]
    return max(1, round((file.seek(0, 2) - start) / (rate * 125))) if rate else _UNKNOWN_SECONDS


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
