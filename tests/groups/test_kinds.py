"""Every kind of task: a watcher reaches DONE and FAILED, coins and refunds agree, and the result file decodes."""

from pathlib import Path
from typing import Any

import pytest

from a2e_async import (
    AVATAR,
    AVATAR_VIDEO,
    CAPTION_REMOVAL,
    CONTINUED_AVATAR,
    DUBBING,
    FACE_SWAP,
    FACE_SWAP_PREVIEW,
    IMAGE_TO_VIDEO,
    VOICE_CLONE,
    TaskFailedError,
    TaskKind,
    TaskState,
)
from a2e_async.sandbox import Rule
from a2e_async.sandbox.media import probe
from a2e_async.tasks import KINDS
from tests.groups.videos import STARTS
from tests.service import Scene, scene

pytestmark = pytest.mark.anyio


async def speech(s: Scene) -> str:
    [family, *_] = await s.a2e.voices.public()
    return await s.a2e.voices.speak(text="Hello there.", tts_id=family.voices[0].id)


async def fields(s: Scene, kind: TaskKind[..., Any], name: str) -> dict[str, Any]:
    """What a start of this kind takes in the sandbox."""
    face, video = s.sandbox.face_url, s.sandbox.video_url
    if kind is AVATAR_VIDEO:
        [character, *_] = await s.a2e.avatar_videos.characters(type="public")
        return {"title": name, "anchor_id": character.id, "anchor_type": 0, "audio_url": await speech(s)}
    if kind is CONTINUED_AVATAR:
        return {"id": (await s.a2e.run(AVATAR, name="base", gender="female", video_url=video)).id}
    if kind.name in STARTS:
        return {**STARTS[kind.name](face, video)[0], "name": name}
    return {
        "face_swap": {"name": name, "face_url": face, "video_url": video},
        "face_swap_preview": {"face_url": face, "video_url": video},
        "voice_clone": {"name": name, "voice_urls": [await speech(s)]},
        "avatar": {"name": name, "gender": "female", "video_url": video},
        "dubbing": {"name": name, "source_url": video, "source_lang": "en", "target_lang": "fr"},
        "image_to_video": {"name": name, "image_url": face, "prompt": "a smile"},
        "caption_removal": {"name": name, "source_url": video},
    }[kind.name]


NEWER_VIDEOS = [KINDS[name] for name in STARTS]
WITH_VIDEO = [FACE_SWAP, FACE_SWAP_PREVIEW, AVATAR_VIDEO, DUBBING, IMAGE_TO_VIDEO, CAPTION_REMOVAL, *NEWER_VIDEOS]
NAMED = [FACE_SWAP, VOICE_CLONE, AVATAR_VIDEO, AVATAR, DUBBING, IMAGE_TO_VIDEO, CAPTION_REMOVAL, *NEWER_VIDEOS]


def test_every_kind_is_tried() -> None:
    assert {kind.name for kind in [*WITH_VIDEO, *NAMED, CONTINUED_AVATAR]} == set(KINDS)


@pytest.mark.parametrize("kind", WITH_VIDEO, ids=repr)
async def test_a_result_decodes_and_is_marked(kind: TaskKind[..., Any], tmp_path: Path) -> None:
    async with scene(coins=10_000) as s:
        task = await s.a2e.run(kind, **await fields(s, kind, "clip"))
        assert task.state is TaskState.DONE
        saved = await s.a2e.files.save(task, tmp_path / "out.mp4")
        info = probe(saved)
        assert info.frames > 0
        assert b"SANDBOX" in saved.read_bytes()


@pytest.mark.parametrize("kind", [VOICE_CLONE, AVATAR, CONTINUED_AVATAR], ids=repr)
async def test_what_is_trained_is_done_in_the_end(kind: TaskKind[..., Any]) -> None:
    async with scene(coins=10_000) as s:
        task = await s.a2e.call(kind.start, kind.start.request(**await fields(s, kind, "mine")))
        states = [change.state async for change in s.a2e.watch(task)]
        assert states[-1] is TaskState.DONE
        assert TaskState.UNKNOWN not in states


@pytest.mark.parametrize("kind", NAMED, ids=repr)
async def test_a_failure_says_why_and_is_refunded(kind: TaskKind[..., Any]) -> None:
    async with scene(coins=10_000) as s:
        given = await fields(s, kind, "fail:no face")
        before = s.account.coins
        with pytest.raises(TaskFailedError, match="no reason" if kind is VOICE_CLONE else "no face"):
            await s.a2e.run(kind, **given)
        assert s.account.coins == before


@pytest.mark.parametrize("kind", [FACE_SWAP_PREVIEW, CONTINUED_AVATAR], ids=repr)
async def test_a_kind_that_nobody_can_name_fails_as_well(kind: TaskKind[..., Any]) -> None:
    async with scene(coins=10_000) as s:
        task = await s.a2e.call(kind.start, kind.start.request(**await fields(s, kind, "")))
        s.account.fault(Rule("word", method="GET", word="failed"))
        with pytest.raises(TaskFailedError, match=task.id):
            await s.a2e.watch(task)


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


@pytest.mark.parametrize("kind", [k for k in KINDS.values() if k.running is not None], ids=repr)
async def test_the_running_list_holds_what_runs(kind: TaskKind[..., Any]) -> None:
    async with scene("stepped", coins=10_000) as s:
        task = await s.a2e.call(kind.start, kind.start.request(**await fields(s, kind, "clip")))
        assert kind.running is not None
        assert task.id in {row.id for row in await s.a2e.call(kind.running, kind.running.request())}
