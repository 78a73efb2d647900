"""Progress: bars on a terminal, sparse lines elsewhere."""

import asyncio
import io
import sys
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from a2e_async.cli import _progress
from a2e_async.cli._progress import Lines, progress

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


def test_lines_come_once_a_second_when_something_changed(capsys, monkeypatch):
    now = SimpleNamespace(value=100.0)
    monkeypatch.setattr(_progress, "time", SimpleNamespace(monotonic=lambda: now.value))
    lines = Lines()
    steps = [(0, 0), (0.1, 1), (0.5, 2), (1.0, 2), (1.2, 2), (2.2, 2), (2.4, 3), (2.5, 4)]
    for at, done in steps:
        now.value = 100 + at
        lines.show({"done": done})
    lines.close({"done": 4})
    written = [(float(line.split()[0]), line.split()[-1]) for line in capsys.readouterr().err.splitlines()]
    assert written == [(0.1, "1"), (1.2, "2"), (2.4, "3"), (2.5, "4")]


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
    async with progress(lambda: {"running": 3, "done": 1}, 4):
        await asyncio.sleep(0)
    drawn = stderr.getvalue()
    assert drawn.index("running") < drawn.index("done")
    assert "\u2501" * 20 in drawn
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 1


async def test_a_terminal_without_rich_gets_lines(terminal, monkeypatch):
    stderr = terminal()
    monkeypatch.setitem(sys.modules, "a2e_async.cli._rich", None)
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
