"""Runs Python as it is printed in the documents, against the sandbox."""

import ast
import asyncio
import re
import shutil
import wave
from collections.abc import Coroutine
from pathlib import Path
from types import FunctionType
from typing import NamedTuple

import pytest

from a2e_async.sandbox import Sandbox
from a2e_async.sandbox.objects import SAMPLES
from tests.service import KEY

ROOT = Path(__file__).parents[1]
OUTPUT = "Output"
_BLOCK = re.compile(
    r"(?:^[ ]*<!-- (?P<mark>[^\n]*?) -->\n\n?)?"
    r'^(?P<indent>[ ]*)```(?P<language>\w*)(?: title="(?P<title>[^"]*)")?\n(?P<text>.*?)^(?P=indent)```$',
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A fenced block, with the mark above it and where it begins."""

    language: str
    title: str
    text: str
    mark: str
    line: int

    @property
    def runs(self) -> bool:
        """Whether it is code that the reader runs, and no file of its own."""
        return self.language in {"python", "sh"} and not self.title


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        code = re.sub(rf"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        line = text.count("\n", 0, match.start("language")) + 1
        found.append(Block(match["language"], match["title"] or "", code, match["mark"] or "", line))
    return found


def blocks(page: Path) -> list[str]:
    """Return the Python in a Markdown file, without that of files of their own."""
    return [block.text for block in blocks_of(page) if block.language == "python" and not block.title]


def settle(home: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    """Be where the reader is: beside the sample files and a list of jobs, with the two variables set."""
    for name in ("face.jpg", "clip.mp4"):
        shutil.copy(SAMPLES / name, home)
    rows = "".join(f"take-{n},take {n},face.jpg,clip.mp4\n" for n in range(3))
    (home / "jobs.csv").write_text(f"key,name,face_url,video_url\n{rows}", encoding="utf-8")
    with wave.open(str(home / "voice.wav"), "wb") as voice:
        voice.setnchannels(1)
        voice.setsampwidth(2)
        voice.setframerate(8000)
        voice.writeframes(bytes(16_000))
    monkeypatch.chdir(home)
    monkeypatch.setenv("A2E_API_KEY", KEY)
    monkeypatch.setenv("A2E_BASE_URL", sandbox.url)


def run(code: str, source: str, **names: object) -> dict[str, object]:
    """Run one block, which may await at its top level, and return its names; `names` are taken for granted."""
    compiled = compile(code, source, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    known = {"__name__": "snippet", **names}
    result = FunctionType(compiled, known)()
    if isinstance(result, Coroutine):
        asyncio.run(result)
    return known
