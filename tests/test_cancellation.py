"""Whatever is cancelled, wherever it waits: it says so, leaves nothing open, and the session goes on."""

import asyncio
import gc
import json
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import pytest

from a2e_async import FACE_SWAP, A2ESession, Batch, Limits, Outcome, PollPolicy, TaskState, Webhooks
from a2e_async._surely import outlast
from a2e_async.groups.avatars import StartAvatar
from a2e_async.groups.face_swap import Swap
from a2e_async.groups.voices import StartVoice
from a2e_async.journal import Entry, Journal, read_entries, read_summaries
from a2e_async.sandbox import Rule, Sandbox, sandbox_thread
from a2e_async.sandbox.objects import SAMPLES
from tests.service import Scene
from tests.walking import BRISK, WAYS, Cancelling, Case, Work, walk

TOKEN = "a-token-that-nobody-knows"
ADD = "/api/v1/userFaceSwapTask/add"
CASES: list[Case] = []
Written: TypeAlias = Callable[[Scene, Path], AsyncGenerator[Work]]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with sandbox_thread() as sandbox:
        gc.collect()
        gc.freeze()  # each walk collects what is left of it: not all else, too
        yield sandbox
        gc.unfreeze()


def walked(stride: int = 1, **settings: Any) -> Callable[[Written], Written]:
    def add(written: Written) -> Written:
        CASES.append(Case(asynccontextmanager(written), stride, settings))
        return written

    return add


def with_results(s: Scene) -> None:
    """Let a result be something that need not be made."""
    video = {"Content-Type": "video/mp4"}
    s.account.fault(Rule("status", method="GET", path="/results/*", status=200, body="x" * 1000, headers=video))


async def paid(s: Scene) -> int:
    """Return how many tasks were paid for and not refunded, once what is under way at the server has ended."""
    charges, tasks = 1, 0
    with anyio.fail_after(5):
        while charges != tasks:
            await anyio.sleep(0.001)
            reasons = Counter(charge.reason for charge in s.account.ledger)
            charges, tasks = reasons["charge"] - reasons["refund"], len(s.account.tasks)
    return tasks


# --- Calls ------------------------------------------------------------------------------------------------------------


@walked()
async def one_record(s: Scene, _: Path) -> AsyncGenerator[Work]:
    task = await s.a2e.face_swap.tasks.add(**s.swap)
    yield s.a2e.face_swap.tasks.detail(id=task.id)


@walked()
async def many_records(s: Scene, _: Path) -> AsyncGenerator[Work]:
    yield s.a2e.face_swap.tasks.processing()


@walked()
async def one_page(s: Scene, _: Path) -> AsyncGenerator[Work]:
    yield s.a2e.face_swap.tasks.records()


@walked()
async def a_text(s: Scene, _: Path) -> AsyncGenerator[Work]:
    yield s.a2e.avatar_videos.detect_language(text="Hello, how are you?")


@walked()
async def nothing_in_return(s: Scene, _: Path) -> AsyncGenerator[Work]:
    [face, *_] = await s.a2e.face_swap.images.add(face_url=s.sandbox.face_url)
    yield s.a2e.face_swap.images.remove(id=face.id)


@walked()
async def a_stream(s: Scene, _: Path) -> AsyncGenerator[Work]:
    async def work() -> None:
        async for _ in s.a2e.image_to_video.extend_prompt(
            reference_id="r", image_url=s.sandbox.face_url, prompt="a smile", negative_prompt="x"
        ):
            await asyncio.sleep(0)

    yield work()


@walked()
async def all_pages(s: Scene, _: Path) -> AsyncGenerator[Work]:
    for _ in range(3):
        await s.a2e.face_swap.tasks.add(**s.swap)

    async def work() -> None:
        async for _ in s.a2e.face_swap.tasks.records.each(size=1):
            await asyncio.sleep(0)

    yield work()


@walked()
async def a_paid_call(s: Scene, _: Path) -> AsyncGenerator[Work]:
    yield s.a2e.face_swap.tasks.add(**s.swap)
    assert await paid(s) <= 1


@walked()
async def repeats(s: Scene, _: Path) -> AsyncGenerator[Work]:
    s.account.fault(Rule("truncated", path="*remainingCoins", nth=3))
    s.account.fault(Rule("status", path="*remainingCoins", nth=1, status=429))
    s.account.fault(Rule("reset_before", path="*remainingCoins", nth=2))
    yield s.a2e.account.coins()


