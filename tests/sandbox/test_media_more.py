"""Pictures set in motion, other sounds and blurred captions: real files that say SANDBOX."""

import sys
import wave
from array import array
from pathlib import Path

import av
import pytest
from PIL import Image, ImageChops, ImageStat

import a2e_async
from a2e_async.sandbox.media import MediaError, probe
from a2e_async.sandbox.media_more import render_dubbing, render_still, render_uncaptioned
from a2e_async.sandbox.watermarks import Watermark, render_watermark

SAMPLES = Path(a2e_async.__path__[0], "sandbox", "samples")
FACE, CLIP = SAMPLES / "face.jpg", SAMPLES / "clip.mp4"
RENDERINGS = {
    "still": lambda source, out: render_still(source, out, "task 7", seconds=1),
    "dubbing": lambda source, out: render_dubbing(source, out, "task 7", audio=None),
    "uncaptioned": lambda source, out: render_uncaptioned(source, out, "task 7"),
    "watermark": lambda source, out: render_watermark(
        source, out, "task 7", Watermark("mine", None, 0, (255, 255, 255), "", 0.2)
    ),
}


def tone(path: Path, seconds: float, rate: int = 22050) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"\x00\x00\x00\x20" * round(rate * seconds / 2))
    return path


def frames(path: Path) -> list[Image.Image]:
    with av.open(str(path)) as source:
        return [frame.to_image() for frame in source.decode(video=0)]


def loudness(path: Path) -> list[float]:
    """Return how loud each tenth of a second is."""
    sound = array("f")
    with av.open(str(path)) as source:
        for frame in source.decode(audio=0):
            sound.frombytes(bytes(frame.planes[0])[: 4 * frame.samples])
    return [sum(map(abs, sound[at : at + 4800])) / 4800 for at in range(0, len(sound), 4800)]


def difference(one: Image.Image, other: Image.Image) -> float:
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def assert_labelled(path: Path) -> None:
    with av.open(str(path)) as source:
        assert source.metadata["comment"].startswith("SANDBOX")
    for image in frames(path):
        red, green, blue = image.getpixel((2, image.height - 2))
        assert (red > 220, 160 < green < 215, blue < 50) == (True, True, True)


def test_a_still_moves_and_sounds(tmp_path: Path) -> None:
    sound = tone(tmp_path / "tone.wav", 3)
    out = tmp_path / "out.mp4"
    assert render_still(FACE, out, "task 7", seconds=2, audio=sound) == "rendered"
    info = probe(out)
    assert (info.width, info.height, info.frames, info.fps) == (512, 512, 50, 25)
    assert info.has_audio
    assert_labelled(out)
    first, *_, last = [image.crop((0, 0, 512, 440)) for image in frames(out)]
    assert difference(first, last) > 5
    assert len(loudness(out)) == pytest.approx(20, abs=1)


@pytest.mark.parametrize(
    ("size", "made"),
    [((4000, 1001), (1280, 320)), ((101, 77), (100, 76)), ((300, 3000), (128, 1280)), ((3, 3), (16, 16))],
)
def test_a_still_is_small_and_even(tmp_path: Path, size: tuple[int, int], made: tuple[int, int]) -> None:
    Image.new("RGB", size, (90, 120, 150)).save(tmp_path / "in.png")
    render_still(tmp_path / "in.png", tmp_path / "out.mp4", "x", seconds=0)
    info = probe(tmp_path / "out.mp4")
    assert (info.width, info.height, info.frames, info.has_audio) == (*made, 1, False)


