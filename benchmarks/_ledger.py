"""The journal in PostgreSQL, written as workers write it: rows a second, bytes a row, what listeners cost."""

import asyncio
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from _measure import child
from _service import RECORD

from tests.servers import PostgreSQL

AT_ONCE = 32
"""Jobs that one process has under way: as many as a batch submits at once."""
LISTENERS = 50
WAL = "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')"
REQUEST = b'{"name":"clip","face_url":"https://cdn.example/faces/%s.jpg","video_url":"https://cdn.example/%s.mp4"}'


class Counted(PostgreSQL):
    def cpu(self) -> float:
        """Seconds of CPU of all its processes, ended ones included; NaN where nothing tells."""
        try:
            stats = [path.read_text(encoding="utf-8").rpartition(")")[2].split() for path in self._stats()]
        except OSError:
            return float("nan")
        return sum(sum(map(int, one[11:15])) for one in stats) / os.sysconf("SC_CLK_TCK")

    def _stats(self) -> list[Path]:
        first = self._process.pid
        children = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="utf-8").split()
        return [Path(f"/proc/{pid}/stat") for pid in (first, *children)]


def measured(seconds: float, processes: int) -> dict[str, Any]:
    """Write with one process and with several, to one batch and to one each, with few listeners and with many."""
    with Counted(durable=True) as server:
        dsn = server.create()
        batches, before = asyncio.run(_prepared(dsn, processes))

        def load(who: list[int]) -> dict[str, float]:
            before = server.cpu()
            with ThreadPoolExecutor(len(who)) as pool:
                got = list(pool.map(lambda batch: child("scale.py", "part", "ledger", dsn, batch, seconds), who))
            if broken := [one["error"] for one in got if "error" in one]:
                raise SystemExit(broken[0])
            jobs = sum(one["jobs"] for one in got)
            return {
                "jobs_s": jobs / seconds,
                "cpu_ms_job": sum(one["cpu"] for one in got) / jobs * 1e3,
                "server_ms_job": (server.cpu() - before) / jobs * 1e3,
            }

        found: dict[str, Any] = {
            "processes": processes,
            "one process": load(batches[:1]),
            "one batch": load(batches[:1] * processes),
            "a batch each": load(batches),
        }
        found |= {"listened to": asyncio.run(_listened(dsn, load, batches))}
        return found | asyncio.run(_sizes(dsn, before))


async def _prepared(dsn: str, count: int) -> tuple[list[int], float]:
    from a2e_async.integrations._database import Database, migrate  # noqa: PLC0415 - wants the extra `postgres`

    await migrate(dsn)
    database = await Database(dsn).open()
    try:
        batches = [await database.enrol("face_swap", f"load {number}", "account") for number in range(count)]
        return batches, float((await database.rows(WAL))[0][0])
    finally:
        await database.aclose()


async def _listened(dsn: str, load: Any, batches: list[int]) -> dict[str, float]:
    import psycopg  # noqa: PLC0415 - as above

    listeners = [await psycopg.AsyncConnection.connect(dsn, autocommit=True) for _ in range(LISTENERS)]
    for one in listeners:
        await one.execute("LISTEN a2e_changes")

    async def hear(one: Any) -> None:
        async for _ in one.notifies():
            pass

    hearing = [asyncio.create_task(hear(one)) for one in listeners]
    try:
        return await asyncio.to_thread(load, batches)
    finally:
        for task in hearing:
            task.cancel()
        await asyncio.gather(*hearing, return_exceptions=True)
        for one in listeners:
            await one.close()


async def _sizes(dsn: str, before: float) -> dict[str, float]:
    import psycopg  # noqa: PLC0415 - as above

    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        whole = await (await db.execute(WAL)).fetchone()
        await db.execute("VACUUM FULL a2e_jobs")
        found = await db.execute("SELECT count(*), pg_total_relation_size('a2e_jobs') FROM a2e_jobs")
        rows, size = await found.fetchone() or (1, 0)
        return {"rows": rows, "bytes_row": size / rows, "wal_row": (float((whole or (0,))[0]) - before) / rows}


async def written(dsn: str, batch: int, seconds: float) -> dict[str, float]:
    """Take jobs through the journal, from the intent to the end, for so many seconds."""
    from a2e_async._rows import Phase  # noqa: PLC0415 - loaded in the process that is measured
    from a2e_async.integrations._database import Database  # noqa: PLC0415
    from a2e_async.integrations.postgres import PostgresJournal  # noqa: PLC0415

    database = await Database(dsn).open()
    journal, count = PostgresJournal(database, batch), 0
    mine = f"{time.time_ns():x}"
    began, used = time.monotonic(), time.process_time()

    async def work(worker: int) -> None:
        nonlocal count
        number = 0
        while time.monotonic() - began < seconds:
            number += 1
            key = f"{mine}-{worker}-{number}"
            name = key.encode()
            await journal.find(key)
            job = await journal.intend(key, name, REQUEST % (name, name), f"a2e:{key}", 10.0)
            await journal.started(job, key, 10.0)
            await journal.ended(job, Phase.DONE, 10.0, record=RECORD % (name, b'"clip"', b"completed", name))
            count += 1

    try:
        async with asyncio.TaskGroup() as group:
            for worker in range(AT_ONCE):
                group.create_task(work(worker))
        return {"jobs": count, "cpu": time.process_time() - used}
    finally:
        await database.aclose()
