"""Progress: bars on a terminal, sparse lines elsewhere."""

import asyncio
import io
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from types import SimpleNamespace

import pytest

from a2e_async import FACE_SWAP, ModerationError, TaskState, TaskTimeoutError, _progress
from a2e_async._following import Follower
from a2e_async._progress import Lines, Pace, progress, span
from a2e_async._saying import Row
from a2e_async.observer import Moved, SubmitEnded, TransferBegan, TransferEnded, TransferMoved
from tests.service import scene
from tests.snippets import SAMPLES

pytestmark = pytest.mark.anyio


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch) -> Callable[[], Terminal]:
    """Put a terminal in the place of stderr when called: pytest replaces stderr after fixtures ran."""

    def open_() -> Terminal:
        stderr = Terminal()
        monkeypatch.setattr(sys, "stderr", stderr)
        for name, value in {"TERM": "xterm", "COLUMNS": "100", "NO_COLOR": ""}.items():
            monkeypatch.setenv(name, value)
        return stderr

    return open_


@pytest.fixture
def now(monkeypatch):
    """The time, to be set."""
    now = SimpleNamespace(value=100.0)
    monkeypatch.setattr(_progress, "time", SimpleNamespace(monotonic=lambda: now.value))
    return now


def test_lines_come_once_a_second_when_something_changed(capsys, now):
    lines = Lines()
    steps = [(0, 0), (0.1, 1), (0.5, 2), (1.0, 2), (1.2, 2), (2.2, 2), (2.4, 3), (2.5, 4)]
    for at, done in steps:
        now.value = 100 + at
        lines.show({"done": done})
    lines.close({"done": 4})
    written = [(float(line.split()[0]), line.split()[-1]) for line in capsys.readouterr().err.splitlines()]
    assert written == [(0.1, "1"), (1.2, "2"), (2.4, "3"), (2.5, "4")]


def test_lines_of_a_long_run_become_rare(capsys, now):
    lines = Lines()
    for second in range(3600):
        now.value = 100.0 + second
        lines.show({"done": second}, f"{second} coins")
    written = capsys.readouterr().err.splitlines()
    at = [float(line.split()[0]) for line in written]
    gaps = [later - earlier for earlier, later in pairwise(at)]
    assert gaps[:10] == [1.0] * 10
    assert gaps == sorted(gaps)
    assert set(gaps[-60:]) == {30.0}
    assert len(written) < 200
    assert written[-1].endswith(f"done {at[-1]:.0f}  {at[-1]:.0f} coins")


def test_pace_is_that_of_the_last_minute(now):
    pace = Pace()
    assert pace.text(0, 100) == pace.text(5, 95) == ""
    told = {}
    for second in range(1, 181):
        now.value = 100.0 + second
        ended = 2 * min(second, 60) + max(0, second - 60)
        told[second] = pace.text(ended, 1000)
    assert told[10] == "120 a minute, 8 min left"
    assert told[180] == "60 a minute, 17 min left"
    assert pace.text(240, None) == "60 a minute"
    assert pace.text(240, 0) == "60 a minute"
    now.value += 600
    assert pace.text(241, 4) == "0.1 a minute, 40 min left"
    now.value += 600
    assert pace.text(241, 4) == ""


def test_spans_are_written_as_people_say_them():
    assert [span(seconds) for seconds in (0, 9.94, 10, 99, 100, 5999, 6000, 86400)] == [
        "0.0 s",
        "9.9 s",
        "10 s",
        "99 s",
        "2 min",
        "100 min",
        "1.7 h",
        "24.0 h",
    ]


async def test_piped_progress_starts_and_ends_with_a_line(capsys):
    counts = Counter(running=2)
    async with progress(lambda: dict(counts), 2):
        await asyncio.sleep(0)
        counts.update(running=-2, done=2)
    assert [line.split(maxsplit=2)[2] for line in capsys.readouterr().err.splitlines()] == [
        "running 2",
        "running 0  done 2",
    ]


async def test_a_terminal_gets_bars_and_its_cursor_back(terminal):
    stderr = terminal()
    async with progress(lambda: {"running": 3, "done": 1}, 4, lambda: "20 coins"):
        await asyncio.sleep(0)
    drawn = stderr.getvalue()
    assert drawn.index("running") < drawn.index("done")
    assert "\u2501" * 20 in drawn
    assert "0 s 20 coins" in drawn
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 1


async def test_data_comes_above_the_bars_on_the_same_terminal(terminal, monkeypatch):
    stderr = terminal()
    monkeypatch.setattr(sys, "stdout", Terminal())
    async with progress(lambda: {"done": 1}) as display:
        display.give("[bold]first[/] " + "x" * 120)
        display.give('{"key": "second"}')
        assert "first" not in stderr.getvalue()
    drawn = stderr.getvalue()
    assert "[bold]first[/] " + "x" * 120 + '\n{"key": "second"}\n' in drawn
    assert drawn.index("second") < drawn.rindex("done")
    assert not sys.stdout.getvalue()


async def test_data_for_a_file_goes_there(terminal, capsys):
    stderr = terminal()
    async with progress(lambda: {"done": 1}) as display:
        display.give("first")
        assert capsys.readouterr().out == "first\n"
    assert "first" not in stderr.getvalue()


