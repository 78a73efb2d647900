"""Runs Python as it is printed in the documents, against the sandbox."""

import ast
import asyncio
import re
import shutil
import wave
from collections.abc import Coroutine
from pathlib import Path
from types import FunctionType

import pytest

from a2e_async.sandbox import Sandbox
from a2e_async.sandbox.objects import SAMPLES
from tests.service import KEY

ROOT = Path(__file__).parents[1]


def blocks(path: Path) -> list[str]:
    """Return the Python in a Markdown file."""
    return re.findall(r"^```python\n(.*?)^```", path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def settle(home: Path, monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox) -> None:
    """Be where the reader is: beside the sample files, with the two variables set."""
    for name in ("face.jpg", "clip.mp4"):
        shutil.copy(SAMPLES / name, home)
    with wave.open(str(home / "voice.wav"), "wb") as voice:
        voice.setnchannels(1)
        voice.setsampwidth(2)
        voice.setframerate(8000)
        voice.writeframes(bytes(16_000))
    monkeypatch.chdir(home)
    monkeypatch.setenv("A2E_API_KEY", KEY)
    monkeypatch.setenv("A2E_BASE_URL", sandbox.url)


def run(code: str, source: str, **names: object) -> None:
    """Run one block, which may await at its top level; `names` are what the text takes for granted."""
    compiled = compile(code, source, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = FunctionType(compiled, {"__name__": "snippet", **names})()
    if isinstance(result, Coroutine):
        asyncio.run(result)