async def together(*calls: Work) -> None:
    """Unlike `gather`, which leaves them behind, wait for those that are cancelled."""
    async with asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(call)


async def _some(s: Scene, count: int = 3) -> None:
    await together(*(s.a2e.account.coins() for _ in range(count)))


@walked(limits=Limits(concurrency=1))
async def a_queue(s: Scene, _: Path) -> AsyncGenerator[Work]:
    yield _some(s)


@walked(limits=Limits(rate=30.0))
async def a_rate(s: Scene, _: Path) -> AsyncGenerator[Work]:
    yield _some(s, 5)


@walked(stride=3)
async def closing(s: Scene, _: Path) -> AsyncGenerator[Work]:
    async def work() -> None:
        async with s.a2e:
            await together(s.a2e.account.coins(), s.a2e.files.upload(SAMPLES / "face.jpg"))

    yield work()


# --- Files ------------------------------------------------------------------------------------------------------------


@walked(stride=3)
async def an_upload(s: Scene, _: Path) -> AsyncGenerator[Work]:
    s.account.fault(Rule("reset_before", method="PUT", first=1))
    yield s.a2e.files.upload(SAMPLES / "clip.mp4")


@walked(stride=5, limits=Limits(transfers=1))
async def uploads_of_one_file(s: Scene, room: Path) -> AsyncGenerator[Work]:
    twin, other = room / "twin.jpg", room / "other.jpg"
    shutil.copy(SAMPLES / "face.jpg", twin)
    other.write_bytes(twin.read_bytes() + b"\0")

    async def work() -> None:
        await together(*(s.a2e.files.upload(path) for path in (SAMPLES / "face.jpg", twin, other)))

    yield work()


@walked(stride=3)
async def a_download(s: Scene, room: Path) -> AsyncGenerator[Work]:
    target = room / "made" / "clip.mp4"
    yield s.a2e.files.save(s.sandbox.video_url, target)
    assert not target.exists() or target.stat().st_size == (SAMPLES / "clip.mp4").stat().st_size


@walked(stride=4)
async def a_download_that_breaks(s: Scene, room: Path) -> AsyncGenerator[Work]:
    target = room / "clip.mp4"
    url = await s.a2e.files.upload(SAMPLES / "clip.mp4")
    s.account.fault(Rule("truncated", path="/cdn/*", first=1))
    yield s.a2e.files.save(url, target)
    assert not target.exists() or target.read_bytes() == (SAMPLES / "clip.mp4").read_bytes()


@walked(stride=3)
async def a_download_whose_url_has_expired(s: Scene, room: Path) -> AsyncGenerator[Work]:
    task = await s.a2e.face_swap.tasks.add(**s.swap)
    s.account.advance(100)
    expired = Swap(id=task.id, status="completed", result_url=f"{s.sandbox.url}/results/gone.mp4")
    with_results(s)
    yield s.a2e.files.save(expired, room / "clip.mp4")


# --- Waiting ----------------------------------------------------------------------------------------------------------


@walked()
async def awaiting(s: Scene, _: Path) -> AsyncGenerator[Work]:
    watcher = s.a2e.watch(await s.a2e.face_swap.tasks.add(**s.swap))

    async def work() -> None:
        await watcher

    yield work()
    assert (await watcher).state is TaskState.DONE


@walked()
async def iterating(s: Scene, _: Path) -> AsyncGenerator[Work]:
    watcher = s.a2e.watch(await s.a2e.face_swap.tasks.add(**s.swap))
    told: list[TaskState] = []

    async def work() -> None:
        async for change in watcher:
            told.append(change.state)
            await asyncio.sleep(0)

    yield work()
    await work()
    assert told == sorted({*told}, key=[*TaskState].index)
    assert (told[0], told[-1]) == (TaskState.QUEUED, TaskState.DONE)


@walked()
async def two_watchers_of_one_task(s: Scene, _: Path) -> AsyncGenerator[Work]:
    task = await s.a2e.face_swap.tasks.add(**s.swap)

    async def iterated() -> None:
        async for _ in s.a2e.watch(task):
            pass

    async def work() -> None:
        await together(iterated(), s.a2e.finish(task))

    yield work()


