"""Dubbing, image to video, caption removal, streaming and tokens, over TCP against the sandbox."""

import asyncio

import pytest

from a2e_async import APIError, ProvisionalEndpointWarning, RequestError, TaskState
from a2e_async.groups import streaming
from a2e_async.groups.dubbing import Dub
from a2e_async.groups.image_to_video import ImageVideo
from a2e_async.groups.streaming import Room, RoomToken, StreamingAvatar
from a2e_async.groups.tokens import APIToken, LoginToken
from a2e_async.sandbox import Rule
from a2e_async.sandbox.objects import SAMPLES
from tests.service import scene

pytestmark = pytest.mark.anyio

CLIP = SAMPLES / "clip.mp4"


async def test_dubbing_a_local_file() -> None:
    async with scene() as s:
        task = await s.a2e.dubbing.start(name="n", source_url=CLIP, source_lang="en", target_lang="fr")
        assert (type(task), task.state) == (Dub, TaskState.QUEUED)
        assert task.id in {row.id for row in await s.a2e.dubbing.processing()}
        assert (await s.a2e.watch(task)).result_url
        assert [row.id async for row in s.a2e.dubbing.records.each()] == [task.id]
        assert (await s.a2e.dubbing.detail(id=task.id)).state is TaskState.DONE
        await s.a2e.dubbing.remove(id=task.id)
        assert (await s.a2e.dubbing.records()).items == []


async def test_one_picture_several_videos() -> None:
    async with scene("stepped") as s:
        tasks = await s.a2e.image_to_video.start_several(image_url=s.sandbox.face_url, number=3)
        assert [type(task) for task in tasks] == [ImageVideo] * 3
        assert len({task.id for task in tasks}) == 3
        assert len(await s.a2e.image_to_video.start_several(image_url=s.sandbox.face_url, number=1)) == 1


async def test_a_last_picture_and_its_mode_belong_together() -> None:
    async with scene("stepped") as s:
        with pytest.raises(RequestError, match=r"end_image_url: .*FLF2V"):
            await s.a2e.image_to_video.start(image_url=s.sandbox.face_url, model_type="FLF2V")
        with pytest.raises(RequestError, match="end_image_url"):
            await s.a2e.image_to_video.start(image_url=s.sandbox.face_url, end_image_url=s.sandbox.face_url)
        both = {"image_url": s.sandbox.face_url, "end_image_url": s.sandbox.face_url}
        assert (await s.a2e.image_to_video.start(**both, model_type="FLF2V")).state is TaskState.QUEUED


async def test_a_queued_video_is_refunded_when_removed() -> None:
    async with scene("stepped") as s:
        task = await s.a2e.image_to_video.start(image_url=s.sandbox.face_url, prompt="a smile", seconds=10)
        assert s.account.coins == 1000 - (task.coins or 0) < 1000
        assert (await s.a2e.image_to_video.detail(id=task.id)).prompt == "a smile"
        await s.a2e.image_to_video.remove(id=task.id)
        assert s.account.coins == 1000


async def test_book_keeping_of_videos() -> None:
    async with scene() as s:
        task = await s.a2e.watch(await s.a2e.image_to_video.start(image_url=s.sandbox.face_url))
        assert await s.a2e.image_to_video.mark_shared(id=task.id) is None
        assert await s.a2e.image_to_video.mark_downloaded(id=task.id) is None
        assert await s.a2e.image_to_video.mark_copied(id=task.id) is None
        assert await s.a2e.image_to_video.average_time() is not None
        assert await s.a2e.image_to_video.queue_level() is not None


async def test_a_prompt_is_extended_at_once_or_bit_by_bit() -> None:
    async with scene("stepped") as s:
        given = {"reference_id": "r", "image_url": s.sandbox.face_url, "prompt": "a smile", "negative_prompt": "x"}
        assert await s.a2e.image_to_video.prompt_extension(**given)
        between = await s.a2e.image_to_video.prompt_extension_between(**given, end_image_url=s.sandbox.face_url)
        assert between
        deltas = [delta async for delta in s.a2e.image_to_video.extend_prompt(**given)]
        assert len(deltas) > 1
        assert "smile" in "".join(deltas)


