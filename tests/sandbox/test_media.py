"""Results are real, labelled and complete; bad inputs leave nothing behind."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from fractions import Fraction
from pathlib import Path

import av
import pytest
from av.container import OutputContainer
from PIL import Image, ImageChops, ImageOps, ImageStat

import a2e_async
from a2e_async.sandbox.media import (
    MediaError,
    duration_seconds,
    have_media,
    layout,
    probe,
    render_face_swap,
)

SAMPLES = Path(a2e_async.__path__[0], "sandbox", "samples")
FACE, CLIP = SAMPLES / "face.jpg", SAMPLES / "clip.mp4"
UPRIGHT = (65536, 0, 0, 0, 65536)
TURNS = {
    "clockwise": (0, 65536, 0, -65536, 0),
    "upside down": (-65536, 0, 0, 0, -65536),
    "anticlockwise": (0, -65536, 0, 65536, 0),
}


def frames(path: Path) -> list[tuple[float, Image.Image]]:
    with av.open(str(path)) as source:
        return [(frame.time, frame.to_image()) for frame in source.decode(video=0)]


def sound(path: Path) -> list[bytes]:
    with av.open(str(path)) as source:
        return [bytes(packet) for packet in source.demux(audio=0) if packet.size]


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean distance per pixel and channel, 0 to 255."""
    return sum(ImageStat.Stat(ImageChops.difference(one, other)).mean) / 3


