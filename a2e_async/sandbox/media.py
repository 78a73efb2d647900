"""Result files of the sandbox: the caller's own input, labelled SANDBOX, with the face picture inset."""

# av's stubs leave **kwargs and Packet's type argument open, which pyright calls partially unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import os
import shutil
import struct
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

    from av import AudioStream, Packet, VideoFrame, VideoStream
    from av.buffer import Buffer
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream
    from PIL.Image import Image

Box = tuple[int, int, int, int]

_PICTURES = ("BMP", "GIF", "JPEG", "PNG", "TIFF", "WEBP")
_MP4_AUDIO = {"aac", "mp3", "mp3float", "opus"}
# First two numbers of a display matrix -> filters that bring the picture upright.
_TURNS = {
    (0, 1): (("transpose", "clock"),),
    (-1, 0): (("hflip", None), ("vflip", None)),
    (0, -1): (("transpose", "cclock"),),
}


class MediaError(ValueError):
    """An input is not the picture or video it should be; the text names the file."""


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


def render_face_swap(face: Path, video: Path, out: Path, label: str) -> Literal["rendered", "passthrough"]:
    """Write a labelled H.264 MP4, or a JPEG if `video` is a picture, that no one takes for a model's work.

    An odd width or height loses its last column or row (yuv420p is even); a turned clip is written upright.
    Size, frame times and sound are otherwise kept. Blocks: call it in a thread. MediaError on a bad input.
    Without the `media` extra the bytes of `video` are copied unchanged, whatever they are.
    """
    with replacing(out) as part:
        if not have_media():
            shutil.copyfile(video, part)
            return "passthrough"
        portrait = _picture(face)
        if portrait is None:
            raise MediaError(f"{face.name} is not a picture")
        still = _picture(video)
        if still is None:
            _swap_video(portrait, video, part, label)
        else:
            strip = _strip(still.size, portrait, label)
            still.paste(strip, (0, still.height - strip.height), strip)
            still.save(part, "JPEG", quality=90, comment=_comment(label))
    return "rendered"


def first_frame(video: Path) -> VideoFrame:
    """Return the first decoded frame, not turned upright; MediaError if there is none."""
    import av

    with _readable(video), av.open(str(video)) as source:
        for frame in source.decode(_video_stream(source, video)):
            return frame
    raise MediaError(f"{video.name} has no video frame")