async def test_an_extension_that_fails_is_an_error() -> None:
    async with scene("stepped") as s:
        given = {"reference_id": "r", "image_url": s.sandbox.face_url, "prompt": "a smile"}
        s.account.fault(Rule("status", path="*prompt_extension", status=400, body='{"code": 1001, "msg": "no"}'))
        with pytest.raises(APIError, match="no"):
            [delta async for delta in s.a2e.image_to_video.extend_prompt(**given)]


async def test_a_watermark_at_once() -> None:
    async with scene("stepped") as s:
        marked = await s.a2e.image_to_video.watermark(media_url=s.sandbox.video_url, watermark_type="text", text="mine")
        assert marked.result_url.startswith("http")


async def test_caption_removal_and_its_removal() -> None:
    async with scene() as s:
        task = await s.a2e.caption_removal.start(name="n", source_url=s.sandbox.video_url)
        assert task.id in {row.id for row in await s.a2e.caption_removal.processing()}
        await s.a2e.watch(task)
        assert (await s.a2e.caption_removal.detail(id=task.id)).result_url
        await s.a2e.caption_removal.remove(id=task.id)
        assert (await s.a2e.caption_removal.records()).items == []


async def test_a_failed_removal_is_tried_again() -> None:
    async with scene() as s:
        task = await s.a2e.caption_removal.start(name="fail:blurred", source_url=s.sandbox.video_url)
        [*_, last] = [change async for change in s.a2e.watch(task)]
        assert last.state is TaskState.FAILED
        with pytest.warns(ProvisionalEndpointWarning):
            await s.a2e.caption_removal.retry(id=task.id)


async def test_a_room_is_left_and_refunded() -> None:
    async with scene("stepped") as s:
        [avatar, *_] = await s.a2e.streaming.avatars()
        assert type(avatar) is StreamingAvatar
        async with s.a2e.streaming.room(avatar.id, 120) as room:
            assert (type(room), type(room.token)) == (Room, RoomToken)
            assert room.token.token not in repr(room.token)
            paid = s.account.coins
            await room.set_context("You sell flowers.")
            await room.ask("What do you sell?")
            await room.speak("Welcome.")
            with pytest.warns(ProvisionalEndpointWarning):
                assert "flowers" in str(await s.a2e.streaming.context(channel=room.token.channel))
        assert paid < s.account.coins == 1000


@pytest.mark.parametrize("how", ["error", "cancelled"])
async def test_a_room_is_left_whatever_happens(how: str) -> None:
    async with scene("stepped") as s:
        [avatar, *_] = await s.a2e.streaming.avatars()
        entered = asyncio.Event()

        async def visit() -> None:
            async with s.a2e.streaming.room(avatar.id):
                entered.set()
                if how == "error":
                    raise LookupError
                await asyncio.Event().wait()

        visitor = asyncio.ensure_future(visit())
        await entered.wait()
        visitor.cancel()
        await asyncio.gather(visitor, return_exceptions=True)
        assert s.sent("POST", "/leave") == [200]
        assert s.account.coins == 1000


async def test_a_room_that_cannot_be_left_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "LEAVING", 0.1)
    async with scene("stepped") as s:
        [avatar, *_] = await s.a2e.streaming.avatars()
        s.account.fault(Rule("delay", path="*/leave", seconds=5.0))
        with pytest.raises(TimeoutError, match=r"room SANDBOX-\w+ could not be left within 0.1 s: it costs coins"):
            async with s.a2e.streaming.room(avatar.id):
                pass


async def test_no_free_host_is_a_refusal() -> None:
    async with scene("stepped") as s:
        [avatar, *_] = await s.a2e.streaming.avatars()
        for _ in range(2):
            await s.a2e.streaming.enter(avatar_id=avatar.id)
        with pytest.raises(APIError, match="occupied") as caught:
            await s.a2e.streaming.enter(avatar_id=avatar.id)
        assert caught.value.code == 1001


async def test_tokens() -> None:
    async with scene("stepped") as s:
        with pytest.warns(ProvisionalEndpointWarning):
            login = await s.a2e.tokens.log_in(account="me@example.org", password="secret")
        assert type(login) is LoginToken
        made = await s.a2e.tokens.add(alias="mine")
        assert type(made) is APIToken
        assert made.token
        assert made.token not in repr(made)
        with pytest.warns(ProvisionalEndpointWarning):
            assert [token.alias for token in await s.a2e.tokens.records()] == ["mine"]
        with pytest.warns(ProvisionalEndpointWarning):
            await s.a2e.tokens.remove(id=made.id)
        assert await s.a2e.tokens.records() == []
