"""Files are known by their bytes."""

import pytest

from a2e_async.sandbox.sniff import Kind, sniff


def box(name: bytes, body: bytes = b"", *, wide: bool = False, size: int | None = None) -> bytes:
    length = len(body) + (16 if wide else 8) if size is None else size
    head = (1).to_bytes(4, "big") + name + length.to_bytes(8, "big") if wide else length.to_bytes(4, "big") + name
    return head + body


def movie(seconds: int, version: int = 0) -> bytes:
    width = 8 if version else 4
    dates = bytes(2 * width)
    body = bytes([version, 0, 0, 0]) + dates + (600).to_bytes(4, "big") + (600 * seconds).to_bytes(width, "big")
    return box(b"moov", box(b"mvhd", body))


def chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body


def track(handler: bytes) -> bytes:
    return box(b"moov", box(b"trak", box(b"hdlr", bytes(8) + handler)))


HEAD = box(b"ftyp", b"isom0000")
WAVE = b"RIFF0000WAVE" + chunk(b"fmt ", bytes(8) + (16_000).to_bytes(4, "little") + bytes(4))


@pytest.mark.parametrize(
    ("body", "mime", "seconds"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg", None),
        (b"\x89PNG\r\n\x1a\n", "image/png", None),
        (b"GIF89a", "image/gif", None),
        (b"RIFF0000WEBPVP8 ", "image/webp", None),
        (b"RIFF0000AVI ", "application/octet-stream", None),
        (b"", "application/octet-stream", None),
        (b"\x1aE\xdf\xa3", "video/webm", 5),
        (box(b"ftyp", b"qt  0000") + movie(7), "video/quicktime", 7),
        (HEAD + box(b"mdat", b"x" * 99, wide=True) + movie(12), "video/mp4", 12),
        (HEAD + movie(2, version=1), "video/mp4", 2),
        (HEAD + movie(0), "video/mp4", 1),
        (HEAD + box(b"moov", box(b"trak")), "video/mp4", 5),
        (HEAD + box(b"mdat", size=0), "video/mp4", 5),
        (HEAD + box(b"mdat", wide=True, size=0), "video/mp4", 5),
        (HEAD + track(b"vide") + movie(3), "video/mp4", 5),
        (HEAD + track(b"soun"), "audio/mp4", 5),
        (box(b"ftyp", b"M4A 0000") + movie(3), "audio/mp4", 3),
        (b"OggS", "audio/ogg", 5),
        (b"fLaC", "audio/flac", 5),
        (b"RIFF0000WAVE", "audio/wav", 5),
        (WAVE + chunk(b"data", bytes(48_000)), "audio/wav", 3),
        (WAVE + chunk(b"LIST", b"odd") + b"\0" + chunk(b"data", bytes(16_000)), "audio/wav", 1),
        (WAVE + b"data\xff\xff\xff\xff" + bytes(32_000), "audio/wav", 2),
        (b"\xff\xfb\x90\x00" + bytes(128_000 // 8 * 4), "audio/mpeg", 4),
        (b"\xff\xf3\x80\x00" + bytes(64_000 // 8 * 2), "audio/mpeg", 2),
        (b"ID3\x04\0\0\0\0\x01\x00" + bytes(128) + b"\xff\xfb\x90\x00" + bytes(16_000), "audio/mpeg", 1),
        (b"ID3\x04\0\0\0\0\0\0", "audio/mpeg", 5),
        (b"\xff\xfb\xf0\x00", "audio/mpeg", 5),
        (b"\xff", "application/octet-stream", None),
    ],
)
def test_kinds(tmp_path, body, mime, seconds):
    path = tmp_path / "file"
    path.write_bytes(body)
    assert sniff(path) == Kind(mime, seconds)