@walked(stride=2)
async def watching_one_by_one(s: Scene, _: Path) -> AsyncGenerator[Work]:
    tasks = [await s.a2e.face_swap.tasks.add(**s.swap) for _ in range(3)]
    for path in ("*batchDetail", "*Task/status", "*Task/records"):
        s.account.fault(Rule("status", path=path, status=404))

    async def work() -> None:
        await together(*(s.a2e.finish(task) for task in tasks))

    yield work()


@walked(poll=PollPolicy(shortest=500, longest=500))
async def hurried(s: Scene, _: Path) -> AsyncGenerator[Work]:
    task = await s.a2e.face_swap.tasks.add(**s.swap)
    hooks = Webhooks(s.a2e, token=TOKEN)

    async def work() -> None:
        wait = asyncio.ensure_future(s.a2e.finish(task))
        try:
            await asyncio.sleep(0)
            s.account.advance(100)
            await hooks.receive([(b"x-a2e-webhook-token", TOKEN.encode())], f'{{"_id": "{task.id}"}}'.encode())
            await wait
        finally:
            wait.cancel()

    yield work()


@walked()
async def taken_up(s: Scene, _: Path) -> AsyncGenerator[Work]:
    handle = (await s.a2e.face_swap.tasks.add(**s.swap)).handle()

    async def work() -> None:
        await s.a2e.take_up(handle)

    yield work()


@walked(stride=3)
async def running(s: Scene, _: Path) -> AsyncGenerator[Work]:
    yield s.a2e.run(FACE_SWAP, name="clip", face_url=SAMPLES / "face.jpg", video_url=s.sandbox.video_url)
    assert await paid(s) <= 1


# --- Calls in one -----------------------------------------------------------------------------------------------------


@walked()
async def saying(s: Scene, _: Path) -> AsyncGenerator[Work]:
    [character, *_] = await s.a2e.avatar_videos.characters(type="public")
    [family, *_] = await s.a2e.voices.public()
    yield s.a2e.avatar_videos.say("Hi.", anchor_id=character.id, tts_id=family.voices[0].id)


@walked()
async def making_an_avatar(s: Scene, _: Path) -> AsyncGenerator[Work]:
    yield s.a2e.avatars.create(StartAvatar(name="me", gender="female", video_url=s.sandbox.video_url))


@walked()
async def cloning(s: Scene, _: Path) -> AsyncGenerator[Work]:
    [family, *_] = await s.a2e.voices.public()
    sample = await s.a2e.voices.speak(text="Hello.", tts_id=family.voices[0].id)
    yield s.a2e.voices.clone_and_speak("Hello.", StartVoice(name="mine", voice_urls=[sample]))


@walked()
async def meeting(s: Scene, _: Path) -> AsyncGenerator[Work]:
    [avatar, *_] = await s.a2e.streaming.avatars()

    async def work() -> None:
        async with s.a2e.streaming.room(avatar.id) as room:
            await room.ask("What do you sell?")

    s.account.advance(1)
    before = s.account.coins
    yield work()
    assert s.account.coins == before, "the room was not left"


# --- Jobs and callbacks -----------------------------------------------------------------------------------------------


@walked(stride=6)
async def a_job(s: Scene, room: Path) -> AsyncGenerator[Work]:
    with_results(s)

    async def work() -> None:
        async with s.a2e.job(deadline=60, on_cancel="remove") as job:
            face, clip = SAMPLES / "face.jpg", s.sandbox.video_url
            swap = await job.run(FACE_SWAP, name="clip", face_url=face, video_url=clip)
            await job.save(swap, room / "clip.mp4")

    yield work()
    assert await paid(s) <= 1


@walked(clock="stepped")
async def a_job_that_is_taken_back(s: Scene, _: Path) -> AsyncGenerator[Work]:
    job = s.a2e.job(on_cancel="remove")

    async def work() -> None:
        with suppress(LookupError):
            async with job:
                await job.start(FACE_SWAP, **s.swap)
                raise LookupError

    yield work()
    assert {task.id for task in s.account.tasks} <= {*job.left}


@walked()
async def a_callback(s: Scene, _: Path) -> AsyncGenerator[Work]:
    told: list[str] = []

    async def on_task(task_id: str) -> None:
        await asyncio.sleep(0)
        told.append(task_id)

    hooks = Webhooks(s.a2e, token=TOKEN, on_task=on_task)
    task_id = "66e63777a3ebb9f1e3a2ab5c"

    async def receive() -> dict[str, object]:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": task_id.encode()}

    async def send(_: dict[str, object]) -> None:
        await asyncio.sleep(0)

    scope = {"type": "http", "method": "POST", "headers": [(b"x-a2e-webhook-token", TOKEN.encode())]}
    yield hooks(scope, receive, send)
    await hooks(scope, receive, send)  # who got no answer calls again
    assert set(told) == {task_id}


