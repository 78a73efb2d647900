"""Avatars, their videos and backgrounds, over TCP against the sandbox."""

import pytest

from a2e_async import AVATAR, APIError, NotFoundError, ProvisionalEndpointWarning, RequestError, TaskState
from a2e_async.groups.avatar_videos import AvatarVideo, CaptionStyle, Character
from a2e_async.groups.avatars import Avatar, StartAvatar
from a2e_async.groups.backgrounds import Background
from a2e_async.sandbox import Rule
from tests.groups.test_voices import speech
from tests.service import Scene, scene

pytestmark = pytest.mark.anyio


async def start(s: Scene, **more: object) -> AvatarVideo:
    [character, *_] = await s.a2e.avatar_videos.characters(type="public")
    return await s.a2e.avatar_videos.start(
        anchor_id=character.id, anchor_type=0, audio_url=await speech(s), title="t", **more
    )


async def test_a_video_is_read_by_both_ways_and_listed() -> None:
    async with scene("stepped") as s:
        video = await start(s, captions=True, caption_style=CaptionStyle(font_size=20, position=0.9))
        assert video.state is TaskState.QUEUED
        read = await s.a2e.avatar_videos.detail(id=video.id)
        assert (type(read), read.progress) == (AvatarVideo, 0)
        assert (await s.a2e.avatar_videos.video_detail(video_id=video.id)).id == video.id
        assert [v.id async for v in s.a2e.avatar_videos.records.each()] == [video.id]
        sent = next(e.body for e in s.account.requests if e.path.endswith("/video/generate"))
        assert sent["captionAlign"] == {"Fontsize": 20, "subtitle_position": 0.9}


async def test_image_to_video_tasks_appear_among_the_videos() -> None:
    async with scene() as s:
        made = await s.a2e.image_to_video.start(image_url=s.sandbox.face_url)
        await s.a2e.watch(made)
        [video] = (await s.a2e.avatar_videos.records()).items
        assert (video.id, video.state) == (made.id, TaskState.DONE)


async def test_two_backgrounds_are_refused_here() -> None:
    async with scene("stepped") as s:
        with pytest.raises(RequestError, match=r"back_id: .*not both"):
            await start(s, back_id="a" * 24, custom_back_id="b" * 24)


async def test_removing_a_video_is_provisional() -> None:
    async with scene() as s:
        video = await s.a2e.watch(await start(s))
        with pytest.warns(ProvisionalEndpointWarning):
            await s.a2e.avatar_videos.remove(id=video.id)


async def test_lip_sync_models_are_provisional() -> None:
    async with scene("stepped") as s:
        with pytest.warns(ProvisionalEndpointWarning):
            assert isinstance(await s.a2e.avatar_videos.lip_sync_models(), list)


async def test_a_provisional_row_that_is_not_there_says_what_it_is() -> None:
    async with scene("stepped") as s:
        s.account.fault(Rule("status", path="*allCustomLipsync", status=404))
        with (
            pytest.warns(ProvisionalEndpointWarning),
            pytest.raises(NotFoundError, match="never publicly documented"),
        ):
            await s.a2e.avatar_videos.lip_sync_models()


async def test_language_and_pool() -> None:
    async with scene("stepped") as s:
        assert await s.a2e.avatar_videos.detect_language(text="Hello, how are you?") == "en"
        assert (await s.a2e.avatar_videos.auto_public_pool(on=True)).on is True


async def test_avatars_to_choose_from() -> None:
    async with scene("stepped") as s:
        assert all(type(c) is Character and c.name for c in await s.a2e.avatar_videos.characters())
        assert await s.a2e.avatar_videos.avatars(web_type="a2e")


async def test_text_to_finished_video_in_one_call() -> None:
    async with scene() as s:
        [character, *_] = await s.a2e.avatar_videos.characters(type="public")
        [family, *_] = await s.a2e.voices.public()
        video = await s.a2e.avatar_videos.say("Hi.", anchor_id=character.id, tts_id=family.voices[0].id, deadline=60)
        assert video.state is TaskState.DONE
        assert video.result_url


