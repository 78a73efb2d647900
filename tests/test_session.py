"""The main job through the session: waits survive trouble, many share few requests, bad input costs nothing."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from a2e_async import FACE_SWAP, A2ESession, ConfigError, RequestError, TaskFailedError, TaskState
from a2e_async.groups.face_swap import AddSwap
from a2e_async.sandbox import Rule
from a2e_async.sandbox.objects import SAMPLES
from tests.service import KEY, SWIFT, scene

pytestmark = pytest.mark.anyio


async def test_three_lines_to_the_first_result(tmp_path: Path) -> None:
    async with scene() as s:
        face, clip = SAMPLES / "face.jpg", SAMPLES / "clip.mp4"
        swap = await s.a2e.run(FACE_SWAP, name="clip", face_url=face, video_url=clip)
        saved = await s.a2e.files.save(swap, tmp_path / "out.mp4")
        assert swap.state is TaskState.DONE
        assert saved.read_bytes()[4:8] == b"ftyp"
        assert saved.read_bytes() != clip.read_bytes()
        assert swap.raw["duration"] == swap.duration == 4
        assert s.account.coins == 1000 - (swap.coins or 0)


async def test_a_wait_survives_every_hiccup() -> None:
    async with scene(clock="per-poll:6") as s:
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        detail = f"*{task.id}"
        for nth, rule in enumerate(
            [
                Rule("reset_before", path=detail),
                Rule("status", path=detail, status=503),
                Rule("status", path=detail, status=429, headers={"Retry-After": "0"}),
                Rule("word", path=detail, word="polishing"),
                Rule("html", path=detail),
            ],
            start=1,
        ):
            rule.nth = nth
            s.account.fault(rule)
        states = [change.state async for change in s.a2e.watch(task)]
        assert states[-1] is TaskState.DONE
        assert set(Counter(states).values()) <= {1, 2}
        effects = [entry.effect for entry in s.account.requests if task.id in entry.path]
        assert set(effects) >= {"reset_before", "status", "word", "html"}


async def test_a_thousand_swaps_share_their_readings() -> None:
    async with scene(clock="scaled:5", coins=20_000, poll=None) as s:
        began = time.monotonic()
        async with s.a2e.batch(FACE_SWAP) as batch:
            states = Counter([o.state async for o in batch.run(s.swap | {"name": str(n)} for n in range(1000))])
        seconds = time.monotonic() - began
        assert states == {TaskState.DONE: 1000}
        assert len(s.sent("POST", "/add")) == len(s.account.tasks) == 1000
        reads = len(s.sent("POST", "batchDetail")) + len([e for e in s.account.requests if e.method == "GET"])
        rounds = max(1, seconds)  # one a second at the most
        assert reads / 1000 / rounds <= 0.2
        assert s.account.coins == 20_000 - sum(task.coins for task in s.account.tasks)


async def test_watching_by_kind_and_id() -> None:
    async with scene() as s:
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        assert (await s.a2e.watch(FACE_SWAP, task.id)).id == task.id


async def test_a_failed_task_is_refunded_and_says_why() -> None:
    async with scene() as s:
        with pytest.raises(TaskFailedError, match="no face"):
            await s.a2e.run(FACE_SWAP, **s.swap | {"name": "fail:no face"})
        assert s.account.coins == 1000


async def test_a_cancelled_run_leaves_the_job_alone() -> None:
    async with scene(clock="stepped") as s:
        run = asyncio.ensure_future(s.a2e.run(FACE_SWAP, **s.swap))
        while not s.sent("GET", "userFaceSwapTask"):
            await asyncio.sleep(0)
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)
        assert len(s.account.tasks) == 1
        assert not s.sent("DELETE", "")
        assert not [t for t in asyncio.all_tasks() if "a2e" in t.get_name()]


async def test_a_session_opened_in_another_task_can_be_waited_on() -> None:
    async with scene() as s:
        task = await asyncio.create_task(s.a2e.face_swap.tasks.add(**s.swap))
        assert (await asyncio.create_task(s.a2e.watch(task)._result())).state is TaskState.DONE


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"video_url": "https://host/my clip.mp4"}, r"video_url: .*holds a space"),
        ({"face_url": "face.jpg"}, r"face_url: 'face.jpg' is no http\(s\) URL.*pathlib.Path"),
        ({"face_url": SAMPLES / "CREDITS.md"}, r"face_url: .*no media that is known here.*JPEG"),
        ({"face_url": SAMPLES / "clip.mp4"}, r"face_url: .*video/mp4, but a picture"),
        ({"face_url": SAMPLES / "no.jpg"}, r"face_url: .*cannot be read"),
        ({"name": ""}, r"name: "),
        ({"model_version": "v3"}, r"model_version: Invalid enum value 'v3'"),
        ({"name": 5}, r"name: Expected `str`, got `int`"),
    ],
)
async def test_bad_input_is_refused_before_anything_is_sent(change: dict[str, object], message: str) -> None:
    async with scene() as s:
        with pytest.raises(RequestError, match=message) as caught:
            await s.a2e.run(FACE_SWAP, **s.swap | change)
        assert next(iter(change)) == caught.value.field
        assert caught.value.spent == "no"
        assert not s.account.requests


async def test_a_bad_file_keeps_a_good_one_from_being_sent() -> None:
    async with scene() as s:
        with pytest.raises(RequestError, match="video_url"):
            await s.a2e.run(FACE_SWAP, name="n", face_url=SAMPLES / "face.jpg", video_url=SAMPLES / "CREDITS.md")
        assert not s.account.requests


async def test_a_typo_is_a_type_error_at_once() -> None:
    async with scene() as s:
        with pytest.raises(TypeError, match="face_ulr"):
            await s.a2e.face_swap.tasks.add(**s.swap, face_ulr="x")


async def test_a_remote_file_that_is_no_picture_costs_nothing() -> None:
    async with scene() as s:
        with pytest.raises(Exception, match="face_url"):
            await s.a2e.run(FACE_SWAP, **s.swap | {"face_url": s.sandbox.video_url})
        assert s.account.coins == 1000


async def test_watching_what_is_no_task() -> None:
    async with scene() as s:
        with pytest.raises(TypeError, match="no task"):
            s.a2e.watch(AddSwap(**s.swap))


def test_no_key_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A2E_API_KEY", raising=False)
    with pytest.raises(ConfigError, match=r"A2E_API_KEY.*a2e demo"):
        A2ESession()


def test_the_environment_is_read_when_the_session_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A2E_API_KEY", KEY)
    monkeypatch.setenv("A2E_BASE_URL", "https://elsewhere.example/")
    a2e = A2ESession(**SWIFT)
    assert a2e.config.base_url == "https://elsewhere.example"
    assert KEY not in repr(a2e) + repr(a2e.config) + repr(vars(a2e))
