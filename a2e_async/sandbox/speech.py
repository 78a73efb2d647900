"""Speech as a WAV file: spoken where this machine has a voice, else tones as long as the text would take."""

import math
import shutil
import subprocess
import wave
from array import array
from functools import cache
from pathlib import Path
from typing import Literal

HERTZ = 22_050
LETTERS_A_SECOND = 14
_WORDS_A_MINUTE = 175
_PATIENCE = 60
_NOTES = (220.0, 247.5, 277.2, 330.0, 371.3)
_SHORTEST = 0.5


def synthesize(text: str, out: Path, *, rate: float = 1.0) -> Literal["spoken", "tones"]:
    """Write a WAV file, 22,050 Hz mono 16 bit, marked SANDBOX; `rate` is the speed, 1 the usual one.

    Blocks for as long as espeak-ng or espeak takes, if one of them is on the PATH: call it in a thread.
    """
    spoken = _spoken(text, out, rate)
    sound = _tones(text, rate) if spoken is None else spoken
    with wave.open(str(out), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(HERTZ)
        file.writeframes(sound)
    _mark(out)
    return "tones" if spoken is None else "spoken"


def seconds_of(path: Path) -> float:
    """Return how long a WAV file runs; ValueError for anything else."""
    try:
        with wave.open(str(path)) as file:
            seconds: float = file.getnframes() / file.getframerate()
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path.name} is no WAV file: {error}") from None
    return seconds


def likely_seconds(text: str, rate: float = 1.0) -> float:
    """Return about how long a text takes to speak; the tones take just that."""
    return max(_SHORTEST, len(text) / LETTERS_A_SECOND / rate)


def _spoken(text: str, out: Path, rate: float) -> bytes | None:
    engine = shutil.which("espeak-ng") or shutil.which("espeak")
    if not engine:
        return None
    raw = out.with_name(f"{out.name}.espeak")
    command = [engine, "-s", str(round(_WORDS_A_MINUTE * rate)), "-b", "1", "--stdin", "-w", str(raw)]
    try:
        # The text goes through stdin: as an argument, one that begins with a dash would be an option.
        subprocess.run(command, input=text.encode(), timeout=_PATIENCE, check=True, capture_output=True)  # noqa: S603
        with wave.open(str(raw)) as file:
            fits = (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (HERTZ, 1, 2)
            return file.readframes(file.getnframes()) or None if fits else None
    except (OSError, subprocess.SubprocessError, wave.Error, EOFError):
        return None
    finally:
        raw.unlink(missing_ok=True)


def _tones(text: str, rate: float) -> bytes:
    samples = round(likely_seconds(text, rate) * HERTZ)
    step = samples // max(1, len(text))
    silence = bytes(2 * step)
    sound = b"".join(silence if letter.isspace() else _note(_NOTES[ord(letter) % len(_NOTES)], step) for letter in text)
    return sound.ljust(2 * samples, b"\0")


@cache
def _note(hertz: float, samples: int) -> bytes:
    # A raised cosine at both ends, or each letter would begin and end with a click.
    wanted = (
        2600 * (1 - math.cos(math.tau * at / samples)) * math.sin(math.tau * hertz * at / HERTZ)
        for at in range(samples)
    )
    return array("h", map(int, wanted)).tobytes()


def _mark(path: Path) -> None:
    said = b"SANDBOX: made by the a2e-async sandbox, not by a model\0"
    said += bytes(len(said) % 2)
    chunk = b"INFOICMT" + len(said).to_bytes(4, "little") + said
    with path.open("r+b") as file:
        end = file.seek(0, 2)
        file.write(b"LIST" + len(chunk).to_bytes(4, "little") + chunk)
        file.seek(4)
        file.write((end + len(chunk)).to_bytes(4, "little"))