async def test_clip_to_ready_avatar_in_one_call() -> None:
    async with scene() as s:
        avatar = StartAvatar(name="me", gender="female", video_url=s.sandbox.video_url)
        character = await s.a2e.avatars.create(avatar, deadline=60)
        assert character is not None
        assert character.id in {c.id for c in await s.a2e.avatar_videos.characters(type="custom")}
        assert character.id != character.training_id


async def test_a_training_from_start_to_removal() -> None:
    async with scene(coins=500) as s:
        task = await s.a2e.avatars.start(
            name="me", gender="male", image_url=s.sandbox.face_url, background_color="rgb(0,0,0)"
        )
        assert s.account.requests[-1].body["video_backgroud_color"] == "rgb(0,0,0)"
        assert task.id in {row.id for row in await s.a2e.avatars.processing()}
        assert await s.a2e.avatars.character(task.id) is None
        done = await s.a2e.watch(task)
        assert (type(done), bool(done.anchor_id)) == (Avatar, True)
        assert {row.id for row in await s.a2e.avatars.user_records()} == {task.id}
        assert [row.id for row in (await s.a2e.avatars.records(status="completed")).items] == [task.id]
        again = await s.a2e.avatars.continue_training(id=task.id)
        assert (await s.a2e.watch(again)).state is TaskState.DONE
        assert (await s.a2e.avatars.continued_detail(id=task.id)).state is TaskState.DONE
        await s.a2e.avatars.remove(id=task.id)
        with pytest.raises(NotFoundError):
            await s.a2e.avatars.detail(id=task.id)


async def test_a_server_that_spells_right_is_understood() -> None:
    async with scene(coins=500) as s:
        task = await s.a2e.run(AVATAR, name="me", gender="male", video_url=s.sandbox.video_url)
        s.account.fault(Rule("status", path="*continueTranining", status=404))
        assert (await s.a2e.avatars.continue_training(id=task.id)).id == task.id
        assert s.sent("POST", "continueTra") == [404, 200]
        s.account.fault(Rule("status", path="*continueTraining", status=404, body='{"code": 1001, "msg": "no such"}'))
        with pytest.raises(NotFoundError, match="no such"):
            await s.a2e.avatars.continue_training(id=task.id)


@pytest.mark.parametrize("given", [{}, {"video_url": "https://a.b/c.mp4", "image_url": "https://a.b/c.jpg"}])
async def test_an_avatar_needs_one_source(given: dict[str, str]) -> None:
    async with scene("stepped") as s:
        with pytest.raises(RequestError, match="video_url: give either"):
            await s.a2e.avatars.start(name="me", gender="male", **given)


async def test_rows_of_little_documentation_answer_plain_json() -> None:
    async with scene() as s:
        task = await s.a2e.avatars.start(name="me", gender="male", video_url=s.sandbox.video_url)
        await s.a2e.watch(task)
        assert await s.a2e.avatars.tags() is not None
        with pytest.warns(ProvisionalEndpointWarning):
            await s.a2e.avatars.clone_voice(id=task.id)


async def test_backgrounds() -> None:
    async with scene("stepped") as s:
        added = await s.a2e.backgrounds.add(img_url=s.sandbox.face_url)
        assert type(added) is Background
        assert added.id in {b.id for b in await s.a2e.backgrounds.own()}
        assert added.id in {b.id for b in await s.a2e.backgrounds.records()}
        assert (await s.a2e.backgrounds.random()).img_url
        await s.a2e.backgrounds.remove(id=added.id)
        assert added.id not in {b.id for b in await s.a2e.backgrounds.own()}


async def test_an_unknown_anchor_costs_nothing() -> None:
    async with scene("stepped") as s:
        url = await speech(s)
        before = s.account.coins
        with pytest.raises(APIError, match="anchor"):
            await s.a2e.avatar_videos.start(anchor_id="f" * 24, anchor_type=0, audio_url=url)
        assert s.account.coins == before
