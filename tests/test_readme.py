"""The README's code runs as printed, against the sandbox."""

import ast
import asyncio
import re
import shutil
from collections.abc import Coroutine
from pathlib import Path
from types import FunctionType
from typing import Any

import pytest

from a2e_async.sandbox import Sandbox
from tests.service import KEY

ROOT = Path(__file__).parents[1]
BLOCKS = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
SAMPLES = ROOT / "a2e_async" / "sandbox" / "samples"


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox_in_thread: Sandbox) -> None:
    for name in ("face.jpg", "clip.mp4"):
        shutil.copy(SAMPLES / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A2E_API_KEY", KEY)
    monkeypatch.setenv("A2E_BASE_URL", sandbox_in_thread.url)


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_block(number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # Names that the text takes for granted: what earlier blocks imported, and the reader's own clips.
    names: dict[str, Any] = {"clips": [tmp_path / "clip.mp4"] * 3, "__name__": "readme"}
    exec("from pathlib import Path\nfrom a2e_async import A2ESession, FACE_SWAP", names)
    code = compile(BLOCKS[number], "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    result = FunctionType(code, names)()
    if isinstance(result, Coroutine):
        asyncio.run(result)
    assert "error" not in capsys.readouterr().out.lower()


def test_the_first_script_is_short_and_leaves_a_result() -> None:
    script = next(block for block in BLOCKS if "asyncio.run(" in block)
    assert len([line for line in script.splitlines() if line.strip()]) <= 10
