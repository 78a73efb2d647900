"""Tells pictures, videos and sound by their first bytes: a wrong file is refused before it costs anything."""

from collections.abc import Sequence

HEAD = 32
_STARTS = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
    b"\x1aE\xdf\xa3": "video/webm",
    b"\x00\x00\x01\xba": "video/mpeg",
    b"FLV\x01": "video/x-flv",
    b"ID3": "audio/mpeg",
    b"\xff\xfb": "audio/mpeg",
    b"\xff\xf3": "audio/mpeg",
    b"\xff\xf2": "audio/mpeg",
    b"\xff\xf1": "audio/aac",
    b"OggS": "audio/ogg",
    b"fLaC": "audio/flac",
}
_RIFF = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}
_BRANDS = {
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"avif": "image/avif",
    b"heic": "image/heic",
    b"mif1": "image/heif",
}
_WANTED = {
    "picture": "a picture (JPEG, PNG, WebP)",
    "video": "a video (MP4, MOV, WebM)",
    "audio": "a recording (WAV, MP3, M4A, OGG, FLAC)",
}
_FAMILIES = {"image": "picture", "video": "video", "audio": "audio"}


def media_type(head: bytes) -> str:
    """Return the MIME type of a picture, video or recording, or '' for anything else."""
    if head[:4] == b"RIFF":
        return _RIFF.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    return next((mime for start, mime in _STARTS.items() if head.startswith(start)), "")


def media_problem(head: bytes, accepted: Sequence[str]) -> str:
    """Say why these first bytes are none of the accepted media ('' where they are)."""
    mime = media_type(head)
    if _FAMILIES.get(mime.partition("/")[0]) in accepted:
        return ""
    wanted = " or ".join(_WANTED[kind] for kind in accepted)
    return f"is {mime or 'no media that is known here'}, but {wanted} is needed"
