"""Every kind of task, by its declaration alone: done, failed, removed, in batches; coins agree, results decode."""

from pathlib import Path
from typing import Any

import pytest

from a2e_async import (
    AVATAR,
    AVATAR_VIDEO,
    CONTINUED_AVATAR,
    FACE_SWAP_PREVIEW,
    VOICE_CLONE,
    NotFoundError,
    TaskFailedError,
    TaskKind,
    TaskState,
)
from a2e_async._wire import blueprint
from a2e_async.cli._least import least
from a2e_async.sandbox import Rule
from a2e_async.sandbox.media import probe
from a2e_async.tasks import KINDS
from tests.service import Scene, scene

pytestmark = pytest.mark.anyio

TRAINED = [VOICE_CLONE, AVATAR, CONTINUED_AVATAR]
"""What gives no file."""
MADE = [kind for kind in KINDS.values() if kind not in TRAINED]
LANGUAGES = {"source_lang": "en", "target_lang": "fr"}


async def speech(s: Scene) -> str:
    [family, *_] = await s.a2e.voices.public()
    return await s.a2e.voices.speak(text="Hello there.", tts_id=family.voices[0].id)


async def fields(s: Scene, kind: TaskKind[..., Any], name: str) -> dict[str, Any]:
    """What a start of this kind takes in the sandbox, no more than it must."""
    if kind is CONTINUED_AVATAR:
        return {"id": (await s.a2e.run(AVATAR, name="base", gender="female", video_url=s.sandbox.video_url)).id}
    given: dict[str, Any] = dict(LANGUAGES)
    media = {"picture": s.sandbox.face_url, "video": s.sandbox.video_url}
    request = kind.start.request
    if kind is AVATAR_VIDEO:
        [character, *_] = await s.a2e.avatar_videos.characters(type="public")
        given |= {"anchor_id": character.id}
    if any(accepted[0] == "audio" for accepted in blueprint(request).media.values() if accepted):
        media["audio"] = await speech(s)
    found = least(request, media, given)
    return found | {kind.tag: name} if kind.tag else found


async def started(s: Scene, kind: TaskKind[..., Any], name: str = "clip") -> Any:
    return await s.a2e.call(kind.start, kind.start.request(**await fields(s, kind, name)))


@pytest.mark.parametrize("kind", MADE, ids=repr)
async def test_a_batch_ends_with_files_that_decode(kind: TaskKind[..., Any], tmp_path: Path) -> None:
    async with scene(coins=10_000) as s:
        given = await fields(s, kind, "clip")
        before = s.account.coins
        batch = s.a2e.batch(kind, out=tmp_path / "{key}.bin")
        ends = [end async for end in batch.run([{"key": key, **given} for key in ("one", "two")])]
        assert {(end.key, end.state, end.error) for end in ends} == {
            ("one", TaskState.DONE, None),
            ("two", TaskState.DONE, None),
        }
        if kind is not AVATAR_VIDEO:  # of which the service does not tell the price
            assert before - s.account.coins == pytest.approx(sum(end.coins for end in ends))
            assert (s.account.coins < before) == (kind is not FACE_SWAP_PREVIEW)  # which is free
        for end in ends:
            assert end.task is not None
            assert end.path == tmp_path / f"{end.key}.bin"
            files = sorted(tmp_path.glob(f"{end.key}*.bin"))
            assert len(files) == len(end.task.result_urls)
            for file in files:
                assert probe(file).frames > 0


@pytest.mark.parametrize("kind", TRAINED, ids=repr)
async def test_what_is_trained_is_done_in_the_end(kind: TaskKind[..., Any]) -> None:
    async with scene(coins=10_000) as s:
        states = [change.state async for change in s.a2e.watch(await started(s, kind, "mine"))]
        assert states[-1] is TaskState.DONE
        assert TaskState.UNKNOWN not in states


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.tag], ids=repr)
async def test_a_failure_says_why_and_is_refunded(kind: TaskKind[..., Any]) -> None:
    async with scene(coins=10_000) as s:
        given = await fields(s, kind, "fail:no face")
        before = s.account.coins
        with pytest.raises(TaskFailedError, match="no reason" if kind is VOICE_CLONE else "no face"):
            await s.a2e.run(kind, **given)
        assert s.account.coins == before


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if not kind.tag], ids=repr)
async def test_a_kind_that_nobody_can_name_fails_as_well(kind: TaskKind[..., Any]) -> None:
    async with scene(coins=10_000) as s:
        task = await started(s, kind)
        s.account.fault(Rule("word", word="failed"))
        with pytest.raises(TaskFailedError, match=task.id):
            await s.a2e.watch(task)


@pytest.mark.parametrize("kind", [kind for kind in KINDS.values() if kind.remove is not None], ids=repr)
async def test_what_is_removed_is_gone(kind: TaskKind[..., Any]) -> None:
    async with scene("stepped", coins=10_000) as s:
        task = await started(s, kind)
        assert kind.remove is not None
        assert kind.detail is not None
        await s.a2e.call(kind.remove, kind.remove.request(id=task.id))
        with pytest.raises(NotFoundError):
            await s.a2e.call(kind.detail, kind.detail.request(id=task.id))


@pytest.mark.parametrize("kind", [k for k in KINDS.values() if k.details is not None], ids=repr)
async def test_many_are_read_in_one_request(kind: TaskKind[..., Any]) -> None:
    async with scene("stepped", coins=10_000) as s:
        given = await fields(s, kind, "clip")
        ids = {(await s.a2e.call(kind.start, kind.start.request(**given))).id for _ in range(3)}
        assert kind.details is not None
        tasks = await s.a2e.call(kind.details, kind.details.request(ids=[*ids, "f" * 24]))
        assert {task.id for task in tasks} == ids


@pytest.mark.parametrize("kind", [k for k in KINDS.values() if k.records is not None], ids=repr)
async def test_records_can_be_walked(kind: TaskKind[..., Any]) -> None:
    async with scene("stepped", coins=10_000) as s:
        given = await fields(s, kind, "clip")
        ids = [(await s.a2e.call(kind.start, kind.start.request(**given))).id for _ in range(3)]
        assert kind.records is not None
        page = await s.a2e.call(kind.records, kind.records.request(size=2))
        assert [task.id for task in page.items] == ids[:0:-1]
        assert page.items[0].state is TaskState.QUEUED
        second = await s.a2e.call(kind.records, kind.records.request(size=2, page=2))
        assert [task.id for task in second.items] == ids[:1]


@pytest.mark.parametrize("kind", [k for k in KINDS.values() if k.running is not None], ids=repr)
async def test_the_running_list_holds_what_runs(kind: TaskKind[..., Any]) -> None:
    async with scene("stepped", coins=10_000) as s:
        task = await started(s, kind)
        assert kind.running is not None
        assert task.id in {row.id for row in await s.a2e.call(kind.running, kind.running.request())}
