import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import a2e_async
from a2e_async.cli import main
from a2e_async.sandbox import Sandbox

KEY = "sk_well-kept-secret"
ROOT = Path(a2e_async.__path__[0])
SAMPLES = ROOT / "sandbox" / "samples"


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self):
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> str:
        """The one line of a command that got nowhere."""
        lines = self.err.splitlines()
        assert lines[-1].startswith("a2e: error: ")
        assert [line for line in lines if "error" in line] == lines[-1:]
        assert "Traceback" not in self.err
        return lines[-1]


def checked(code: int, out: str, err: str) -> Ran:
    assert KEY not in out + err
    return Ran(code, out, err)


@pytest.fixture
def a2e(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Ran]:
    """Run a command in this process, in a directory of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("A2E_BASE_URL", raising=False)
    monkeypatch.setenv("A2E_API_KEY", KEY)

    def run(*argv: str | Path) -> Ran:
        capsys.readouterr()
        try:
            code = main([str(word) for word in argv])
        except SystemExit as end:
            code = int(end.code or 0)
        return checked(code, *capsys.readouterr())

    return run


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, a2e: Callable[..., Ran]) -> Callable[[Sandbox], None]:
    """Point commands of this process at a sandbox."""
    assert a2e  # sets the environment, which this changes
    return lambda sandbox: monkeypatch.setenv("A2E_BASE_URL", sandbox.url)


@pytest.fixture
def sandbox(sandbox_in_thread: Sandbox, serve: Callable[[Sandbox], None]) -> Sandbox:
    serve(sandbox_in_thread)
    return sandbox_in_thread


class Process(subprocess.Popen[str]):
    """`python -m a2e_async ...`, with what it wrote read line by line."""

    def __init__(self, *argv: str | Path, url: str = "", **options) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("A2E_")}
        environment |= {"A2E_API_KEY": KEY, "PYTHONPATH": str(ROOT.parent), "PYTHONWARNINGS": "error"}
        if url:
            environment["A2E_BASE_URL"] = url
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        super().__init__(
            [sys.executable, "-m", "a2e_async", *map(str, argv)],
            text=True,
            encoding="utf-8",
            env=environment,
            **(pipes | options),
        )
        self._seen = ""

    def until(self, word: str) -> str:
        """Read stderr up to the line that holds a word."""
        assert self.stderr
        for line in self.stderr:
            self._seen += line
            if word in line:
                return line
        pytest.fail(f"{word!r} never came:\n{self._seen}")

    def ended(self) -> Ran:
        out, err = self.communicate(timeout=60)
        return checked(self.returncode, out or "", self._seen + (err or ""))

    def interrupt(self) -> None:
        self.send_signal(signal.SIGINT)


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """Start commands as processes; none outlives the test."""
    with contextlib.ExitStack() as stack:

        def launch(*argv: str | Path, **options) -> Process:
            process = stack.enter_context(Process(*argv, **options))
            stack.callback(process.kill)
            return process

        yield launch
