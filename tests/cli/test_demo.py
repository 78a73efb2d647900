"""`a2e demo`, as a process and in this one."""

import json
import sys
from pathlib import Path

import pytest

from a2e_async.cli import demo
from a2e_async.sandbox import Rule, Sandbox
from a2e_async.sandbox.media import probe
from tests.cli.conftest import SAMPLES

CLIP = SAMPLES / "clip.mp4"


@pytest.fixture
def brisk(monkeypatch):
    monkeypatch.setattr(demo, "_CLOCK", "scaled:60")


def test_from_files_to_files(start, tmp_path):
    ran = start("demo", "--jobs", "3", "--out", tmp_path / "deep" / "out", "--json").ended()
    assert ran.code == 0
    report = json.loads(ran.out)
    paths = [Path(name) for name in report["results"]]
    assert [path.name for path in paths] == ["swap-01.mp4", "swap-02.mp4", "swap-03.mp4"]
    for path in paths:
        assert path.parent == tmp_path / "deep" / "out"
        info, source = probe(path), probe(CLIP)
        assert (info.width, info.height, info.frames) == (source.width, source.height, source.frames)
        assert path.read_bytes() != CLIP.read_bytes()
    assert len({path.read_bytes() for path in paths}) == 3
    assert Path(report["contact_sheet"]).read_bytes().startswith(b"\x89PNG")
    assert (report["jobs"], report["done"], report["failed"]) == (3, 3, 0)
    assert report["coins_spent"] == report["coins_of_tasks"] == 30
    assert "SANDBOX" in report["note"]
    assert any("Blender Foundation" in line for line in report["credits"])
    assert sorted(path.name for path in (tmp_path / "deep" / "out").iterdir()) == [
        "contact-sheet.png",
        *(path.name for path in paths),
    ]
    counts = [line.split() for line in ran.err.splitlines()[1:]]
    assert all(line[2::2] == ["submitting", "queued", "running", "done", "failed", "saved"] for line in counts)
    assert counts[-1][3::2] == ["0", "0", "0", "3", "0", "3"]


@pytest.mark.usefixtures("brisk")
def test_text_and_files_replaced(a2e, tmp_path):
    (tmp_path / "a2e-demo").mkdir()
    (tmp_path / "a2e-demo" / "swap-01.mp4").write_text("older")
    ran = a2e("demo", "--jobs", "1")
    assert ran.code == 0
    assert ran.out.startswith("1 of 1 swaps done in ")
    for said in (
        "swap-*.mp4",
        "contact-sheet.png",
        "10 fewer",
        "the tasks say 10: the same",
        "marked SANDBOX",
        "No model made them",
        "CREDITS.md",
        "CC BY 3.0",
    ):
        assert said in ran.out
    assert probe(tmp_path / "a2e-demo" / "swap-01.mp4").frames > 90


@pytest.mark.usefixtures("brisk")
def test_without_the_media_extra(a2e, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    ran = a2e("demo", "--jobs", "1", "--json")
    assert ran.code == 0
    assert [line for line in ran.err.splitlines() if "a2e-async[media]" in line] == [
        "No contact sheet: it needs the media extra, pip install 'a2e-async[media]'."
    ]
    assert ran.json[0]["contact_sheet"] is None
    assert "unchanged" in ran.json[0]["note"]
    assert (tmp_path / "a2e-demo" / "swap-01.mp4").read_bytes() == CLIP.read_bytes()


@pytest.mark.usefixtures("brisk")
def test_jobs_that_fail(a2e, tmp_path, monkeypatch):
    (tmp_path / "face.jpg").write_text("no picture")
    (tmp_path / "clip.mp4").write_bytes(CLIP.read_bytes())
    monkeypatch.setattr(demo, "_SAMPLES", tmp_path)
    ran = a2e("demo", "--jobs", "2", "--json")
    assert ran.code == 1
    (report,) = ran.json
    assert (report["done"], report["failed"], report["coins_spent"], report["results"]) == (0, 2, 0, [])
    assert report["contact_sheet"] is None
    errors = [line for line in ran.err.splitlines() if line.startswith("a2e: error: ")]
    assert sorted(line.rpartition(" ")[2] for line in errors) == ["(swap-01)", "(swap-02)"]


@pytest.mark.usefixtures("brisk")
def test_result_that_cannot_be_fetched(a2e, monkeypatch):
    class Broken(Sandbox):
        async def start(self) -> None:
            await super().start()
            self.account("sk_demo").fault(Rule("status", path="/results/*", nth=1, status=418))

    monkeypatch.setattr(demo, "Sandbox", Broken)
    ran = a2e("demo", "--jobs", "2", "--json")
    assert ran.code == 1
    (report,) = ran.json
    assert (report["done"], report["failed"], len(report["results"])) == (1, 1, 1)
    assert report["coins_spent"] == report["coins_of_tasks"] == 20
    assert "HTTP 418" in ran.err


def test_no_place_for_the_results(a2e, tmp_path):
    (tmp_path / "file").write_text("in the way")
    ran = a2e("demo", "--out", "file")
    assert ran.code == 2
    assert "cannot write to file" in ran.error
