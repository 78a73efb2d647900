"""Scripts that are not asynchronous, and notebooks, where a loop runs already."""

import signal
import subprocess
import sys
import time

import pytest

import a2e_async
from a2e_async import ConfigError
from a2e_async.sandbox import Sandbox
from tests.service import KEY

pytestmark = pytest.mark.anyio

WAITING = """
import a2e_async
async def work(a2e):
    task = await a2e.face_swap.tasks.add(name="n", face_url="FACE", video_url="VIDEO")
    print(task.id, flush=True)
    await a2e.watch(task)
a2e_async.run(work)
"""


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, sandbox_in_thread: Sandbox) -> Sandbox:
    monkeypatch.setenv("A2E_API_KEY", KEY)
    monkeypatch.setenv("A2E_BASE_URL", sandbox_in_thread.url)
    return sandbox_in_thread


def test_a_script_needs_no_asyncio(known: Sandbox) -> None:
    assert a2e_async.run(lambda a2e: a2e.account.coins()).coins == 1000


def test_the_session_is_closed_and_errors_come_through(known: Sandbox) -> None:
    kept = []

    async def work(a2e: a2e_async.A2ESession) -> None:
        await a2e.account.coins()
        kept.append(a2e._transport.pool().api)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        a2e_async.run(work)
    assert kept[0].closed


def test_without_a_key_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A2E_API_KEY", raising=False)
    with pytest.raises(ConfigError, match="A2E_API_KEY"):
        a2e_async.run(lambda a2e: a2e.account.coins())


async def test_where_a_loop_runs_it_says_what_to_write() -> None:
    with pytest.raises(RuntimeError, match="`await`"):
        a2e_async.run(lambda a2e: a2e.account.coins())


@pytest.mark.skipif(sys.platform == "win32", reason="no Ctrl-C for one process alone")
def test_ctrl_c_ends_it_at_once_and_harms_no_job(known: Sandbox) -> None:
    known.account(KEY, clock="stepped")
    script = WAITING.replace("FACE", known.face_url).replace("VIDEO", known.video_url)
    command = [sys.executable, "-X", "dev", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        task_id = process.stdout.readline().strip()
        began = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert time.monotonic() - began < 10
    assert process.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert "Warning" not in err
    assert [task.id for task in known.account(KEY).tasks] == [task_id]
