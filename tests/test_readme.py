"""The README's code runs as printed, against the sandbox."""

from pathlib import Path

import pytest

from a2e_async import FACE_SWAP, A2ESession
from a2e_async.sandbox import Sandbox
from tests.snippets import ROOT, blocks, run, settle

BLOCKS = blocks(ROOT / "README.md")


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_block(
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sandbox_in_thread: Sandbox,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settle(tmp_path, monkeypatch, sandbox_in_thread)
    # What earlier blocks imported, and the reader's own clips.
    known = {"Path": Path, "A2ESession": A2ESession, "FACE_SWAP": FACE_SWAP, "clips": [tmp_path / "clip.mp4"] * 3}
    run(BLOCKS[number], "README.md", **known)
    assert "error" not in capsys.readouterr().out.lower()


def test_the_first_script_is_short_and_leaves_a_result() -> None:
    script = next(block for block in BLOCKS if "asyncio.run(" in block)
    assert len([line for line in script.splitlines() if line.strip()]) <= 10
