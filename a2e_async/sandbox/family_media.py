"""Results of the newer model families: their first input, labelled, or a picture that only repeats the prompt."""

from __future__ import annotations

import re
import shutil
import struct
import zlib
from typing import TYPE_CHECKING

from a2e_async.sandbox.draws import digest
from a2e_async.sandbox.families import within
from a2e_async.sandbox.frames import comment, have_media, label_bar, load_picture, replacing
from a2e_async.sandbox.media_more import render_dubbing, render_still
from a2e_async.sandbox.objects import SAMPLES
from a2e_async.sandbox.sniff import sniff

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from a2e_async.sandbox.frames import Size
    from a2e_async.sandbox.life import Task
    from a2e_async.sandbox.results import How

_COUNTS = ("total_count", "n")
_SHAPES = ("aspect_ratio", "aspectRatio", "ratio")
_PAIR = re.compile(r"([1-9]\d{0,3})\s*[:*x]\s*([1-9]\d{0,3})")
_WORDS = {"portrait": (9, 16), "landscape": (16, 9)}
_LONGEST, _SHORTEST = 1024, 128
_MOST_TEXT = 300
_LAST = frozenset({"headSwap", "productAvatar"})
"""Whose last picture is the one that others are put into."""


def count_of(fields: Mapping[str, object]) -> int:
    """Return how many pictures a start wants of one task."""
    return next((value for name in _COUNTS if isinstance(value := fields.get(name), int)), 1)


def size_of(fields: Mapping[str, object], usual: Size) -> Size:
    """Return width and height in the proportions that a start asks for, 1024 pixels along the longer side."""
    width, height = usual
    both = fields.get("width"), fields.get("height")
    if isinstance(both[0], int) and isinstance(both[1], int) and min(both[0], both[1]) > 0:
        width, height = both[0], both[1]
    for name in (*_SHAPES, "size"):
        word = str(fields.get(name) or "")
        if found := _PAIR.fullmatch(word):
            width, height = int(found[1]), int(found[2])
        elif word in _WORDS:
            width, height = _WORDS[word]
    longer = max(width, height)
    return max(_SHORTEST, _LONGEST * width // longer), max(_SHORTEST, _LONGEST * height // longer)


def render_family(task: Task, out: Path) -> How:
    """Write the result of a task in the medium that its suffix names.

    Of several inputs a second picture is shown inset. Blocks; MediaError on a bad input. Without the `media` extra it
    is an input, a packaged clip or a bare picture.
    """
    inputs, fields = task.input_files(), task.wire_fields()
    kinds = {kind: [file for file in inputs if sniff(file).family == kind] for kind in ("image", "video", "audio")}
    if task.suffix == "mp4":
        return _render_video(task, kinds, out)
    if not inputs:
        return draw_prompt(out, task.id, _prompt(fields), size_of(fields, (1, 1)))
    pictures = kinds["image"] if task.noun in _LAST else kinds["image"][::-1]
    return _render_picture(pictures, out, task.id)


def draw_prompt(out: Path, label: str, prompt: str, size: Size) -> How:
    """Write a PNG: two shades that follow from the label, and with the `media` extra the prompt and the label."""
    with replacing(out) as part:
        shades = bytes.fromhex(digest(label)[:12])
        write_shades(part, size, tuple(128 + at // 2 for at in shades[:3]), tuple(at // 2 for at in shades[3:]))
        if have_media():
            _write_words(part, label, prompt)
    return "rendered"


def write_shades(path: Path, size: Size, top: Sequence[int], bottom: Sequence[int]) -> None:
    """Write a PNG that goes from one colour to another, without any picture library; its comment says SANDBOX."""
    width, height = size
    rows = (
        b"\0" + bytes(a + (b - a) * at // height for a, b in zip(top, bottom, strict=True)) * width
        for at in range(height)
    )
    parts = (
        (b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)),
        (b"tEXt", b"Comment\0SANDBOX"),
        (b"IDAT", zlib.compress(b"".join(rows))),
        (b"IEND", b""),
    )
    chunks = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in parts
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def _render_video(task: Task, kinds: Mapping[str, list[Path]], out: Path) -> How:
    fields, sound = task.wire_fields(), next(iter(kinds["audio"]), None)
    if kinds["video"] and kinds["image"]:
        # Imported late: the codecs behind it take half a second to load.
        from a2e_async.sandbox.media import render_face_swap

        return render_face_swap(kinds["image"][0], kinds["video"][0], out, task.id)
    if kinds["video"]:
        return render_dubbing(kinds["video"][0], out, task.id, audio=sound)
    seconds = float(str(fields["seconds"]))
    if kinds["image"]:
        return render_still(kinds["image"][0], out, task.id, seconds=seconds, audio=sound)
    if not have_media():
        shutil.copyfile(SAMPLES / "clip.mp4", out)
        return "passthrough"
    still = out.with_suffix(".png")
    try:
        draw_prompt(still, task.id, _prompt(fields), size_of(fields, (16, 9)))
        return render_still(still, out, task.id, seconds=seconds, audio=sound)
    finally:
        still.unlink(missing_ok=True)


def _render_picture(pictures: Sequence[Path], out: Path, label: str) -> How:
    from a2e_async.sandbox.media import render_face_swap

    if len(pictures) > 1:
        return render_face_swap(pictures[0], pictures[-1], out, label)
    with replacing(out) as part:
        still = load_picture(pictures[0]) if have_media() else None
        if still is None:
            shutil.copyfile(pictures[0], part)
            return "passthrough"
        bar = label_bar(still.size, label)
        still.paste(bar, (0, still.height - bar.height), bar)
        still.save(part, "JPEG", quality=90, comment=comment(label))
    return "rendered"


def _prompt(fields: Mapping[str, object]) -> str:
    return str(fields.get("prompt") or within(fields.get("input")).get("prompt") or "")[:_MOST_TEXT]


def _write_words(path: Path, label: str, prompt: str) -> None:
    from textwrap import fill

    from PIL import ImageDraw, ImageFont, PngImagePlugin

    still = load_picture(path)
    if still is None:
        raise ValueError(f"{path.name} is not a picture")
    size = max(14, min(still.size) // 18)
    words, pen = fill(prompt, max(8, int(still.width * 1.6 / size))), ImageDraw.Draw(still)
    pen.multiline_text((size, size), words, "white", ImageFont.load_default(size), stroke_width=1, stroke_fill="black")
    bar = label_bar(still.size, label)
    still.paste(bar, (0, still.height - bar.height), bar)
    said = PngImagePlugin.PngInfo()
    said.add_text("Comment", comment(label))
    still.save(path, "PNG", pnginfo=said)
