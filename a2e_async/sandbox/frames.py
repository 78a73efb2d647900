"""What every rendering needs: inputs read with plain errors, and marks laid over each frame."""

# av's stubs leave **kwargs and Packet's type argument open, which pyright calls partially unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import struct
import uuid
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from fractions import Fraction
    from pathlib import Path

    from av import VideoFrame, VideoStream
    from av.buffer import Buffer
    from av.container import InputContainer, OutputContainer
    from av.filter import Graph
    from av.filter.context import FilterContext
    from PIL.Image import Image

Size: TypeAlias = tuple[int, int]
Draw: TypeAlias = "Callable[[Size], Image]"
"""Draws the marks as RGBA, as wide as the frame of that size; they are laid on its lower edge."""
Step: TypeAlias = tuple[str, str | None]
"""A filter and its arguments."""

FASTSTART = {"movflags": "+faststart"}
_MOST_PIXELS = 50_000_000
"""A small file can hold a picture that fills all memory; 8K video has 33 million."""
_PICTURES = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
# First two numbers of a display matrix -> filters that bring the picture upright.
_TURNS: dict[tuple[int, int], tuple[Step, ...]] = {
    (0, 1): (("transpose", "clock"),),
    (-1, 0): (("hflip", None), ("vflip", None)),
    (0, -1): (("transpose", "cclock"),),
}


class MediaError(ValueError):
    """An input is not the picture, video or sound it should be; the text names the file."""


def have_media() -> bool:
    """Whether the `media` extra (av and pillow) is installed; neither is imported."""
    return find_spec("av") is not None and find_spec("PIL") is not None


