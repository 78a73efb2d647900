"""What Prometheus scrapes, after a few jobs."""

from pathlib import Path

import pytest

pytest.importorskip("prometheus_client", reason="needs the dependency group `observability`")

from prometheus_client import CollectorRegistry, generate_latest

from a2e_async import FACE_SWAP, TaskFailedError
from a2e_async.integrations import prometheus
from a2e_async.integrations._database import migrate
from a2e_async.integrations.prometheus import Metrics, SharedMetrics
from a2e_async.sandbox import Rule
from tests.service import scene

pytestmark = pytest.mark.anyio

ADD = "POST /api/v1/userFaceSwapTask/add"


async def test_jobs_are_counted(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    value = registry.get_sample_value
    async with scene(observers=[Metrics(registry)]) as s:
        s.account.fault(Rule("status", path="/api/v1/userFaceSwapTask/add", status=429, retry_after=0, first=1))
        swap = await s.a2e.run(FACE_SWAP, **s.swap)
        path = await s.a2e.files.save(swap, tmp_path / "out.mp4")
        with pytest.raises(TaskFailedError):
            await s.a2e.run(FACE_SWAP, **s.swap | {"name": "fail:because"})
        spent = 1000 - s.account.coins
        await s.a2e.watch(FACE_SWAP, swap.id)

    kind = {"kind": "face_swap"}
    assert value("a2e_requests_total", {"endpoint": ADD, "outcome": "RateLimitError"}) == 1
    assert value("a2e_requests_total", {"endpoint": ADD, "outcome": "ok"}) == 2
    assert value("a2e_request_seconds_count", {"endpoint": ADD}) == 3
    assert value("a2e_brakes_total") == 1
    assert value("a2e_submissions_total", kind | {"outcome": "ok"}) == 2
    assert value("a2e_task_seconds_count", kind | {"state": "done"}) == 1
    assert value("a2e_task_seconds_count", kind | {"state": "failed"}) == 1
    assert value("a2e_wait_seconds_count", kind | {"outcome": "ok"}) == 3
    assert value("a2e_waits_in_progress", kind) == 0
    assert value("a2e_coins_charged_total", kind) - value("a2e_coins_refunded_total", kind) == spent == swap.coins
    assert value("a2e_transfer_bytes_total", {"direction": "download"}) == path.stat().st_size
    assert swap.id.encode() not in generate_latest(registry)


async def test_what_tasks_were_charged_is_not_remembered_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "REMEMBERED", 2)
    metrics = Metrics(CollectorRegistry())
    async with scene(observers=[metrics], clock="stepped") as s:
        for _ in range(4):
            await s.a2e.face_swap.tasks.add(**s.swap)
    assert len(metrics._started) == 2


async def test_what_machines_share_is_read_at_each_scrape(database: str) -> None:
    registry = CollectorRegistry()
    SharedMetrics(database, registry)
    value = registry.get_sample_value
    assert value("a2e_database_up") == 0  # there are no tables yet
    assert value("a2e_workers") is None

    await migrate(database)
    async with scene() as s:
        async with s.a2e.batch(FACE_SWAP, journal=database, name="night") as batch:
            jobs = [{**s.swap, "name": name, "key": name} for name in ("one", "fail:because")]
            assert len([outcome async for outcome in batch.run(jobs)]) == 2
        spent = 1000 - s.account.coins

    labels = {"kind": "face_swap", "batch": "night"}
    assert value("a2e_database_up") == 1
    assert value("a2e_jobs", labels | {"phase": "done"}) == value("a2e_jobs", labels | {"phase": "failed"}) == 1
    assert value("a2e_jobs", labels | {"phase": "new"}) == value("a2e_oldest_open_job_seconds", labels) == 0
    assert value("a2e_jobs_dead", labels) == 1
    assert value("a2e_batch_coins", labels) == spent
    assert {value(f"a2e_{name}") for name in ("workers", "queue_waiting", "queue_running", "brake_seconds")} == {0}
