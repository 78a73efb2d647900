"""Result files of the sandbox: the caller's own input, labelled SANDBOX, with the face picture inset."""

# av's stubs leave **kwargs and Packet's type argument open, which pyright calls partially unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import os
import shutil
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from a2e_async.sandbox.clips import mark_clip
from a2e_async.sandbox.frames import (
    MediaError,
    bar_height,
    comment,
    first_frame,
    have_media,
    label_bar,
    load_picture,
    readable,
    replacing,
    video_stream,
)

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from a2e_async.sandbox.results import How

__all__ = [
    "Layout",
    "MediaError",
    "MediaInfo",
    "duration_seconds",
    "first_frame",
    "have_media",
    "layout",
    "probe",
    "render_face_swap",
    "replacing",
]

Box = tuple[int, int, int, int]


class Layout(NamedTuple):
    """Where the marks go, as (left, top, right, bottom) in pixels; `inset` lies inside its border."""

    bar: Box
    inset: Box
    border: int


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """What a complete decode found; `seconds` runs to the end of the last frame, `fps` is the average."""

    width: int
    height: int
    frames: int
    seconds: float
    fps: float
    has_audio: bool


def render_face_swap(face: Path, video: Path, out: Path, label: str) -> How:
    """Write a labelled H.264 MP4, or a JPEG if `video` is a picture, that no one takes for a model's work.

    An odd width or height loses its last column or row (yuv420p is even); a turned clip is written upright.
    Size, frame times and sound are otherwise kept. Blocks: call it in a thread. MediaError on a bad input.
    Without the `media` extra the bytes of `video` are copied unchanged, whatever they are.
    """
    with replacing(out) as part:
        if not have_media():
            shutil.copyfile(video, part)
            return "passthrough"
        portrait = load_picture(face)
        if portrait is None:
            raise MediaError(f"{face.name} is not a picture")
        still = load_picture(video)
        if still is None:
            mark_clip(video, part, label, lambda size: _strip(size, portrait, label))
        else:
            strip = _strip(still.size, portrait, label)
            still.paste(strip, (0, still.height - strip.height), strip)
            still.save(part, "JPEG", quality=90, comment=comment(label))
    return "rendered"


def probe(path: Path) -> MediaInfo:
    """Decode every frame of a video; MediaError if one cannot be decoded."""
    import av

    with readable(path), av.open(str(path)) as source:
        stream = video_stream(source, path)
        times = [frame.time or 0.0 for frame in source.decode(stream)]
        if not times:
            raise MediaError(f"{path.name} has no video frame")
        fps = float(stream.average_rate or 0)
        seconds = max(times) - min(times) + (1 / fps if fps else 0)
        return MediaInfo(stream.width, stream.height, len(times), seconds, fps, bool(source.streams.audio))


def duration_seconds(path: Path) -> float | None:
    """Length by the header of an MP4 or MOV file, read without av; None for anything else."""
    with path.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        moov = _box(file, b"moov", 0, end)
        mvhd = moov and _box(file, b"mvhd", *moov)
        if not mvhd:
            return None
        file.seek(mvhd[0])
        head = file.read(32)
    long = head[:1] == b"\x01"
    layout, unknown = (">20xIQ", 2**64 - 1) if long else (">12xII", 2**32 - 1)
    if len(head) < struct.calcsize(layout):
        return None
    scale, length = cast("tuple[int, int]", struct.unpack_from(layout, head))
    return length / scale if scale and length not in {0, unknown} else None


def _box(file: BinaryIO, kind: bytes, at: int, end: int) -> tuple[int, int] | None:
    """Start and end of the content of the first ISO box of a kind between two offsets."""
    while at + 8 <= end:
        file.seek(at)
        head = file.read(16)
        size, body = int.from_bytes(head[:4], "big"), at + 8
        if size == 1:
            size, body = int.from_bytes(head[8:], "big"), at + 16
        stop = at + size if size else end
        if stop < body:
            return None
        if head[4:8] == kind:
            return body, min(stop, end)
        at = stop
    return None


def layout(width: int, height: int) -> Layout:
    """Place the label bar along the bottom edge and the square inset at the right end above it."""
    bar = bar_height((width, height))
    border = max(1, height // 135)
    side = max(1, min(width // 3, height * 2 // 5, height - bar) - 3 * border)
    right, bottom = width - 2 * border, height - bar - border
    return Layout((0, height - bar, width, height), (right - side, bottom - side, right, bottom), border)


def _strip(size: tuple[int, int], face: Image, label: str) -> Image:
    """Bar and inset as one RGBA image as wide as the clip, to be laid on its lower edge."""
    from PIL import Image, ImageDraw, ImageOps

    bar, inset, border = layout(*size)
    top = max(0, inset[1] - border) & ~1  # even, or yuv420p chroma would sit half a pixel off
    strip = Image.new("RGBA", (size[0], size[1] - top))
    pen = ImageDraw.Draw(strip)
    frame = (inset[0] - border, inset[1] - border - top, inset[2] + border - 1, inset[3] + border - 1 - top)
    pen.rectangle(frame, fill="white")
    side = inset[2] - inset[0]
    strip.paste(ImageOps.fit(face, (side, side)), (inset[0], inset[1] - top))
    strip.paste(label_bar(size, label), (0, bar[1] - top))
    return strip
