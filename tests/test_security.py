"""What SECURITY.md promises of the token, looked for in all that a process leaves behind."""

import mmap
import os
import re
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from a2e_async.sandbox import sandbox_thread
from tests.exposure import ADD, COINS, FAULTS, WEBHOOK_TOKEN

ROOT = Path(__file__).parents[1]
TOKEN = f"sk_{secrets.token_urlsafe(90)}"  # longer than what is left where texts are cut


class Exposed(NamedTuple):
    pid: int
    folder: Path

    def holding(self, *texts: str) -> set[str]:
        """Name the files in which one of these is."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        return {path.name for path in files if any(text.encode() in path.read_bytes() for text in texts)}


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exposed]:
    """A process that has been through `tests.exposure`, still lives, and what it wrote."""
    folder = tmp_path_factory.mktemp("exposed")
    with sandbox_thread(clock="scaled:100") as sandbox:
        account = sandbox.account(TOKEN)
        for path in (COINS, ADD):
            for nth, rule in enumerate(FAULTS.values(), 1):
                body = rule.body and rule.body.replace("TOKEN", TOKEN)
                account.fault(msgspec.structs.replace(rule, path=path, nth=nth, body=body))
        env = {**os.environ, "A2E_API_KEY": TOKEN, "A2E_BASE_URL": sandbox.url, "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-X", "dev", "-m", "tests.exposure"]
        pipe = subprocess.PIPE
        with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
            with subprocess.Popen(command, env=env, cwd=folder, stdin=pipe, stdout=pipe, stderr=err) as process:
                assert process.stdout
                for line in process.stdout:
                    out.write(line)
                    if line.startswith(b"waiting"):
                        break
                out.flush()
                yield Exposed(process.pid, folder)


def test_the_token_is_in_nothing_that_was_written(exposed: Exposed) -> None:
    parts = [TOKEN[start : start + 16] for start in range(0, len(TOKEN) - 16, 8)]

    assert exposed.holding(*parts, WEBHOOK_TOKEN) == set()
    assert {"own.sqlite", "lent.sqlite", "own.copy", "errors.pickle", "k1.mp4"} <= exposed.holding("")


def test_what_was_written_tells_of_every_way_to_fail_and_of_all_frames(exposed: Exposed) -> None:
    out = (exposed.folder / "stdout").read_text(encoding="utf-8")
    err = (exposed.folder / "stderr").read_text(encoding="utf-8")
    raised = out[out.index("raised:") :].splitlines()[0].split()

    assert set(raised[1:]) == {
        *("APIError", "AuthenticationError", "CancelledError", "ConfigError", "DecodeError", "InsufficientCoinsError"),
        *("JournalError", "ModerationError", "NotFoundError", "PermissionDeniedError", "RateLimitError"),
        *("RequestError", "ServerError", "SubmissionUncertainError", "TransportError", "TransportTimeoutError"),
    }
    assert "    api_key = '***'\n" in out  # the locals of frames were shown
    assert "'Authorization': '***'" in out
    assert {"DEBUG:asyncio:", "WARNING:asyncio:Executing", "ERROR:app:failed"} <= set(
        re.findall("(?m)^[A-Z]+:[a-z]+:\\w*", err)
    )


@pytest.mark.skipif(not shutil.which("gcore"), reason="gcore, of gdb, writes the memory of a process down")
def test_the_token_is_in_memory_where_it_would_be_found(exposed: Exposed, tmp_path: Path) -> None:
    dump = tmp_path / "core"
    done = subprocess.run(["gcore", "-o", dump, str(exposed.pid)], capture_output=True, check=False)
    (core,) = tmp_path.glob("core.*") if not done.returncode else (pytest.skip(f"gcore: {done.stderr[-200:]!r}"),)
    try:
        with core.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as memory:
            assert memory.find(TOKEN.encode()) >= 0
    finally:
        core.unlink()
    assert exposed.holding(TOKEN) == set()
