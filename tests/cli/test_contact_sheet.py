"""The contact sheet has one captioned cell per video, in order."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

import a2e_async
from a2e_async.cli.contact_sheet import contact_sheet
from a2e_async.sandbox.media import MediaError, first_frame

CLIP = Path(a2e_async.__path__[0], "sandbox", "samples", "clip.mp4")


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    return [Path(shutil.copy(CLIP, tmp_path / f"{'long-' * n * 4}{n}.mp4")) for n in range(7)]


def test_sheet_holds_a_captioned_frame_per_video(tmp_path: Path, clips: list[Path]) -> None:
    assert contact_sheet(clips, tmp_path / "sheet.png", columns=3, thumb_width=160) == 7
    thumb = first_frame(CLIP).to_image().resize((160, 90))
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert (sheet.format, sheet.size) == ("PNG", (3 * 170 + 10, 3 * 120 + 10))
        for index in range(7):
            left, top = 10 + index % 3 * 170, 10 + index // 3 * 120
            cell = sheet.crop((left, top, left + 160, top + 90))
            assert max(ImageStat.Stat(ImageChops.difference(cell, thumb)).mean) < 12
            caption = sheet.crop((left, top + 90, left + 160, top + 110)).convert("L")
            assert caption.getextrema()[1] > 180, "no caption"
            assert sheet.crop((left + 160, top, left + 170, top + 110)).getcolors() == [(1100, (24, 24, 28))]
        assert sheet.crop((180, 250, 520, 360)).getcolors() == [(340 * 110, (24, 24, 28))]


def test_few_videos_make_a_narrow_sheet(tmp_path: Path, clips: list[Path]) -> None:
    assert contact_sheet(clips[:2], tmp_path / "sheet.png") == 2
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (2 * 250 + 10, 135 + 20 + 20)


def test_broken_video_leaves_no_sheet(tmp_path: Path, clips: list[Path]) -> None:
    clips[3].write_bytes(b"?" * 500)
    with pytest.raises(MediaError, match=r"3\.mp4"):
        contact_sheet(clips, tmp_path / "sheet.png")
    assert sorted(tmp_path.iterdir()) == sorted(clips)


def test_nothing_to_draw(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no videos"):
        contact_sheet([], tmp_path / "sheet.png")


def test_without_the_extra_the_error_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clips: list[Path]
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(RuntimeError, match=r"a2e-async\[media\]"):
        contact_sheet(clips, tmp_path / "sheet.png")