def probe(path: Path) -> MediaInfo:
    """Decode every frame of a video; MediaError if one cannot be decoded."""
    import av

    with _readable(path), av.open(str(path)) as source:
        stream = _video_stream(source, path)
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
    bar = min(height, max(16, min(width, height) // 9))
    border = max(1, height // 135)
    side = max(1, min(width // 3, height * 2 // 5, height - bar) - 3 * border)
    right, bottom = width - 2 * border, height - bar - border
    return Layout((0, height - bar, width, height), (right - side, bottom - side, right, bottom), border)


def _comment(label: str) -> str:
    return f"SANDBOX {label}: made by the a2e-async sandbox, not by a model"


def _picture(path: Path) -> Image | None:
    """Return the picture upright in RGB, None if the file is something else."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with _readable(path), Image.open(path, formats=_PICTURES) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError:
        return None


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
    strip.paste(_bar(bar[2], bar[3] - bar[1], label), (0, bar[1] - top))
    return strip


def _bar(width: int, height: int, label: str) -> Image:
    from PIL import Image, ImageDraw, ImageFont

    bar = Image.new("RGB", (width, height), (18, 18, 22))
    pen = ImageDraw.Draw(bar)
    font = ImageFont.load_default(min(height * 0.62, width / 6))
    gap = height // 4
    badge = round(pen.textlength("SANDBOX", font)) + 2 * gap
    pen.rectangle((0, 0, badge, height), fill=(255, 190, 0))
    pen.text((gap, height / 2), "SANDBOX", (18, 18, 22), font, "lm")
    pen.text((badge + 2 * gap, height / 2), label, "white", font, "lm")
    return bar


def _swap_video(face: Image, video: Path, out: Path, label: str) -> None:
    import av

    first = first_frame(video)
    faststart = {"movflags": "+faststart"}
    with (
        _readable(video),
        av.open(str(video)) as source,
        av.open(str(out), "w", format="mp4", options=faststart) as sink,
    ):
        picture = _video_stream(source, video)
        picture.thread_type = "AUTO"
        overlay = _Overlay(first, face, label)
        encoder = _encoder(sink, picture, overlay.size)
        sounds = [_Sound(sink, stream) for stream in source.streams.audio[:1]]
        sink.metadata.update({**source.metadata, "comment": _comment(label)})
        for packet in source.demux([picture, *source.streams.audio[:1]]):
            if packet.stream.index == picture.index:
                drawn = [new for frame in picture.decode(packet) for new in overlay.draw(frame)]
                sink.mux([new for frame in drawn for new in encoder.encode(frame)])
            else:
                sink.mux(sounds[0].packets(packet))
        sink.mux([new for frame in overlay.draw(None) for new in encoder.encode(frame)])
        sink.mux(encoder.encode(None))


class _Overlay:
    """A filter graph: upright, even, yuv420p, marks on top; `size` is that of the frames it gives."""

    def __init__(self, first: VideoFrame, face: Image, label: str) -> None:
        from av import VideoFormat, VideoFrame
        from av.filter import Graph

        turns = _turns(first)
        width, height = first.width & ~1, first.height & ~1
        if turns and turns[0][0] == "transpose":
            width, height = height, width
        self.size = width, height
        strip = _strip(self.size, face, label)
        self._graph = graph = Graph()
        self._input = graph.add_buffer(
            width=first.width, height=first.height, format=first.format, time_base=first.time_base
        )
        marks = graph.add_buffer(
            width=width, height=strip.height, format=VideoFormat("rgba"), time_base=first.time_base
        )
        over = graph.add("overlay", f"x=0:y={height - strip.height}")
        chain = [graph.add(name, argument) for name, argument in turns]
        chain += [graph.add("crop", f"{width}:{height}:0:0"), graph.add("format", "yuv420p")]
        graph.link_nodes(self._input, *chain, over, graph.add("buffersink"))
        marks.link_to(over, 0, 1)
        graph.configure()
        # Not VideoFrame.from_image: it drops alpha, and the marks would cover the clip in black.
        drawing = VideoFrame.from_bytes(strip.tobytes(), width, strip.height, "rgba")
        drawing.pts, drawing.time_base = first.pts, first.time_base
        marks.push(drawing)
        marks.push(None)

    def draw(self, frame: VideoFrame | None) -> Iterator[VideoFrame]:
        from av.video.frame import PictureType

        self._input.push(frame)
        while True:
            try:
                drawn = self._graph.vpull()
            except (BlockingIOError, EOFError):
                return
            drawn.pict_type = PictureType.NONE  # or the encoder would repeat the input's key frames
            yield drawn


class _Sound:
    def __init__(self, sink: OutputContainer, source: AudioStream) -> None:
        self._source = source
        # av before 14 cannot add a stream from a template: there the sound is encoded anew.
        self._copied = source.codec_context.name in _MP4_AUDIO and hasattr(sink, "add_stream_from_template")
        if self._copied:
            self._target = sink.add_stream_from_template(source)
        else:
            self._target = sink.add_stream("aac", source.rate)

    def packets(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        if not self._copied:
            encoded = [new for frame in self._source.decode(packet) for new in self._target.encode(frame)]
            return encoded if packet.size else encoded + self._target.encode(None)
        packet.stream = self._target
        return [packet] if packet.size else []


def _encoder(sink: OutputContainer, source: VideoStream, size: tuple[int, int]) -> VideoStream:
    rate = source.average_rate or source.base_rate or 25
    stream = sink.add_stream("libx264", rate, options={"preset": "ultrafast", "crf": "27"})
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    if source.time_base is not None:  # the source's own ticks keep a variable frame rate as it is
        stream.codec_context.time_base = source.time_base
    return stream


def _turns(frame: VideoFrame) -> tuple[tuple[str, str | None], ...]:
    side_data = cast("Mapping[str, Buffer]", frame.side_data)
    matrix = side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return ()
    a, b = struct.unpack_from("=2i", bytes(matrix))
    return _TURNS.get(((a > 0) - (a < 0), (b > 0) - (b < 0)), ())


def _video_stream(source: InputContainer, path: Path) -> VideoStream:
    for stream in source.streams.video:
        return stream
    raise MediaError(f"{path.name} has no video stream")


@contextmanager
def _readable(path: Path) -> Generator[None]:
    """Turn what a decoder complains about into a MediaError with the file's name."""
    from av.error import FFmpegError
    from PIL import Image, UnidentifiedImageError

    try:
        yield
    except UnidentifiedImageError:
        raise
    except (FFmpegError, OSError) as error:
        raise MediaError(f"cannot read {path.name}: {error.strerror or error}") from error
    except Image.DecompressionBombError as error:
        raise MediaError(f"{path.name} is too large: {error}") from error