@contextmanager
def replacing(out: Path) -> Generator[Path]:
    """Yield a temporary path beside `out` that takes its name if the block succeeds and vanishes if not."""
    part = out.with_name(f".{uuid.uuid4().hex}{out.suffix}")
    try:
        yield part
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def readable(path: Path) -> Generator[None]:
    """Turn what a decoder complains about into a MediaError with the file's name."""
    from av.error import FFmpegError
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except UnidentifiedImageError:
        raise
    except (FFmpegError, OSError) as error:
        raise MediaError(f"cannot read {path.name}: {error.strerror or error}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise MediaError(f"{path.name} is too large: {error}") from error


def load_picture(path: Path) -> Image | None:
    """Return the picture upright in RGB, None if the file is something else."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with readable(path), Image.open(path, formats=_PICTURES) as image:
            _check_size(image.width, image.height, path)
            return ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError:
        return None


def first_frame(video: Path) -> VideoFrame:
    """Return the first decoded frame, not turned upright; MediaError if there is none."""
    import av

    with readable(video), av.open(str(video)) as source:
        for frame in source.decode(video_stream(source, video)):
            return frame
    raise MediaError(f"{video.name} has no video frame")


def video_stream(source: InputContainer, path: Path) -> VideoStream:
    """Return the first video stream; MediaError if there is none."""
    for stream in source.streams.video:
        _check_size(stream.width, stream.height, path)
        return stream
    raise MediaError(f"{path.name} has no video stream")


def _check_size(width: int, height: int, path: Path) -> None:
    if width * height > _MOST_PIXELS:
        raise MediaError(f"{path.name} is too large: {width} x {height} pixels")


def comment(label: str) -> str:
    """Return what the metadata of every result says."""
    return f"SANDBOX {label}: made by the a2e-async sandbox, not by a model"


def bar_height(size: Size) -> int:
    """Return how much of a frame's lower edge the label bar covers, in pixels."""
    return min(size[1], max(16, min(size) // 9))


def label_bar(size: Size, label: str) -> Image:
    """Draw the bar that says SANDBOX and the label, as wide as a frame of that size."""
    from PIL import Image, ImageDraw, ImageFont

    width, height = size[0], bar_height(size)
    bar = Image.new("RGBA", (width, height), (18, 18, 22))
    pen = ImageDraw.Draw(bar)
    font = ImageFont.load_default(max(1, min(height * 0.62, width / 6)))
    gap = height // 4
    badge = round(pen.textlength("SANDBOX", font)) + 2 * gap
    pen.rectangle((0, 0, badge, height), fill=(255, 190, 0))
    pen.text((gap, height / 2), "SANDBOX", (18, 18, 22), font, "lm")
    pen.text((badge + 2 * gap, height / 2), label, "white", font, "lm")
    return bar


class Overlay:
    """A filter graph: upright, even, yuv420p, `steps`, then marks on top; `size` is that of its frames.

    `blurred` is the share of the height, at the lower edge, that is blurred below the marks.
    """

    def __init__(self, first: VideoFrame, draw: Draw, steps: tuple[Step, ...] = (), *, blurred: float = 0) -> None:
        from av import VideoFormat, VideoFrame
        from av.filter import Graph

        turns = _turns(first)
        width, height = self.size = _upright(first, turns)
        marks = draw(self.size)
        drawing = VideoFrame.from_bytes(marks.tobytes(), width, marks.height, "rgba")
        # Not VideoFrame.from_image: it drops alpha, and the marks would cover the clip in black.
        drawing.pts, drawing.time_base = first.pts, first.time_base
        self._graph = graph = Graph()
        self._input = graph.add_buffer(
            width=first.width, height=first.height, format=first.format, time_base=first.time_base
        )
        layer = graph.add_buffer(
            width=width, height=marks.height, format=VideoFormat("rgba"), time_base=first.time_base
        )
        over = graph.add("overlay", f"x=0:y={height - marks.height}")
        chain = [*turns, ("crop", f"{width}:{height}:0:0"), ("format", "yuv420p"), *steps]
        nodes = [self._input, *(graph.add(*step) for step in chain)]
        graph.link_nodes(*nodes)
        below = _blur(graph, nodes[-1], self.size, blurred) if blurred else nodes[-1]
        graph.link_nodes(below, over, graph.add("buffersink"))
        layer.link_to(over, 0, 1)
        graph.configure()
        layer.push(drawing)
        layer.push(None)

    def draw(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        """Push a frame, None at the end, and yield what comes out."""
        from av.video.frame import PictureType

        self._input.push(frame)
        while True:
            try:
                drawn = self._graph.vpull()
            except (BlockingIOError, EOFError):
                return
            drawn.pict_type = PictureType.NONE  # or the encoder would repeat the input's key frames
            yield drawn


def encoder(sink: OutputContainer, rate: Fraction | int, size: Size, time_base: Fraction | None = None) -> VideoStream:
    """Add an H.264 stream; a time base of the input's keeps a variable frame rate as it is."""
    stream = sink.add_stream("libx264", rate, options={"preset": "ultrafast", "crf": "27"})
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    if time_base is not None:
        stream.codec_context.time_base = time_base
    return stream


def _blur(graph: Graph, node: FilterContext, size: Size, share: float) -> FilterContext:
    width, height = size
    band = max(2, round(height * share / 2) * 2)
    split, over = graph.add("split"), graph.add("overlay", f"x=0:y={height - band}")
    crop, blur = graph.add("crop", f"{width}:{band}:0:{height - band}"), graph.add("gblur", "sigma=12")
    node.link_to(split)
    split.link_to(over, 0, 0)
    split.link_to(crop, 1, 0)
    crop.link_to(blur)
    blur.link_to(over, 0, 1)
    return over


def _upright(first: VideoFrame, turns: tuple[Step, ...]) -> Size:
    width, height = first.width & ~1, first.height & ~1
    return (height, width) if turns and turns[0][0] == "transpose" else (width, height)


def _turns(frame: VideoFrame) -> tuple[Step, ...]:
    side_data = cast("Mapping[str, Buffer]", frame.side_data)
    matrix = side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return ()
    a, b = struct.unpack_from("=2i", bytes(matrix))
    return _TURNS.get(((a > 0) - (a < 0), (b > 0) - (b < 0)), ())
