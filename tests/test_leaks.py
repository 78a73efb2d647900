"""Nothing stays behind: after batches, watches and cancellations amid faults, all counts are what they were."""

import asyncio
import gc
import sys
import threading
from pathlib import Path

from a2e_async import FACE_SWAP, A2ESession, PollPolicy, RetryPolicy
from a2e_async.sandbox import Sandbox, sandbox_thread, storm
from tests.service import KEY
from tests.snippets import SAMPLES

PICTURE = SAMPLES / "face.jpg"


async def work(sandbox: Sandbox, folder: Path, turn: int) -> int:
    """Run a batch to its end and leave another one in the middle; return how many tasks are left when all is closed."""
    retry, poll = RetryPolicy(base=0.01, longest=0.05), PollPolicy(shortest=0.05, longest=0.2, grace=1.0)
    async with A2ESession(KEY, base_url=sandbox.url, timeout=0.3, retry=retry, poll=poll) as a2e:
        upload = folder / f"{turn}.in.jpg"
        upload.write_bytes(PICTURE.read_bytes() + bytes([turn]))
        job = {"face_url": upload, "video_url": sandbox.face_url}
        jobs = [job | {"key": f"{turn}-{place}", "name": f"{turn}-{place}"} for place in range(10)]
        for name, most in (("whole", len(jobs)), ("left", 2)):
            async with a2e.batch(
                FACE_SWAP, journal=folder / "j.sqlite", name=f"{name} {turn}", out=folder / "{key}.jpg", deadline=2.0
            ) as batch:
                seen = 0
                async for _ in batch.run(jobs):
                    seen += 1
                    if seen == most:
                        break
    await asyncio.sleep(0.05)
    return len(asyncio.all_tasks()) - 1


def descriptors() -> int:
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())) if sys.platform == "linux" else 0


def test_after_faults_and_cancellations_all_counts_are_what_they_were(tmp_path: Path) -> None:
    def once(turn: int) -> tuple[int, int, int]:
        with sandbox_thread(clock="scaled:200", coins=1e6, faults=storm(0.005), seed=turn) as sandbox:
            left = asyncio.run(work(sandbox, tmp_path, turn))
        return left, descriptors(), threading.active_count()

    _, files, threads = once(1)  # what is loaded once is no leak
    left = once(2)
    assert left[0] == 0
    assert left[1] <= files
    assert left[2] <= threads
    assert not list(tmp_path.rglob("*.part"))