# --- Journals and batches ---------------------------------------------------------------------------------------------


@walked()
async def a_journal(s: Scene, room: Path) -> AsyncGenerator[Work]:
    path = room / "j.sqlite"

    async def work() -> None:
        journal = await Journal.open(path, kind="face_swap", account="a")
        try:
            job = await journal.intend("k", b"d", b"{}", "a2e:1", 1.0)
            await journal.started(job, "id", 1.0)
        finally:
            await journal.aclose()

    yield work()
    await (await Journal.open(path, kind="face_swap", account="a")).aclose()


def jobs(s: Scene, count: int = 2) -> list[dict[str, Any]]:
    return [s.swap | {"key": f"k{n}", "name": f"n{n}"} for n in range(count)]


async def consume(batch: Batch[Swap], outcomes: AsyncIterator[Outcome[Swap]]) -> None:
    async with batch:
        async for _ in outcomes:
            await asyncio.sleep(0)


async def settled(s: Scene, path: Path, count: int = 2, **settings: Any) -> None:
    """Run a batch again, for which all has to be as if it had not been cancelled."""
    if path.exists() and (found := read_summaries(path)):
        assert [summary.holder for summary in found] == [""]
        agree(s, read_entries(path, 1))
    patience: dict[str, Any] = {"timeout": 0.3}  # else it would wait long for what was never sent
    async with A2ESession(s.a2e.config.api_key, **{**BRISK, "base_url": s.sandbox.url, **patience}) as a2e:
        async with a2e.batch(FACE_SWAP, journal=path, **settings) as batch, time_passing(s):
            ends = {outcome.key: outcome async for outcome in batch.run(jobs(s, count))}
            assert batch.status().coins == 1000 - s.account.coins
    assert {end.error for end in ends.values()} == {None}
    assert {end.task and end.task.id for end in ends.values()} == {task.id for task in s.account.tasks}
    assert len(ends) == await paid(s) == count


def agree(s: Scene, entries: Iterator[Entry]) -> None:
    """Compare a journal with what is at the server."""
    there = {task.id: str(task.wire_fields()["name"]) for task in s.account.tasks}
    for entry in entries:
        if entry.task_id:
            assert there.pop(entry.task_id).startswith(f"{entry.tag} ")
        elif entry.phase == "sending":
            there = {id_: name for id_, name in there.items() if not name.startswith(f"{entry.tag} ")}
        else:
            assert (entry.phase, entry.tag) == ("new", None)
    assert there == {}, "not in the journal"


@asynccontextmanager
async def time_passing(s: Scene) -> AsyncGenerator[None]:
    async def pass_() -> None:
        while True:
            await asyncio.sleep(0.01)
            s.account.advance(100)

    passing = asyncio.ensure_future(pass_())
    try:
        yield
    finally:
        passing.cancel()


@walked(stride=3)
async def a_batch(s: Scene, _: Path) -> AsyncGenerator[Work]:
    batch = s.a2e.batch(FACE_SWAP)
    yield consume(batch, batch.run(jobs(s)))
    assert await paid(s) <= 2


@walked(stride=6)
async def a_batch_with_a_journal(s: Scene, room: Path) -> AsyncGenerator[Work]:
    batch = s.a2e.batch(FACE_SWAP, journal=room / "j.sqlite")
    yield consume(batch, batch.run(jobs(s)))
    await settled(s, room / "j.sqlite")
    async with batch:
        assert {outcome.known async for outcome in batch.run(jobs(s))} == {True}, "it can be entered again"


@walked(stride=6)
async def a_batch_that_saves(s: Scene, room: Path) -> AsyncGenerator[Work]:
    with_results(s)
    (room / "jobs.jsonl").write_text("\n".join(json.dumps(job) for job in jobs(s, 1)))
    out = str(room / "out" / "{key}.mp4")
    batch = s.a2e.batch(FACE_SWAP, journal=room / "j.sqlite", out=out, max_coins=900, rate=1000)
    yield consume(batch, batch.run(room / "jobs.jsonl"))
    assert {path.stat().st_size for path in room.glob("out/*")} <= {1000}
    await settled(s, room / "j.sqlite", 1, out=out)
    assert [path.name for path in room.glob("out/*")] == ["k0.mp4"]


