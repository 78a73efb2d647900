"""Further result files: a picture set in motion, a clip with another sound, blurred captions, watermarks."""

# av's stubs leave **kwargs and Packet's type argument open, which pyright calls partially unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import shutil
from contextlib import ExitStack
from fractions import Fraction
from typing import TYPE_CHECKING

from a2e_async.sandbox.clips import mark_clip, open_sound
from a2e_async.sandbox.frames import (
    FASTSTART,
    MediaError,
    Overlay,
    comment,
    encoder,
    have_media,
    label_bar,
    load_picture,
    readable,
    replacing,
)
from a2e_async.sandbox.sound import OtherSound

if TYPE_CHECKING:
    from pathlib import Path

    from av import VideoFrame
    from PIL.Image import Image

    from a2e_async.sandbox.results import How

_FPS = 25
_LONGEST = 1280
_ZOOM = 0.12
_BAND = 0.2


def render_still(picture: Path, out: Path, label: str, *, seconds: float, audio: Path | None = None) -> How:
    """Write an MP4 that slowly zooms into a picture, at most 1280 px long, 25 frames a second, labelled.

    `audio` becomes its sound, cut off after `seconds`. Blocks; MediaError on a bad input. Without the
    `media` extra the bytes of `picture` are copied unchanged.
    """
    with replacing(out) as part:
        if not have_media():
            shutil.copyfile(picture, part)
            return "passthrough"
        _write_still(_still(picture), part, label, max(1, round(seconds * _FPS)), audio)
    return "rendered"


def render_dubbing(source: Path, out: Path, label: str, *, audio: Path | None) -> How:
    """Write a labelled MP4 of a clip with `audio` as its sound, or with its own if that is None.

    A source without pictures gives an MP4 that holds sound alone, as long as the source. Blocks;
    MediaError on a bad input. Without the `media` extra the bytes of `source` are copied unchanged.
    """
    with replacing(out) as part:
        if not have_media():
            shutil.copyfile(source, part)
            return "passthrough"
        seconds = _sound_seconds(source)
        if seconds is None:
            mark_clip(source, part, label, lambda size: label_bar(size, label), sound=audio)
        else:
            _write_sound(audio or source, part, label, seconds)
    return "rendered"


def render_uncaptioned(video: Path, out: Path, label: str) -> How:
    """Write a labelled MP4 whose lower fifth is blurred: captions become unreadable, nothing is removed.

    Blocks; MediaError on a bad input. Without the `media` extra the bytes are copied unchanged.
    """
    with replacing(out) as part:
        if not have_media():
            shutil.copyfile(video, part)
            return "passthrough"
        text = f"{label} (blurred, not removed)"
        mark_clip(video, part, text, lambda size: label_bar(size, text), blurred=_BAND)
    return "rendered"


def _write_still(still: Image, out: Path, label: str, frames: int, audio: Path | None) -> None:
    import av

    first = _frame(still)
    zoom = f"z='1+{_ZOOM}*on/{frames}':x='(iw-iw/zoom)/2':y='(ih-ih/zoom)/2'"
    steps = (("zoompan", f"{zoom}:d={frames}:fps={_FPS}:s={still.width}x{still.height}"),)
    overlay = Overlay(first, lambda size: label_bar(size, label), steps)
    with ExitStack() as stack:
        source = stack.enter_context(open_sound(audio)) if audio else None
        sink = stack.enter_context(av.open(str(out), "w", format="mp4", options=FASTSTART))
        sink.metadata["comment"] = comment(label)
        target = encoder(sink, _FPS, overlay.size)
        sound = OtherSound(sink, source, audio) if source and audio else None
        for step in (first, None):
            for number, frame in enumerate(overlay.draw(step), 1):
                sink.mux(target.encode(frame))
                if sound:
                    sink.mux(sound.packets(number / _FPS))
        sink.mux(target.encode(None))
        if sound:
            sink.mux(sound.end())


def _write_sound(audio: Path, out: Path, label: str, seconds: float) -> None:
    import av

    with open_sound(audio) as source, av.open(str(out), "w", format="mp4", options=FASTSTART) as sink:
        sink.metadata["comment"] = comment(label)
        sound = OtherSound(sink, source, audio)
        sink.mux(sound.packets(seconds))
        sink.mux(sound.silence(seconds))
        sink.mux(sound.end())


def _sound_seconds(path: Path) -> float | None:
    """Return how long the sound is of a file that holds no moving picture; None if it holds one."""
    from av.stream import Disposition

    with open_sound(path) as source:
        # The cover of a song is a video stream of one picture.
        if any(not stream.disposition & Disposition.attached_pic for stream in source.streams.video):
            return None
        if not source.streams.audio:
            raise MediaError(f"{path.name} has neither pictures nor sound")
        with readable(path):
            return sum(frame.samples / frame.sample_rate for frame in source.decode(audio=0))


def _still(path: Path) -> Image:
    still = load_picture(path)
    if still is None:
        raise MediaError(f"{path.name} is not a picture")
    shrunk = min(1.0, _LONGEST / max(still.size))
    width, height = (max(16, round(side * shrunk) & ~1) for side in still.size)
    return still.resize((width, height))


def _frame(still: Image) -> VideoFrame:
    from av import VideoFrame

    frame = VideoFrame.from_bytes(still.convert("RGBA").tobytes(), *still.size, "rgba")
    frame.pts, frame.time_base = 0, Fraction(1, _FPS)
    return frame