@pytest.mark.parametrize("why", ["no rich", "dumb"])
async def test_a_terminal_without_rich_or_cursor_gets_lines(terminal, monkeypatch, why):
    stderr = terminal()
    if why == "dumb":
        monkeypatch.setenv("TERM", "dumb")
    else:
        monkeypatch.setitem(sys.modules, "a2e_async._bars", None)
    async with progress(lambda: {"running": 3}):
        await asyncio.sleep(0)
    assert stderr.getvalue().split() == ["0.0", "s", "running", "3"]


async def test_leaving_by_an_error_restores_the_terminal(terminal):
    stderr = terminal()
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - an error inside the block is what this is about
        async with progress(lambda: {"running": 3}):
            await asyncio.sleep(0)
            raise ZeroDivisionError
    assert "\x1b[?25h" in stderr.getvalue()


def written(capsys) -> list[str]:
    """Return what stands in the lines on stderr, without the time."""
    return [" ".join(line.split()[2:]) for line in capsys.readouterr().err.splitlines()]


async def test_a_script_sees_each_step_of_what_it_does(capsys, tmp_path):
    async with scene() as s, s.a2e.progress():
        swap = await s.a2e.run(FACE_SWAP, **s.swap | {"face_url": SAMPLES / "face.jpg"})
        await s.a2e.files.save(swap, tmp_path / "out.mp4")
    lines = written(capsys)
    steps = [" ".join(line.split()[:3]) for line in lines]
    task = f"face_swap {swap.id}"
    assert steps[0].startswith("upload 1")
    assert [step for step in steps if step.startswith(task)] in (
        [f"{task} queued", f"{task} done"],
        [f"{task} queued", f"{task} running", f"{task} done"],
        [f"{task} running", f"{task} done"],
        [f"{task} done"],
    )
    size = (tmp_path / "out.mp4").stat().st_size / 1000
    assert lines[-1] == f"download {swap.id} done {size:.0f} of {size:.0f} kB"


async def test_refusals_and_waits_that_end_are_seen(capsys):
    async with scene(clock="stepped") as s, s.a2e.progress():
        with pytest.raises(TaskTimeoutError):
            await s.a2e.watch(await s.a2e.face_swap.tasks.add(**s.swap), deadline=0.3)
        with pytest.raises(ModerationError):
            await s.a2e.run(FACE_SWAP, **s.swap | {"name": "moderation:no"})
    lines = written(capsys)
    assert [line.split()[2] for line in lines if line.startswith("face_swap 6")][-1] == "left"
    assert lines[-1].startswith("face_swap failed")


async def test_a_batch_is_shown_by_its_counts(capsys):
    async with scene() as s, s.a2e.progress(total=30):
        async with s.a2e.batch(FACE_SWAP) as batch:
            ends = [outcome.state async for outcome in batch.run({**s.swap, "name": f"n{n}"} for n in range(30))]
    assert set(ends) == {"done"}
    last = written(capsys)[-1]
    assert last.startswith("submitting 0 queued 0 running 0 done 30 failed 0 300 coins")


def test_the_usual_time_is_shown_as_soon_as_one_is_known():
    usual = {"face_swap": 0.0}
    follower = Follower(usual.__getitem__, None)
    follower(SubmitEnded(number=1, kind="face_swap", endpoint="", seconds=0.1, task_id="t", state=TaskState.QUEUED))
    (row,) = follower.rows()
    assert (row.label, row.word, row.part) == ("face_swap t", "queued", None)
    usual["face_swap"] = 1000.0
    (row,) = follower.rows()
    assert row.text.endswith(", usually 17 min")
    assert 0 <= row.part < 0.1
    follower(
        Moved(kind="face_swap", task_id="t", previous=TaskState.QUEUED, state=TaskState.DONE, seconds=1.0, coins=2.0)
    )
    (row,) = follower.rows()
    assert (row.word, row.part) == ("done", 1.0)
    assert "usually" not in row.text


def test_bytes_are_shown_as_they_move():
    follower = Follower(lambda _: 0.0, None)
    about = {"number": 7, "direction": "download", "task_id": "t"}
    follower(TransferBegan(**about))
    follower(TransferMoved(**about, done=1_500_000, size=3_000_000))
    assert follower.rows() == [Row("download t", "under way", "1.5 of 3.0 MB", 0.5)]
    follower(TransferEnded(**about, done=1_500_000, seconds=1.0, error="TransportError"))
    assert follower.rows()[0].word == "failed"


async def test_rows_are_drawn_on_a_terminal_and_what_is_printed_stays_above(terminal, monkeypatch):
    stderr = terminal()
    monkeypatch.setattr(sys, "stdout", Terminal())
    row = Row("face_swap [red]\x1b[2Jt[/]", "running", "3 s, usually 40 s", 0.25)
    async with progress(dict, None, str, lambda: [row], redirect=True):
        await asyncio.sleep(0)
        print("printed")  # noqa: T201 - as a script does
    drawn = stderr.getvalue()
    assert "face_swap [red]\\x1b[2Jt[/]" in drawn
    assert "usually 40 s" in drawn
    assert drawn.index("printed") < drawn.rindex("running")
