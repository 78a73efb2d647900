"""One picture that shows what a batch of videos looks like."""

from __future__ import annotations

from typing import TYPE_CHECKING

from a2e_async.sandbox.media import first_frame, have_media, replacing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from PIL.Image import Image

_PAPER, _INK, _GAP, _CAPTION = (24, 24, 28), (225, 225, 230), 10, 20


def contact_sheet(videos: Sequence[Path], out: Path, *, columns: int = 6, thumb_width: int = 240) -> int:
    """Write a PNG of the videos' first frames, each over its file name; give the number drawn.

    Frames of different shapes are scaled into cells of the first one's shape, `thumb_width` pixels wide.
    RuntimeError without the `media` extra, ValueError for no videos, MediaError for one without a frame.
    """
    if not have_media():
        raise RuntimeError("a contact sheet needs av and pillow: install a2e-async[media]")
    if not videos:
        raise ValueError("no videos to draw")
    from PIL import Image

    thumbs = [_thumb(video, thumb_width) for video in videos]
    columns = min(columns, len(thumbs))
    wide, high = thumb_width + _GAP, thumbs[0].height + _CAPTION + _GAP
    size = (columns * wide + _GAP, -(-len(thumbs) // columns) * high + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    for index, (video, thumb) in enumerate(zip(videos, thumbs, strict=True)):
        corner = (_GAP + index % columns * wide, _GAP + index // columns * high)
        sheet.paste(_cell(thumb, thumbs[0].size, video.name), corner)
    with replacing(out) as part:
        sheet.save(part, "PNG")
    return len(thumbs)


def _thumb(video: Path, width: int) -> Image:
    from PIL import Image

    frame = first_frame(video)
    height = max(1, round(frame.height * width / frame.width))
    plane = frame.reformat(width, height, "rgb24").planes[0]
    return Image.frombytes("RGB", (width, height), bytes(plane), "raw", "RGB", plane.line_size)


def _cell(thumb: Image, size: tuple[int, int], caption: str) -> Image:
    from PIL import Image, ImageDraw, ImageFont, ImageOps

    cell = Image.new("RGB", (size[0], size[1] + _CAPTION), _PAPER)
    cell.paste(ImageOps.pad(thumb, size, color=_PAPER))
    font = ImageFont.load_default(12)
    pen = ImageDraw.Draw(cell)
    while len(caption) > 1 and pen.textlength(caption, font) > size[0]:
        caption = caption[:-2].rstrip("\u2026") + "\u2026"
    pen.text((0, size[1] + _CAPTION / 2), caption, _INK, font, "lm")
    return cell
