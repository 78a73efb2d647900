"""A clip written again with marks on every frame, with its own sound or that of another file."""

# av's stubs leave **kwargs and Packet's type argument open, which pyright calls partially unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from a2e_async.sandbox.frames import (
    FASTSTART,
    Overlay,
    comment,
    encoder,
    first_frame,
    readable,
    video_stream,
)
from a2e_async.sandbox.sound import CopiedSound, OtherSound

if TYPE_CHECKING:
    from pathlib import Path

    from av import AudioStream
    from av.container import InputContainer, OutputContainer

    from a2e_async.sandbox.frames import Draw


def mark_clip(video: Path, out: Path, label: str, draw: Draw, *, blurred: float = 0, sound: Path | None = None) -> None:
    """Write a labelled H.264 MP4 of the same size and frame times, `blurred` as in Overlay; MediaError.

    Sound that is longer than the clip is cut off at its end; where it is shorter, silence follows.
    """
    import av

    overlay = Overlay(first_frame(video), draw, blurred=blurred)
    with ExitStack() as stack:
        stack.enter_context(readable(video))
        source = stack.enter_context(av.open(str(video)))
        other = stack.enter_context(open_sound(sound)) if sound else None
        sink = stack.enter_context(av.open(str(out), "w", format="mp4", options=FASTSTART))
        sink.metadata.update({**source.metadata, "comment": comment(label)})
        if other and sound:
            _write(source, sink, video, overlay, OtherSound(sink, other, sound))
        else:
            _write(source, sink, video, overlay, None)


def open_sound(path: Path) -> InputContainer:
    """Open a file for its sound; MediaError if it cannot be read."""
    import av

    with readable(path):
        return av.open(str(path))


def _write(
    source: InputContainer, sink: OutputContainer, video: Path, overlay: Overlay, other: OtherSound | None
) -> None:
    picture = video_stream(source, video)
    picture.thread_type = "AUTO"
    rate = picture.average_rate or picture.base_rate or 25
    target = encoder(sink, rate, overlay.size, picture.time_base)
    kept: list[AudioStream] = [] if other else list(source.streams.audio[:1])
    copies = [CopiedSound(sink, stream) for stream in kept]
    for packet in source.demux([picture, *kept]):
        if packet.stream.index != picture.index:
            sink.mux(copies[0].packets(packet))
            continue
        for frame in picture.decode(packet):
            sink.mux([new for drawn in overlay.draw(frame) for new in target.encode(drawn)])
            if other:
                sink.mux(other.packets((frame.time or 0) + 1 / float(rate)))
    sink.mux([new for drawn in overlay.draw(None) for new in target.encode(drawn)])
    sink.mux(target.encode(None))
    if other:
        sink.mux(other.end())
