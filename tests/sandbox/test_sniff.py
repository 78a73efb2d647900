"""Files are known by their bytes."""

import pytest

from a2e_async.sandbox.sniff import Kind, sniff


def box(name: bytes, body: bytes = b"", *, wide: bool = False, size: int | None = None) -> bytes:
    length = len(body) + (16 if wide else 8) if size is None else size
    head = (
        (1).to_bytes(4, "big") + name + length.to_bytes(8, "big")
        if wide
        else length.to_bytes(4, "big") + name
    )
    return head + body


def movie(seconds: int, version: int = 0) -> bytes:
    width = 8 if version else 4
    dates = bytes(2 * width)
    body = (
        bytes([version, 0, 0, 0]) + dates + (600).to_bytes(4, "big") + (600 * seconds).to_bytes(width, "big")
    )
    return box(b"moov", box(b"mvhd", body))


HEAD = box(b"ftyp", b"isom0000")


@pytest.mark.parametrize(
    ("body", "mime", "seconds"),
    [
        (b"\xff\xd8\xff\xe0", "image/jpeg", None),
        (b"\x89PNG\r\n\x1a\n", "image/png", None),
        (b"GIF89a", "image/gif", None),
        (b"RIFF0000WEBPVP8 ", "image/webp", None),
        (b"RIFF0000WAVEfmt ", "application/octet-stream", None),
        (b"", "application/octet-stream", None),
        (b"\x1aE\xdf\xa3", "video/webm", 5),
        (box(b"ftyp", b"qt  0000") + movie(7), "video/quicktime", 7),
        (HEAD + box(b"mdat", b"x" * 99, wide=True) + movie(12), "video/mp4", 12),
        (HEAD + movie(2, version=1), "video/mp4", 2),
        (HEAD + movie(0), "video/mp4", 1),
        (HEAD + box(b"moov", box(b"trak")), "video/mp4", 5),
        (HEAD + box(b"mdat", size=0), "video/mp4", 5),
        (HEAD + box(b"mdat", wide=True, size=0), "video/mp4", 5),
    ],
)
def test_kinds(tmp_path, body, mime, seconds):
    path = tmp_path / "file"
    path.write_bytes(body)
    assert sniff(path) == Kind(mime, seconds)
