"""What the pages about several machines show, run as it is printed, on a real PostgreSQL."""

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("psycopg", reason="needs the dependency group `engines`")

import psycopg

from a2e_async import FACE_SWAP, A2ESession
from a2e_async.integrations._database import migrate
from a2e_async.integrations.postgres_watch import SharedJobs
from a2e_async.sandbox import Sandbox
from tests.service import KEY
from tests.snippets import ROOT, blocks_of, run, settle
from tests.story import Story

MACHINES, RUNBOOK = (ROOT / "docs" / "pages" / name for name in ("machines.md", "runbook.md"))
pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def tell(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    database: str,
    sandbox_in_thread: Sandbox,
) -> Callable[[Path], None]:
    settle(tmp_path, monkeypatch, sandbox_in_thread)
    monkeypatch.setenv("A2E_MAX_PAUSE", "0.1")
    monkeypatch.setenv("A2E_DSN", database)
    return lambda page: Story(page, tmp_path, monkeypatch).tell(capsys)


def test_machines(tell, tmp_path: Path, sandbox_in_thread: Sandbox) -> None:
    tell(MACHINES)

    assert (tmp_path / "out.mp4").exists()
    assert len([entry for entry in sandbox_in_thread.account(KEY).requests if entry.path.endswith("/add")]) >= 2


def test_runbook(tell, database: str, sandbox_in_thread: Sandbox) -> None:
    async def before() -> None:
        await migrate(database)
        urls = {"face_url": sandbox_in_thread.face_url, "video_url": sandbox_in_thread.video_url}
        async with (
            A2ESession(KEY, base_url=sandbox_in_thread.url) as a2e,
            a2e.batch(FACE_SWAP, journal=database, name="orders") as batch,
        ):
            jobs = [{"key": key, "name": key, **urls} for key in ("order-1", "order-2")]
            assert [outcome.state.value async for outcome in batch.run(jobs)] == ["done", "done"]

    asyncio.run(before())
    tell(RUNBOOK)


def test_statements_of_the_runbook(tell, database: str, sandbox_in_thread: Sandbox) -> None:
    test_runbook(tell, database, sandbox_in_thread)
    twins, doubt, forget = (block.text for block in blocks_of(RUNBOOK) if block.language == "sql")
    with closing(psycopg.connect(database, autocommit=True)) as db:
        assert db.execute(twins).fetchall() == []
        db.execute("UPDATE a2e_jobs SET twins = 'b', lost = 10 WHERE key = 'order-1'")
        assert [row[0] for row in db.execute(twins).fetchall()] == ["order-1"]

        db.execute("UPDATE a2e_jobs SET ended = now() - interval '91 days' WHERE key = 'order-1'")
        db.execute("UPDATE a2e_jobs SET phase = 'new' WHERE key = 'order-2'")
        [(spent,)] = db.execute("SELECT spent FROM a2e_batches").fetchall()
        db.execute(forget)
        assert db.execute("SELECT key FROM a2e_jobs").fetchall() == [("order-2",)]
        assert db.execute("SELECT spent FROM a2e_batches").fetchall() == [(spent,)]
        db.execute(doubt)
        assert db.execute("SELECT phase FROM a2e_jobs").fetchall() == [("uncertain",)]


def test_a_worker_in_a_lifespan(tell, tmp_path: Path, database: str, sandbox_in_thread: Sandbox) -> None:
    pytest.importorskip("fastapi", reason="needs the dependency group `web`")
    script = next(block.text for block in blocks_of(MACHINES) if "FastAPI(lifespan=" in block.text)

    async def order() -> str:
        await migrate(database)
        names = run(script, "machines.md")
        async with names["lifespan"](names["app"]) as state, SharedJobs(database) as jobs:
            urls = {"face_url": sandbox_in_thread.face_url, "video_url": sandbox_in_thread.video_url}
            await state["engine"].submit_many(FACE_SWAP, [{"key": "one", "name": "one", **urls}])
            return (await jobs.watch(FACE_SWAP, "one")).state.value

    assert asyncio.run(order()) == "done"
