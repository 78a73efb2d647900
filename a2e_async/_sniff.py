"""Tells pictures from videos by their first bytes, so that a wrong file is refused before it costs anything."""

from collections.abc import Sequence

HEAD = 32
_PICTURES = {
    b"\xff\xd8\xff": "image/jpeg",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}
_VIDEOS = {b"\x1aE\xdf\xa3": "video/webm", b"\x00\x00\x01\xba": "video/mpeg", b"FLV\x01": "video/x-flv"}
_BRANDS = {b"qt  ": "video/quicktime", b"avif": "image/avif", b"heic": "image/heic", b"mif1": "image/heif"}


def media_type(head: bytes) -> str:
    """Return the MIME type of a picture or video, or '' for anything else."""
    for marks in (_PICTURES, _VIDEOS):
        for mark, mime in marks.items():
            if head.startswith(mark):
                return mime
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo"}.get(head[8:12], "")
    if head[4:8] == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    return ""


def media_problem(head: bytes, accepted: Sequence[str]) -> str:
    """Say why these first bytes are none of the accepted media ('' where they are)."""
    mime = media_type(head)
    family = {"image": "picture", "video": "video"}.get(mime.partition("/")[0], "")
    if family in accepted:
        return ""
    wanted = " or ".join(
        {"picture": "a picture (JPEG, PNG, WebP)", "video": "a video (MP4, MOV, WebM)"}[a] for a in accepted
    )
    return f"is {mime or 'neither picture nor video'}, but {wanted} is needed"
