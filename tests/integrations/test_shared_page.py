"""What the page about one account on many machines shows, run as it is printed, on real servers."""

import pytest

pytest.importorskip("procrastinate", reason="needs the dependency group `engines`")
pytest.importorskip("pyrate_limiter", reason="needs the dependency group `engines`")

# All of it now: while a block runs, the sandbox's thread imports, too, and rewriting asserts is not made for two.
from a2e_async.integrations import postgres_limits, postgres_watch, procrastinate
from a2e_async.sandbox import Sandbox
from tests.service import KEY
from tests.snippets import ROOT, blocks, run, settle

PAGE = "shared-account.md"
BLOCKS = blocks(ROOT / "docs" / "pages" / PAGE)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_block(
    number: int, tmp_path, monkeypatch: pytest.MonkeyPatch, database: str, redis_url: str, sandbox_in_thread: Sandbox
) -> None:
    settle(tmp_path, monkeypatch, sandbox_in_thread)
    monkeypatch.setenv("A2E_MAX_PAUSE", "0.1")
    monkeypatch.setenv("A2E_DSN", database)
    monkeypatch.setenv("REDIS_URL", redis_url)
    run(f"from a2e_async.integrations._database import migrate\nawait migrate({database!r})", "migrate")

    run(BLOCKS[number], PAGE)

    answered = [entry for entry in sandbox_in_thread.account(KEY).requests if entry.status == 200]
    assert answered
    assert (tmp_path / "out.mp4").exists() == ("out.mp4" in BLOCKS[number])


@pytest.mark.parametrize("module", [postgres_limits, postgres_watch])
def test_everything_that_is_offered_is_shown(module) -> None:
    assert all(any(name in block for block in BLOCKS) for name in module.__all__)
    assert any(procrastinate.Engine.__name__ in block for block in BLOCKS)
