"""Journals that somebody damaged: whatever is in the file, it is told as an error of a journal, or read."""

import asyncio
import hashlib
import sqlite3
from contextlib import closing
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from msgspec.structs import asdict

from a2e_async import PollPolicy, RetryPolicy, TaskState
from a2e_async._frozen import freeze
from a2e_async._reconcile import new_tag
from a2e_async._rows import Ledger
from a2e_async.batch import Batch
from a2e_async.cli import batch_export, batch_status
from a2e_async.config import SessionConfig
from a2e_async.errors import A2EError, NotFoundError
from a2e_async.files import Files
from a2e_async.groups.face_swap import FACE_SWAP, AddSwap, Swap
from a2e_async.journal import Journal, Phase, read_entries, read_summaries
from tests.mutations import Draw, scrambled

CONFIG = SessionConfig(
    api_key="sk_journal",
    timeout=0.001,
    poll=PollPolicy(shortest=0.001, longest=0.001, grace=0.0),
    retry=RetryPolicy(attempts=1, longest=0.0),
)
ACCOUNT = f"{CONFIG.base_url} {CONFIG.api_key}"
KEYS = ("new", "sending", "sent", "done", "failed", "refused", "uncertain")
COLUMNS = (
    "key", "digest", "request", "phase", "tag", "anchor", "task_id", "price", "coins", "intended", "doubted", "ended",
    "record", "failure", "path", "twins", "lost",
)  # fmt: skip
ODD: tuple[Any, ...] = (
    None, "", "x", b"", b"\xff", b"{", b"{}", b"[" * 5000, 0, -1, 7, 2**62, 1e300, float("inf"), -1e9, "nan", "done",
    "new",
    b'{"_id":"b","coins":"nan"}', b'{"message":1}', b'{"message":"m","code":1003,"http_status":200,"more":1}',
)  # fmt: skip


class Deaf:
    """A service that knows nothing of anybody's tasks."""

    async def call(self, endpoint: Any, _request: Any, _permit: object = None) -> Any:
        raise NotFoundError("nobody is here", http_status=404, endpoint=endpoint.label)

    async def prepare(self, _endpoint: Any, request: Any) -> Any:
        return request


def job(key: str) -> AddSwap:
    return AddSwap(name=key, face_url="https://a/f.jpg", video_url="https://a/v.mp4")


@cache
def whole(folder: Path) -> bytes:
    """A journal with a job in each phase."""
    path = folder / "whole.sqlite"
    asyncio.run(_write(path))
    return path.read_bytes()


async def finish(journal: Ledger, key: str, coins: float = 10.0) -> None:
    """Note a job from its intent to its end."""
    job = await journal.intend(key, b"d", b"{}", new_tag(), coins)
    await journal.started(job, f"id of {key}", coins)
    await journal.ended(job, Phase.DONE, coins, record=b"{}")


async def _write(path: Path) -> None:
    journal = await Journal.open(path, kind="face_swap", account=ACCOUNT)
    for key in KEYS:
        frozen = freeze(job(key))
        digest = hashlib.blake2b(frozen, digest_size=16).digest()
        number = await journal.intend(key, digest, frozen, new_tag(), 10.0, anchor="")
        task = Swap(id=f"{len(key):024x}", status="completed", result_url="https://a/r.mp4", coins=10.0)
        if key == "new":
            await journal.withdrawn(number)
        elif key in {"sent", "done", "failed"}:
            await journal.started(number, task.id, 10.0)
        if key == "refused":
            refusal = b'{"message":"no","code":1003,"http_status":403}'
            await journal.ended(number, Phase.FAILED, 0.0, failure=refusal)
        elif key in {"done", "failed", "uncertain"}:
            record = None if key == "uncertain" else task.to_json()
            await journal.ended(number, Phase(key), 10.0, record=record)
    await journal.aclose()


def bytes_changed(draw: Draw, seed: bytes) -> bytes:
    """Change bytes anywhere, mostly where rows lie."""
    if draw.random() < 0.1:
        return scrambled(draw, seed)
    data = bytearray(seed)
    for _ in range(draw.choice((1, 1, 3, 10))):
        data[draw.randrange(len(data))] = draw.choice((0, 1, 0x7F, 0xFF, draw.randrange(256)))
    return bytes(data)


def row_changed(path: Path, draw: Random) -> None:
    """Put into one column of one row what does not belong there."""
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA ignore_check_constraints = 1")
        odd = draw.choice(ODD)
        try:
            if draw.random() < 0.2:
                column = draw.choice(("kind", "name", "salt", "account", "created", "holder"))
                db.execute(f"UPDATE batches SET {column} = ?", (odd,))
            else:
                db.execute(f"UPDATE jobs SET {draw.choice(COLUMNS)} = ? WHERE key = ?", (odd, draw.choice(KEYS)))
        except sqlite3.IntegrityError:  # NULL where none may be
            pass


def look_through(path: Path) -> int:
    """Read all there is, and run the batch again; return how many outcomes there were."""
    for summary in read_summaries(path):
        batch_status._record(summary)
        batch_status._row(summary)
        for entry in read_entries(path, summary.id):
            batch_export._row(summary, entry)
    return asyncio.run(_run(path))


async def _run(path: Path) -> int:
    deaf = Deaf()
    found = 0
    for retry in ((), (TaskState.FAILED, TaskState.UNCERTAIN)):
        batch = Batch(deaf, FACE_SWAP, Files(deaf, None), CONFIG, journal=path, retry=retry, deadline=0.01)
        async with batch:
            for outcomes in (batch.resume(), batch.run([{"key": key} | asdict(job(key)) for key in KEYS])):
                async for outcome in outcomes:
                    assert outcome.error is None or isinstance(outcome.error, A2EError), repr(outcome.error)
                    assert isinstance(outcome.coins, float)
                    assert (outcome.state is TaskState.DONE) <= (outcome.error is None)
                    found += 1
            assert batch.status().coins >= 0
    return found
