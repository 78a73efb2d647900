"""Runs a page as its reader would: block after block, in one directory, against a sandbox.

Python runs in this process, each block by itself; `sh` runs in bash, and what it exports holds from then on. A block
with a title is a file of that name, one titled "Output" is what the block above prints, `...` standing for anything.
A comment right above a block marks it:

    <!-- not run: WHY -->         <!-- run by .ci/run: WHY -->
    <!-- exits with 3 -->         <!-- interrupted -->, by Ctrl-C after the first line on stdout

`a2e sandbox` is a terminal of its own: it runs on a free port until the page ends.
"""

import ast
import contextlib
import importlib.util
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.snippets import OUTPUT, Block, blocks_of, run

_USUAL = "127.0.0.1:8723"
_SERVER = re.compile(r"(\S*/)?a2e sandbox(?! doctor\b)")
_PATIENCE = 60
_KEEP = f"""
{shlex.quote(sys.executable)} -c 'import json, os; json.dump(dict(os.environ), open(".environment", "w"))'"""


class Story:
    """A page under way; `home` is the reader's directory, `installing` also runs what only .ci/run is to run."""

    def __init__(self, page: Path, home: Path, monkeypatch: pytest.MonkeyPatch, *, installing: bool = False) -> None:
        self._page, self._home, self._monkeypatch, self._installing = page, home, monkeypatch, installing
        self._servers = contextlib.ExitStack()
        self._address = _USUAL
        self._names: dict[str, object] = {}  # the README's blocks build on each other; on a page each stands alone
        self._env = {**os.environ, "PYTHONUNBUFFERED": "1", "COLUMNS": "80"}
        self._env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), self._env["PATH"]])

    def tell(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Run every block; AssertionError names the line of the one that does not do what it says."""
        printed: str | None = ""  # None where the block above was not run
        absent: set[str] = set()
        with self._servers:
            for block in blocks_of(self._page):
                where = f"{self._page.name}, line {block.line}"
                if block.title == OUTPUT:
                    if printed is not None:
                        self._compare(block.text, printed, where)
                elif block.title:
                    self._home.joinpath(block.title).write_text(self._here(block.text), encoding="utf-8")
                elif block.runs and not self._left_out(block):
                    absent |= (wanted := _absent(block))
                    printed = None if wanted else self._run(block, where, capsys)
                elif block.runs:
                    printed = None
        if absent:
            pytest.skip(f"ran all but the blocks that need {', '.join(sorted(absent))}")

    def _run(self, block: Block, where: str, capsys: pytest.CaptureFixture[str]) -> str:
        return self._python(block, capsys) if block.language == "python" else self._sh(block, where)

    def _left_out(self, block: Block) -> bool:
        return block.mark.startswith("not run: ") or (
            block.mark.startswith("run by .ci/run: ") and not self._installing
        )

    def _here(self, text: str) -> str:
        return text.replace(_USUAL, self._address)

    def _python(self, block: Block, capsys: pytest.CaptureFixture[str]) -> str:
        for name in ("A2E_BASE_URL", "A2E_API_KEY"):
            self._monkeypatch.setenv(name, self._env[name])
        capsys.readouterr()
        padding = "\n" * block.line  # so that a traceback names the line of the page
        names = run(padding + self._here(block.text), str(self._page), **self._names)
        if self._page.name == "README.md":
            self._names = names
        return capsys.readouterr().out

    def _sh(self, block: Block, where: str) -> str:
        lines = block.text.splitlines(keepends=True)
        for line in filter(_SERVER.match, lines):
            self._address = self._servers.enter_context(_serving(shlex.split(line), self._env, self._home))
        script = self._here("".join(line for line in lines if not _SERVER.match(line)))
        if not script.strip():
            return ""
        if self._address in self._env.get("A2E_BASE_URL", ""):
            self._told("clock", rate=100)  # nobody waits here as long as a reader may
        expected = int(block.mark.rpartition(" ")[2]) if block.mark.startswith("exits with ") else 0
        with subprocess.Popen(
            ["bash", "-e", "-c", script if expected else script + _KEEP],
            cwd=self._home,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        ) as process:
            try:
                if block.mark == "interrupted":
                    expected, printed = 130, self._interrupt(process, script)
                else:
                    printed = process.communicate(timeout=_PATIENCE * 5)[0]
                process.wait(_PATIENCE)
            finally:
                process.kill()
        assert process.returncode == expected, f"{where}: exit code {process.returncode}\n{printed}"
        kept = self._home / ".environment"
        if kept.exists():
            self._env = json.loads(kept.read_text(encoding="utf-8"))
            kept.unlink()
        return printed

    def _interrupt(self, process: subprocess.Popen[str], script: str) -> str:
        """Press Ctrl-C when some of the jobs have ended and others have not, however fast this machine is."""
        jobs = next(self._home / word for word in shlex.split(script) if word.endswith(".csv"))
        count = len(jobs.read_text(encoding="utf-8").splitlines()) - 1
        before = self._told("tasks")
        self._told("clock", rate=0)
        until = time.monotonic() + _PATIENCE
        while len(self._told("tasks")) < len(before) + count:
            assert time.monotonic() < until, "the jobs were not submitted"
            time.sleep(0.02)
        self._told("clock", advance=40)
        assert process.stdout is not None
        printed = ""
        while not re.search(r"^\S+ done ", printed, re.MULTILINE):
            line = process.stdout.readline()
            assert line, printed
            printed += line
        os.killpg(process.pid, signal.SIGINT)
        printed += process.stdout.read()
        self._told("clock", rate=100)
        return printed

    def _told(self, what: str, **body: float) -> list[object]:
        request = urllib.request.Request(
            f"{self._env['A2E_BASE_URL']}/sandbox/{what}",
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {self._env['A2E_API_KEY']}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)

    def _compare(self, expected: str, printed: str, where: str) -> None:
        lines = [re.escape(line).replace(r"\.\.\.", ".*") + r"\n" for line in self._here(expected).strip().splitlines()]
        any_lines = r"(?:.*\n)*"
        pattern = "".join(any_lines if line == r".*\n" else line for line in lines)
        seen = "".join(f"{line.rstrip()}\n" for line in printed.strip().splitlines())
        assert re.fullmatch(pattern, seen), f"{where} prints this instead:\n{seen}"


def _absent(block: Block) -> set[str]:
    """Return the packages that a block imports and that are not installed: extras that this run does without."""
    if block.language != "python":
        return set()
    body = ast.parse(block.text).body  # what a function imports, it imports when it is called
    names = {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in body if isinstance(node, ast.ImportFrom)}
    return {name for name in names if not _installed(name)}


def _installed(module: str) -> bool:
    with contextlib.suppress(ModuleNotFoundError):  # not even what it is in
        return importlib.util.find_spec(module) is not None
    return False


@contextlib.contextmanager
def _serving(words: list[str], env: dict[str, str], home: Path) -> Iterator[str]:
    with subprocess.Popen(
        [*words, "--port", "0"], cwd=home, env=env, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            address = re.search(r"http://([\d.:]+\d)", first)
            assert address, first
            yield address[1]
        finally:
            process.terminate()
            process.communicate(timeout=_PATIENCE)