async def _begun(s: Scene, path: Path) -> None:
    """Leave one job in doubt and one running."""
    s.account.fault(Rule("reset_after", path=ADD, first=1))
    s.account.fault(Rule("status", path="*/records"))
    s.account.fault(Rule("word"))
    batch = s.a2e.batch(FACE_SWAP, journal=path)
    run = asyncio.ensure_future(consume(batch, batch.run(jobs(s))))
    while len(s.account.tasks) < 2 or not batch.status().unknown:
        await asyncio.sleep(0.001)
    run.cancel()
    await asyncio.wait([run])
    s.account.rules.clear()
    assert {entry.phase for entry in read_entries(path, 1)} == {"sending", "sent"}


@walked(stride=6)
async def a_batch_that_is_taken_up(s: Scene, room: Path) -> AsyncGenerator[Work]:
    await _begun(s, room / "j.sqlite")
    batch = s.a2e.batch(FACE_SWAP, journal=room / "j.sqlite")
    yield consume(batch, batch.resume())
    await settled(s, room / "j.sqlite")


@walked(stride=6, clock="stepped")
async def a_batch_that_is_called_off(s: Scene, room: Path) -> AsyncGenerator[Work]:
    batch = s.a2e.batch(FACE_SWAP, journal=room / "j.sqlite")
    run = asyncio.ensure_future(consume(batch, batch.run(jobs(s))))
    while batch.status().queued < 2:
        await asyncio.sleep(0.001)

    async def work() -> None:
        try:
            await batch.cancel(remove=True)
        finally:
            await outlast(run)

    yield work()
    assert len(batch.removed) + len(s.account.tasks) == 2
    await settled(s, room / "j.sqlite")


@walked(stride=6, clock="stepped")
async def a_batch_that_takes_back(s: Scene, room: Path) -> AsyncGenerator[Work]:
    batch = s.a2e.batch(FACE_SWAP, journal=room / "j.sqlite", on_cancel="remove")

    async def work() -> None:
        async with batch, asyncio.TaskGroup() as group:
            run = group.create_task(anext(batch.run(jobs(s)), None))
            while batch.status().queued < 2:
                await asyncio.sleep(0.001)
            run.cancel()

    yield work()
    await settled(s, room / "j.sqlite")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.make.__name__)
def test_cancelled_anywhere_it_leaves_nothing(
    case: Case, way: type[Cancelling], sandbox: Sandbox, tmp_path: Path
) -> None:
    walk(case, way, sandbox, tmp_path)


INTERRUPTED = """
import asyncio, sys
from pathlib import Path
from a2e_async import FACE_SWAP, A2ESession, PollPolicy

async def main(key, url, room):
    async with A2ESession(key, base_url=url, poll=PollPolicy(shortest=0.01, longest=0.02, grace=0.0)) as a2e:
        async with a2e.batch(FACE_SWAP, journal=room / "j.sqlite") as batch:
            async for _ in batch.run(room / "jobs.jsonl"):
                pass

asyncio.run(main(*sys.argv[1:3], Path(sys.argv[3])))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there no other process can be sent a SIGINT alone")
@pytest.mark.parametrize("after", [1, 4, 11, 17])
def test_interrupted_by_the_keyboard_it_is_settled_by_the_next_run(
    after: int, sandbox: Sandbox, tmp_path: Path
) -> None:
    key = f"sk_{tmp_path.name}"
    s = Scene(sandbox, sandbox.account(key, clock="per-poll:3"), A2ESession(key, base_url=sandbox.url))
    (tmp_path / "jobs.jsonl").write_text("\n".join(json.dumps(job) for job in jobs(s, 12)))
    code = [sys.executable, "-W", "error", "-c", INTERRUPTED, key, sandbox.url, str(tmp_path)]
    with subprocess.Popen(code, stderr=subprocess.PIPE, text=True) as process:
        while len(s.account.requests) < after:
            assert process.poll() is None
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert (process.returncode, told.splitlines()[-1]) == (-signal.SIGINT, "KeyboardInterrupt")
    asyncio.run(settled(s, tmp_path / "j.sqlite", 12))
