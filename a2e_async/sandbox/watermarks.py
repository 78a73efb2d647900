"""A text or a picture drawn over a picture or a clip."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

from a2e_async.sandbox.clips import mark_clip
from a2e_async.sandbox.frames import (
    MediaError,
    bar_height,
    comment,
    have_media,
    label_bar,
    load_picture,
    replacing,
)

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from a2e_async.sandbox.frames import Size
    from a2e_async.sandbox.results import How


class Watermark(NamedTuple):
    """What to draw: `image` if there is one, else `text`; `font` in pixels, 0 for a twelfth of the height.

    `position` may hold top or bottom, and left or right; without a word it is in the bottom right corner.
    A picture takes the share `scale` of the width.
    """

    text: str
    image: Path | None
    font: int
    color: tuple[int, ...]
    position: str
    scale: float


def render_watermark(media: Path, out: Path, label: str, mark: Watermark) -> How:
    """Write a JPEG if `media` is a picture, else an MP4, with the mark on it and the label below.

    Blocks; MediaError on a bad input. Without the `media` extra the bytes are copied unchanged.
    """
    with replacing(out) as part:
        if not have_media():
            shutil.copyfile(media, part)
            return "passthrough"
        image = load_picture(mark.image) if mark.image else None
        if mark.image and image is None:
            raise MediaError(f"{mark.image.name} is not a picture")
        still = load_picture(media)
        if still is None:
            mark_clip(media, part, label, lambda size: _marks(size, mark, image, label))
        else:
            marks = _marks(still.size, mark, image, label)
            still.paste(marks, (0, 0), marks)
            still.save(part, "JPEG", quality=90, comment=comment(label))
    return "rendered"


def _marks(size: Size, mark: Watermark, image: Image | None, label: str) -> Image:
    from PIL import Image, ImageDraw, ImageFont, ImageOps

    marks = Image.new("RGBA", size)
    pen, room = ImageDraw.Draw(marks), size[1] - bar_height(size)
    if image:
        image = ImageOps.scale(image, size[0] * mark.scale / image.width)
        marks.paste(image, _place((size[0], room), image.size, mark.position))
    else:
        font = ImageFont.load_default(mark.font or max(8, size[1] // 12))
        left, top, right, bottom = pen.textbbox((0, 0), mark.text, font)
        at = _place((size[0], room), (round(right - left), round(bottom - top)), mark.position)
        pen.text((at[0] - left, at[1] - top), mark.text, mark.color, font)
    marks.paste(label_bar(size, label), (0, room))
    return marks


def _place(room: Size, mark: Size, position: str) -> Size:
    gap = max(1, min(room) // 40)
    ends = (("left", "right"), ("top", "bottom"))
    words = position.lower() or "bottom right"
    free = [whole - part for whole, part in zip(room, mark, strict=True)]
    x, y = (
        gap if low in words else left - gap if high in words else left // 2
        for left, (low, high) in zip(free, ends, strict=True)
    )
    return x, y