def test_other_sound_lies_under_the_same_pictures(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    render_dubbing(CLIP, out, "task 7", audio=tone(tmp_path / "tone.wav", 1.5))
    before, after = probe(CLIP), probe(out)
    assert (after.frames, after.seconds, after.width) == (before.frames, before.seconds, before.width)
    assert_labelled(out)
    loud = loudness(out)
    assert len(loud) == pytest.approx(15, abs=1)
    assert min(loud[1:14]) > 0.05


def test_sound_longer_than_the_clip_is_cut_off(tmp_path: Path) -> None:
    render_dubbing(CLIP, tmp_path / "out.mp4", "x", audio=tone(tmp_path / "tone.wav", 9, rate=44100))
    assert len(loudness(tmp_path / "out.mp4")) == pytest.approx(40, abs=1)


@pytest.mark.parametrize("spoken", [0.5, 5])
def test_a_recording_keeps_its_length(tmp_path: Path, spoken: float) -> None:
    source, audio = tone(tmp_path / "in.wav", 3, rate=8000), tone(tmp_path / "tone.wav", spoken)
    assert render_dubbing(source, tmp_path / "out.mp4", "task 7", audio=audio) == "rendered"
    loud = loudness(tmp_path / "out.mp4")
    assert len(loud) == pytest.approx(30, abs=1)
    assert (loud[2] > 0.05, loud[20] > 0.05) == (True, spoken > 2)
    with av.open(str(tmp_path / "out.mp4")) as result:
        assert [stream.type for stream in result.streams] == ["audio"]
        assert result.metadata["comment"].startswith("SANDBOX task 7")


def test_captions_are_blurred_and_the_rest_is_not(tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    render_uncaptioned(CLIP, out, "task 7")
    assert probe(out) == probe(CLIP)
    assert_labelled(out)
    rest, band = (0, 0, 480, 210), (0, 218, 480, 238)
    for before, after in zip(frames(CLIP)[::20], frames(out)[::20], strict=True):
        assert difference(before.crop(rest), after.crop(rest)) < 9
        assert sharpness(after.crop(band)) < sharpness(before.crop(band)) / 2


def sharpness(image: Image.Image) -> float:
    return difference(image, ImageChops.offset(image, 1, 0))


@pytest.mark.parametrize("size", [(16, 16), (64, 18), (18, 64), (163, 121)])
def test_tiny_clips(tmp_path: Path, size: tuple[int, int]) -> None:
    with av.open(str(tmp_path / "in.mkv"), "w") as sink:
        stream = sink.add_stream("libx264", 25)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv444p"
        sink.mux(stream.encode(av.VideoFrame.from_image(Image.new("RGB", size))))
        sink.mux(stream.encode(None))
    for name in ("uncaptioned", "dubbing", "watermark"):
        RENDERINGS[name](tmp_path / "in.mkv", tmp_path / "out.mp4")
        info = probe(tmp_path / "out.mp4")
        assert (info.width, info.height) == (size[0] & ~1, size[1] & ~1)


@pytest.mark.parametrize("name", RENDERINGS)
def test_without_the_extra_the_bytes_pass_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert RENDERINGS[name](CLIP, tmp_path / "out.mp4") == "passthrough"
    assert (tmp_path / "out.mp4").read_bytes() == CLIP.read_bytes()


@pytest.mark.parametrize("name", RENDERINGS)
def test_bad_input_is_named_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "out").mkdir()
    bad = tmp_path / "bad.bin"
    bad.write_text("no video at all\n" * 100)
    with pytest.raises(MediaError, match=r"bad\.bin") as caught:
        RENDERINGS[name](bad, tmp_path / "out" / "out.mp4")
    assert str(tmp_path) not in str(caught.value)
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("sound", ["text", "silent"])
def test_bad_sound_is_named(tmp_path: Path, sound: str) -> None:
    bad = tmp_path / "bad.mp4"
    if sound == "text":
        bad.write_text("no sound at all\n" * 100)
    else:
        render_still(FACE, bad, "x", seconds=0)
    for render in (
        lambda: render_still(FACE, tmp_path / "out.mp4", "x", seconds=1, audio=bad),
        lambda: render_dubbing(CLIP, tmp_path / "out.mp4", "x", audio=bad),
    ):
        with pytest.raises(MediaError, match=r"bad\.mp4"):
            render()
    assert not (tmp_path / "out.mp4").exists()
