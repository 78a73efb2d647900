"""Sound in a result: that of the input as it is, or that of another file."""

# av's stubs leave **kwargs and Packet's type argument open, which pyright calls partially unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from a2e_async.sandbox.frames import MediaError, readable

if TYPE_CHECKING:
    from pathlib import Path

    from av import AudioFrame, AudioStream, Packet
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream

_MP4_AUDIO = {"aac", "mp3", "mp3float", "opus"}
_RATE = 48_000


class CopiedSound:
    """The sound of the input, untouched where an MP4 can hold it."""

    def __init__(self, sink: OutputContainer, source: AudioStream) -> None:
        self._source = source
        # av before 14 cannot add a stream from a template: there the sound is encoded anew.
        self._copied = source.codec_context.name in _MP4_AUDIO and hasattr(sink, "add_stream_from_template")
        if self._copied:
            self._target = sink.add_stream_from_template(source)
        else:
            self._target = sink.add_stream("aac", source.rate)

    def packets(self, packet: Packet[Stream]) -> list[Packet[Stream]]:
        """Return what one packet of the input becomes; an empty packet ends the sound."""
        if not self._copied:
            encoded = [new for frame in self._source.decode(packet) for new in self._target.encode(frame)]
            return encoded if packet.size else encoded + self._target.encode(None)
        packet.stream = self._target
        return [packet] if packet.size else []


class OtherSound:
    """The sound of another file, taken step by step so that it lies beside the pictures it belongs to."""

    def __init__(self, sink: OutputContainer, source: InputContainer, path: Path) -> None:
        from av import AudioResampler

        if not source.streams.audio:
            raise MediaError(f"{path.name} has no sound")
        self._path = path
        self._frames = source.decode(source.streams.audio[0])
        self._alike = AudioResampler("fltp", "stereo", _RATE)
        self._target = sink.add_stream("aac", _RATE, layout="stereo")
        self._samples = 0

    def packets(self, until: float) -> list[Packet[Stream]]:
        """Return what was not yet returned of the sound before that second."""
        packets: list[Packet[Stream]] = []
        while self._samples < until * _RATE:
            with readable(self._path):
                frame = next(self._frames, None)
                alike = self._alike.resample(frame) if frame else []
            packets += [new for part in alike for new in self._encode(part)]
            if frame is None:
                break
        return packets

    def silence(self, until: float) -> list[Packet[Stream]]:
        """Return silence up to that second, for where the sound has ended before it."""
        from av import AudioFrame

        packets: list[Packet[Stream]] = []
        while (missing := round(until * _RATE) - self._samples) > 0:
            frame = AudioFrame("fltp", "stereo", min(_RATE, missing))
            for plane in frame.planes:
                plane.update(bytes(plane.buffer_size))
            frame.sample_rate = _RATE
            packets += self._encode(frame)
        return packets

    def end(self) -> list[Packet[Stream]]:
        """Return what the encoder still holds."""
        return self._target.encode(None)

    def _encode(self, frame: AudioFrame) -> list[Packet[Stream]]:
        frame.pts, frame.time_base = self._samples, Fraction(1, _RATE)
        self._samples += frame.samples
        return self._target.encode(frame)
