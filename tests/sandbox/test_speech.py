"""Sound made on this machine: its form, its length, its mark, and what happens when there is no voice."""

import os
import shutil
import sys
import wave

import pytest

from a2e_async.sandbox.sniff import sniff
from a2e_async.sandbox.speech import HERTZ, likely_seconds, seconds_of, synthesize

ENGINE = """\
import sys, time, wave
text = sys.stdin.buffer.read().decode()
{body}
with wave.open(sys.argv[sys.argv.index("-w") + 1], "wb") as file:
    file.setnchannels(1); file.setsampwidth(2); file.setframerate({rate})
    file.writeframes(bytes(2 * {rate} * len(text)))
"""


@pytest.fixture
def no_voice(monkeypatch, tmp_path):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture
def engine(no_voice, tmp_path):
    """Put a voice on the PATH that says silence, one second for each letter."""
    if os.name == "nt":
        pytest.skip("a script is no program here")

    def install(name="espeak-ng", body="", rate=HERTZ):
        script = tmp_path / "bin" / name
        script.write_text(f"#!{sys.executable}\n{ENGINE.format(body=body, rate=rate)}")
        script.chmod(0o755)

    return install


@pytest.mark.parametrize("rate", [0.5, 1.0, 2.0])
def test_tones_are_as_long_as_the_text(tmp_path, no_voice, rate):
    out = tmp_path / "out.wav"
    assert synthesize("a word " * 20, out, rate=rate) == "tones"
    assert seconds_of(out) == pytest.approx(10 / rate, abs=0.01)
    with wave.open(str(out)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, 22_050)
        loud = max(memoryview(file.readframes(file.getnframes())).cast("h"))
    assert 1000 < loud < 10_000


def test_a_short_text_is_heard(tmp_path, no_voice):
    synthesize("!", tmp_path / "out.wav")
    assert seconds_of(tmp_path / "out.wav") == pytest.approx(likely_seconds("!"), abs=0.01)
    assert likely_seconds("!") == 0.5


def test_the_mark_keeps_the_file_whole(tmp_path, no_voice):
    out = tmp_path / "out.wav"
    synthesize("hello there, this is a test of the mark", out)
    body = out.read_bytes()
    assert b"SANDBOX" in body
    assert int.from_bytes(body[4:8], "little") == len(body) - 8
    assert sniff(out) == ("audio/wav", 3)


def test_a_real_voice_is_used(tmp_path, engine):
    engine("espeak")
    assert synthesize("-four", tmp_path / "out.wav") == "spoken"
    assert seconds_of(tmp_path / "out.wav") == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bin", "out.wav"]


def test_the_speed_is_passed_on(tmp_path, engine):
    engine(body='text = sys.argv[sys.argv.index("-s") + 1]; text = "x" * (int(text) // 100)')
    synthesize("hello", tmp_path / "out.wav", rate=2)
    assert seconds_of(tmp_path / "out.wav") == 3


@pytest.mark.parametrize(
    "broken", [{"body": "sys.exit(1)"}, {"rate": 16_000}, {"body": "text = ''"}, {"body": "time.sleep(60)"}]
)
def test_a_broken_voice_gives_tones(tmp_path, engine, monkeypatch, broken):
    monkeypatch.setattr("a2e_async.sandbox.speech._PATIENCE", 5 if "sleep" not in str(broken) else 0.2)
    engine(**broken)
    assert synthesize("hello", tmp_path / "out.wav") == "tones"
    assert seconds_of(tmp_path / "out.wav") == 0.5


@pytest.mark.skipif(not (shutil.which("espeak-ng") or shutil.which("espeak")), reason="this machine is mute")
def test_the_voice_of_this_machine(tmp_path):
    assert synthesize("hello there", tmp_path / "out.wav") == "spoken"
    assert 0.3 < seconds_of(tmp_path / "out.wav") < 5


def test_only_sound_has_a_length(tmp_path):
    path = tmp_path / "text.wav"
    for body in (b"", b"RIFF0000WAVEjunk"):
        path.write_bytes(body)
        with pytest.raises(ValueError, match=r"text\.wav is no WAV file"):
            seconds_of(path)