def assert_marked(image: Image.Image) -> None:
    bar, inset, _ = layout(*image.size)
    red, green, blue = image.getpixel((bar[0] + 2, bar[3] - 2))
    assert red > 220
    assert 160 < green < 215
    assert blue < 50, "the SANDBOX badge is missing"
    badge = image.crop((0, bar[1], image.width // 5, bar[3])).convert("L")
    low, high = badge.getextrema()
    assert low < 60, "the badge has no letters"
    assert high > 160
    side = inset[2] - inset[0]
    with Image.open(FACE) as face:
        assert difference(image.crop(inset), ImageOps.fit(face, (side, side))) < 14


def write_clip(path: Path, size: tuple[int, int], ticks: list[int], sound_codec: str | None = None) -> Path:
    """Flat H.264 frames at the given hundredths of a second, in 4:4:4 so that odd sizes are allowed."""
    with av.open(str(path), "w") as sink:
        stream = sink.add_stream("libx264", 25)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv444p"
        stream.codec_context.time_base = Fraction(1, 100)
        audio = sink.add_stream(sound_codec, 48000, layout="mono") if sound_codec else None
        for tick in ticks:
            frame = av.VideoFrame.from_image(Image.new("RGB", size, (90, 120, 150)))
            frame.pts, frame.time_base = tick, Fraction(1, 100)
            sink.mux(stream.encode(frame))
        sink.mux(stream.encode(None))
        if audio:
            silence = av.AudioFrame("s16", "mono", 48000)
            silence.planes[0].update(bytes(96000))
            silence.sample_rate, silence.pts = 48000, 0
            sink.mux(audio.encode(silence))
            sink.mux(audio.encode(None))
    return path


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("swap") / "out.mp4"
    assert render_face_swap(FACE, CLIP, out, "task 66f0c1d2") == "rendered"
    assert [path.name for path in out.parent.iterdir()] == ["out.mp4"]
    return out


def test_samples_are_small_real_and_credited() -> None:
    assert sum(path.stat().st_size for path in SAMPLES.iterdir()) < 350_000
    assert probe(CLIP).has_audio
    text = (SAMPLES / "CREDITS.md").read_text(encoding="utf-8")
    assert all(word in text for word in ("face.jpg", "clip.mp4", "Blender Foundation", "licenses/by/3.0"))


def test_swap_keeps_size_length_and_rate(result: Path) -> None:
    before, after = probe(CLIP), probe(result)
    assert after == before
    assert (after.width, after.height, after.frames, after.fps) == (480, 270, 100, 25.0)
    assert after.seconds == pytest.approx(4.0)
    assert duration_seconds(result) == pytest.approx(4.0, abs=0.05)


def test_swap_marks_every_frame_and_leaves_the_rest_alone(result: Path) -> None:
    rest = (0, 0, 360, 230)
    for (then, before), (now, after) in zip(frames(CLIP), frames(result), strict=True):
        assert now == then
        assert_marked(after)
        assert difference(before.crop(rest), after.crop(rest)) < 9


def test_swap_says_sandbox_in_its_metadata_and_keeps_the_credit(result: Path) -> None:
    with av.open(str(result)) as source:
        assert source.metadata["comment"].startswith("SANDBOX task 66f0c1d2")
        assert "Blender Foundation" in source.metadata["copyright"]


def test_swap_suits_browsers(result: Path) -> None:
    content = result.read_bytes()
    assert content.find(b"moov") < content.find(b"mdat")
    with av.open(str(result)) as source:
        context = source.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")


@pytest.mark.skipif(not hasattr(OutputContainer, "add_stream_from_template"), reason="av 13 encodes anew")
def test_swap_copies_aac_sound_bit_for_bit(result: Path) -> None:
    assert sound(result) == sound(CLIP)


def test_sound_that_mp4_players_lack_becomes_aac(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "pcm.mov", (64, 64), list(range(0, 100, 4)), "pcm_s16le")
    render_face_swap(FACE, clip, tmp_path / "out.mp4", "x")
    with av.open(str(tmp_path / "out.mp4")) as source:
        assert source.streams.audio[0].codec_context.name == "aac"
        assert sum(frame.samples for frame in source.decode(audio=0)) == pytest.approx(48000, abs=2048)


def test_odd_size_is_cropped_and_variable_frame_times_are_kept(tmp_path: Path) -> None:
    ticks = [0, 4, 8, 30, 31, 70, 90]
    clip = write_clip(tmp_path / "odd.mkv", (163, 121), ticks)
    render_face_swap(FACE, clip, tmp_path / "out.mp4", "x")
    info = probe(tmp_path / "out.mp4")
    assert (info.width, info.height, info.has_audio) == (162, 120, False)
    assert [time for time, _ in frames(tmp_path / "out.mp4")] == pytest.approx([t / 100 for t in ticks])


@pytest.mark.parametrize("turn", TURNS)
def test_turned_clip_is_written_upright(tmp_path: Path, turn: str) -> None:
    content = CLIP.read_bytes()
    upright, turned = struct.pack(">5i", *UPRIGHT), struct.pack(">5i", *TURNS[turn])
    at = content.index(upright, content.index(b"tkhd"))
    (tmp_path / "in.mp4").write_bytes(content[:at] + turned + content[at + 20 :])
    render_face_swap(FACE, tmp_path / "in.mp4", tmp_path / "out.mp4", "x")
    after = frames(tmp_path / "out.mp4")[0][1]
    angle = {"clockwise": -90, "upside down": 180, "anticlockwise": 90}[turn]
    before = frames(CLIP)[0][1].rotate(angle, expand=True)
    assert after.size == before.size
    assert_marked(after)
    rest = (0, 0, after.width, after.height // 3)
    assert difference(before.crop(rest), after.crop(rest)) < 9


@pytest.mark.parametrize("size", [(16, 16), (64, 18), (18, 64)])
def test_tiny_clip(tmp_path: Path, size: tuple[int, int]) -> None:
    clip = write_clip(tmp_path / "in.mp4", size, [0, 4])
    render_face_swap(FACE, clip, tmp_path / "out.mp4", "a label far too long for such a clip")
    info = probe(tmp_path / "out.mp4")
    assert (info.width, info.height, info.frames) == (*size, 2)


@pytest.mark.parametrize("size", [(64, 48), (270, 480), (480, 270), (1920, 1080), (300, 3000), (3000, 300)])
def test_marks_lie_inside_the_picture_and_apart(size: tuple[int, int]) -> None:
    bar, inset, border = layout(*size)
    assert bar[0] == 0
    assert (bar[2], bar[3]) == size
    assert 0 <= inset[0] - border < inset[2] + border <= size[0]
    assert 0 <= inset[1] - border < inset[3] + border <= bar[1]


@pytest.mark.parametrize("name", ["in.png", "in.jpg", "in.webp"])
def test_picture_gives_a_marked_jpeg_of_the_same_size(tmp_path: Path, name: str) -> None:
    Image.new("RGB", (401, 301), (90, 120, 150)).save(tmp_path / name)
    assert render_face_swap(FACE, tmp_path / name, tmp_path / "out.jpg", "task 7") == "rendered"
    with Image.open(tmp_path / "out.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (401, 301))
        assert image.info["comment"].startswith(b"SANDBOX task 7")
        assert_marked(image)


def test_turned_picture_is_written_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 300)).save(tmp_path / "in.jpg", exif=exif)
    render_face_swap(FACE, tmp_path / "in.jpg", tmp_path / "out.jpg", "x")
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.size == (300, 400)
        assert_marked(image)


@pytest.mark.parametrize("missing", ["av", "PIL"])
def test_without_the_extra_the_bytes_pass_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    assert have_media()
    monkeypatch.setitem(sys.modules, missing, None)
    assert not have_media()
    assert render_face_swap(FACE, CLIP, tmp_path / "out.mp4", "x") == "passthrough"
    assert (tmp_path / "out.mp4").read_bytes() == CLIP.read_bytes()


def test_module_and_duration_need_neither_av_nor_pillow() -> None:
    code = (
        "import pathlib, sys; sys.modules['av'] = sys.modules['PIL'] = None\n"
        "from a2e_async.sandbox.media import duration_seconds as d; print(d(pathlib.Path(sys.argv[1])))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, str(CLIP)], env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "4.0"


def broken_input(folder: Path, case: str) -> tuple[Path, Path]:
    bad = folder / "bad.bin"
    if case == "text":
        bad.write_text("no video at all\n" * 100)
    elif case == "header cut off":
        bad.write_bytes(CLIP.read_bytes()[:2000])
    elif case == "empty":
        bad.touch()
    elif case == "cut picture":
        bad.write_bytes(FACE.read_bytes()[:9000])
    elif case == "sound only":
        with av.open(str(bad), "w", format="wav") as sink:
            audio = sink.add_stream("pcm_s16le", 48000, layout="mono")
            silence = av.AudioFrame("s16", "mono", 480)
            silence.sample_rate = 48000
            sink.mux(audio.encode(silence))
    elif case == "face is a video":
        bad.write_bytes(CLIP.read_bytes())
        return bad, CLIP
    return FACE, bad


@pytest.mark.parametrize(
    "case", ["text", "header cut off", "empty", "cut picture", "sound only", "missing", "face is a video"]
)
def test_bad_input_is_named_and_leaves_nothing(tmp_path: Path, case: str) -> None:
    (tmp_path / "out").mkdir()
    face, video = broken_input(tmp_path, case)
    with pytest.raises(MediaError, match=r"bad\.bin") as caught:
        render_face_swap(face, video, tmp_path / "out" / "out.mp4", "x")
    assert str(tmp_path) not in str(caught.value)
    assert not list((tmp_path / "out").iterdir())


def test_failure_keeps_the_former_result(tmp_path: Path) -> None:
    (tmp_path / "bad.bin").write_bytes(b"?" * 500)
    (tmp_path / "out.mp4").write_bytes(b"former")
    with pytest.raises(MediaError):
        render_face_swap(FACE, tmp_path / "bad.bin", tmp_path / "out.mp4", "x")
    assert (tmp_path / "out.mp4").read_bytes() == b"former"
    assert len(list(tmp_path.iterdir())) == 2


def test_huge_picture_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(MediaError, match="too large"):
        render_face_swap(FACE, CLIP, tmp_path / "out.mp4", "x")


@pytest.mark.parametrize(("width", "height"), [(10_000, 8_000), (12_000, 8_000), (30_000, 30_000)])
def test_a_small_file_of_a_huge_picture_is_refused_before_it_is_unpacked(
    tmp_path: Path, width: int, height: int
) -> None:
    head, rows = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0), zlib.compress(bytes(1000))
    chunks = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in ((b"IHDR", head), (b"IDAT", rows))
    )
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    with pytest.raises(MediaError, match="too large"):
        render_face_swap(tmp_path / "bomb.png", CLIP, tmp_path / "out.mp4", "x")


def test_huge_video_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("a2e_async.sandbox.frames._MOST_PIXELS", 100_000)
    with pytest.raises(MediaError, match=r"clip\.mp4 is too large: 480 x 270"):
        probe(CLIP)


def test_probe_refuses_what_it_cannot_decode(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(CLIP.read_bytes()[:2000])
    with pytest.raises(MediaError, match=r"bad\.mp4"):
        probe(tmp_path / "bad.mp4")


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def mvhd(version: int, scale: int, length: int) -> bytes:
    body = struct.pack(">B3x16xIQ" if version else ">B3x8xII", version, scale, length)
    return box(b"ftyp", b"isom") + box(b"moov", box(b"free", b"12") + box(b"mvhd", body + bytes(80)))


@pytest.mark.parametrize(
    ("content", "seconds"),
    [
        (mvhd(0, 600, 1500), 2.5),
        (mvhd(1, 90000, 2**33), 2**33 / 90000),
        (struct.pack(">I4sQ", 1, b"mdat", 24) + bytes(8) + mvhd(0, 10, 30), 3.0),
        (mvhd(0, 600, 0), None),
        (mvhd(0, 600, 2**32 - 1), None),
        (mvhd(0, 0, 5), None),
        (mvhd(0, 600, 1500)[:40], None),
        (struct.pack(">I4s", 3, b"mdat") + mvhd(0, 10, 30), None),
        (b"", None),
        (b"\x00" * 4096, None),
    ],
)
def test_duration_from_the_header_alone(tmp_path: Path, content: bytes, seconds: float | None) -> None:
    (tmp_path / "in.mp4").write_bytes(content)
    assert duration_seconds(tmp_path / "in.mp4") == seconds


def test_duration_of_samples() -> None:
    assert duration_seconds(CLIP) == pytest.approx(4.0)
    assert duration_seconds(FACE) is None
