"""Pictures by the newer families, over TCP against the sandbox: what one of them has that the others have not."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from a2e_async import (
    FLUX2,
    KLING_IMAGE,
    PHOTOBOOK,
    A2ESession,
    APIError,
    InsufficientCoinsError,
    ModerationError,
    RequestError,
    TaskState,
)
from a2e_async._sniff import media_type
from a2e_async.groups import endpoints
from a2e_async.groups._family import Made, Pictures
from a2e_async.groups.images.outfits import EditedPictures
from a2e_async.groups.images.people import ProductRect, StartProductAvatar
from a2e_async.groups.images.text_to_image import TextPictures
from a2e_async.sandbox import Rule
from a2e_async.sandbox.objects import SAMPLES
from tests.service import KEY, scene

pytestmark = pytest.mark.anyio

FACE = SAMPLES / "face.jpg"
URL = "https://example.com/face.jpg"
FOX = {"name": "n", "prompt": "a fox"}


@pytest.mark.parametrize(
    ("call", "given", "said"),
    [
        ("text_to_image.start", {"prompt": ""}, "prompt: "),
        ("text_to_image.start", {"prompt": "p", "input_images": [URL] * 3}, "input_images: model_type a2e takes 2"),
        ("text_to_image.start", {"prompt": "p", "model_type": "seedream", "input_images": [URL] * 11}, "input_images"),
        ("text_to_image.start", {"prompt": "p", "aspect_ratio": "1:2"}, "aspect_ratio: .*21:9"),
        ("text_to_image.start", {"prompt": "p", "width": 0}, "width: "),
        ("text_to_image.start_several", {"prompt": "p", "number": 9}, "max_images: "),
        ("nano_banana.start", {"name": "", "prompt": "p"}, "name: "),
        ("nano_banana.start", FOX | {"aspect_ratio": "1:9"}, "aspect_ratio: .*auto"),
        ("nano_banana.start", FOX | {"image_size": "8K"}, "image_size: .*4K"),
        ("photobook.start", {"name": "n", "face_image_url": URL, "number": 5}, "total_count: .*4, 8, 12, 16"),
        ("gpt_image.start", FOX | {"prompt": "p" * 3001}, "prompt: .*3000"),
        ("gpt_image.start", FOX | {"input_images": [URL] * 17}, "input_images: .*16"),
        ("wan26.start", FOX | {"input_images": [URL] * 5}, "input_images: .*4"),
        ("wan27.start", FOX | {"input_images": [URL] * 10}, "input_images: .*9"),
        ("wan27.start", FOX | {"model": "wan2.6-image"}, "model: .*wan2.7-image-pro"),
        ("qwen.start", FOX | {"size": "1024x1024"}, r"size: '1024x1024' .*1024\*1024"),
        ("flux2.start", FOX | {"input_images": [URL] * 9}, "input_images: .*8"),
        ("flux2.start", FOX | {"input_images": ["face.jpg"]}, "input_images: .*pathlib.Path"),
        ("kling.start", FOX | {"number": 10}, "n: .*9"),
        ("kling.start", FOX | {"resolution": "2K"}, "resolution: .*2k"),
        ("image_edit.start", {"edit_type": "hair", "image_urls": [URL] * 2}, "edit_type: .*clothing, product"),
        ("image_edit.start", {"edit_type": "product", "image_urls": [URL]}, "image_urls: .*2"),
        ("virtual_try_on.start", {"image_urls": [URL] * 5}, "image_urls: .*4"),
        ("virtual_try_on.start", {"image_urls": [URL] * 2, "timeout": 0}, "timeout: "),
        ("head_swap.start", {"image_url": URL, "target_image_url": "x"}, "target_image_url: "),
    ],
)  # fmt: skip
async def test_what_the_service_would_not_take_costs_nothing(call: str, given: dict[str, Any], said: str) -> None:
    family, _, name = call.partition(".")
    async with A2ESession(KEY, base_url="http://127.0.0.1:9") as a2e:  # where nobody listens
        with pytest.raises(RequestError, match=f"start: {said}"):
            await getattr(getattr(a2e.images, family), name)(**given)


async def test_a_product_goes_to_one_place_on_one_person() -> None:
    place = ProductRect(x=1, y=2, width=30, height=40)
    assert msgspec.json.decode(msgspec.json.encode(place)) == {
        "x": 1, "y": 2, "width": 30, "height": 40, "rotation": 0, "scale": 1,
    }  # fmt: skip
    async with scene("stepped") as s:
        product = s.a2e.images.product_avatar
        with pytest.raises(RequestError, match="image_urls"):
            await product.start(image_urls=[s.sandbox.face_url] * 3, product_rect=place)
        wrong: Any = {"x": 1}
        with pytest.raises(RequestError, match="product_rect"):
            await s.a2e.call(type(product).start, StartProductAvatar(image_urls=[URL] * 2, product_rect=wrong))
        task = await product.start(image_urls=[s.sandbox.face_url, FACE], product_rect=place)
        assert task.state is TaskState.QUEUED


async def test_no_start_has_a_switch_of_moderation() -> None:
    switch = re.compile("force|safety|moderat|nsfw|acknowledge", re.IGNORECASE)
    assert not [(e.label, p.wire) for e in endpoints() for p in e.parameters() if switch.search(p.name + p.wire)]


async def test_local_pictures_are_uploaded_in_their_order() -> None:
    async with scene("stepped") as s:
        other = s.sandbox.face_url
        task = await s.a2e.images.flux2.start(**FOX, input_images=[other, FACE])
        first, second = task.raw["input_images"]
        assert first == other
        assert second != other
        assert second.endswith(".jpg")
        assert len(s.sent("PUT", "")) == 1


async def test_several_pictures_of_one_task_are_saved_side_by_side(tmp_path: Path) -> None:
    async with scene() as s:
        task = await s.a2e.run(PHOTOBOOK, name="n", face_image_url=FACE, number=4)
        assert len(task.result_urls) == 4
        assert task.result_url == task.result_urls[0]
        files = await s.a2e.files.save_all(task, tmp_path)
        suffix = files[0].suffix
        assert [file.name for file in files] == [f"{task.id}{end}{suffix}" for end in ("", "-2", "-3", "-4")]
        assert {media_type(file.read_bytes()[:32]).partition("/")[0] for file in files} == {"image"}
        assert await s.a2e.files.save(task, tmp_path / "first.jpg") == tmp_path / "first.jpg"
        assert (tmp_path / "first.jpg").read_bytes() == files[0].read_bytes()


async def test_where_the_first_is_all_are(tmp_path: Path) -> None:
    async with scene() as s:
        task = await s.a2e.run(KLING_IMAGE, **FOX, number=3)
        broken = task.result_urls[1]
        gone = msgspec.structs.replace(task, image_urls=[task.result_urls[0], f"{broken}x", task.result_urls[2]])
        s.account.fault(Rule("status", method="GET", path="*/detail/*", status=400))
        with pytest.raises(APIError):
            await s.a2e.files.save_all(gone, tmp_path / "fox.png")
        assert [file.name for file in tmp_path.iterdir()] == ["fox-3.png"]
        with pytest.raises(RequestError, match="no result yet"):
            await s.a2e.files.save_all(msgspec.structs.replace(task, image_urls=None, result_url=None), tmp_path)


async def test_an_expired_picture_is_renewed_at_its_place(tmp_path: Path) -> None:
    async with scene("stepped") as s:
        start = await s.a2e.images.kling.start(**FOX, number=2)
        s.account.advance(4000)
        task = await s.a2e.images.kling.detail(id=start.id)
        kept = await s.a2e.files.save_all(task, tmp_path / "a.png")
        old = msgspec.structs.replace(task, image_urls=[f"{url}x" for url in task.result_urls], result_url=None)
        again = await s.a2e.files.save_all(old, tmp_path / "b.png")
        assert [file.read_bytes() for file in again] == [file.read_bytes() for file in kept]
        assert len(s.sent("GET", "/detail/")) == 1 + 2


async def test_a_start_of_the_older_form_may_be_done_at_once(tmp_path: Path) -> None:
    async with scene("stepped") as s:
        task = await s.a2e.images.text_to_image.start(name="n", prompt="a fox", style="high_aes")
        assert task.state is TaskState.DONE
        assert (await s.a2e.watch(task)).result_urls == task.result_urls
        assert len(await s.a2e.files.save_all(task, tmp_path)) == 1


async def test_several_pictures_of_one_prompt_and_an_avatar_of_one() -> None:
    async with scene("stepped") as s:
        pictures = s.a2e.images.text_to_image
        tasks = await pictures.start_several(prompt="a fox", number=3)
        assert [type(task) for task in tasks] == [TextPictures] * len(tasks)
        with pytest.raises(APIError):
            await pictures.quick_avatar(id=tasks[0].id, gender="female")
        s.account.advance(4000)
        await pictures.quick_avatar(id=tasks[0].id, gender="female")
        assert len((await s.a2e.avatars.records()).items) == 1


async def test_a_server_that_knows_the_older_spelling_only() -> None:
    async with scene("stepped") as s:
        s.account.fault(Rule("status", path="*/userText2Image/start", status=404))
        assert (await s.a2e.images.text_to_image.start(prompt="a fox")).id
        assert s.sent("POST", "/userText2image/start") == [200]


async def test_what_moderation_finds_is_final_with_any_status() -> None:
    async with scene("stepped") as s:
        for family in (s.a2e.images.nano_banana, s.a2e.images.flux2):
            before = len(s.account.requests)
            with pytest.raises(ModerationError, match="nudity"):
                await family.start(name="n", prompt="moderation: nudity")
            assert len(s.account.requests) == before + 1
        assert s.account.coins == 1000


async def test_too_few_coins() -> None:
    async with scene("stepped", coins=1) as s:
        for family in (s.a2e.images.flux2, s.a2e.images.gpt_image):
            with pytest.raises(InsufficientCoinsError):
                await family.start(**FOX)


async def test_lists_can_be_narrowed_to_a_status() -> None:
    async with scene("stepped") as s:
        for family in (s.a2e.images.nano_banana, s.a2e.images.flux2):
            task = await family.start(**FOX)
            assert [one.id for one in (await family.records(status="initialized")).items] == [task.id]
            assert (await family.records(status="completed")).items == []


@pytest.mark.parametrize(
    ("fields", "urls"),
    [
        ({}, []),
        ({"result_url": "a"}, ["a"]),
        ({"result_url": ["a", "b"]}, ["a", "b"]),
        ({"result_url": []}, []),
        ({"result_url": ""}, []),
        ({"result_image_url": "a"}, ["a"]),
        ({"result_video_url": "a", "result_url": None}, ["a"]),
        ({"image_urls": ["a", "b"], "result_url": "a"}, ["a", "b"]),
        ({"image_urls": ["a", "", "b"]}, ["a", "b"]),
        ({"image_urls": None}, []),
    ],
)
def test_results_are_found_in_whichever_field_they_come(fields: dict[str, Any], urls: list[str]) -> None:
    task = msgspec.convert({"_id": "1", "current_status": "completed"} | fields, Pictures, strict=False)
    assert task.result_urls == urls
    assert task.result_url == (urls[0] if urls else None) or not task.result_url
    assert msgspec.json.decode(msgspec.json.encode(task), type=Pictures) == task
    if "image_urls" not in fields:
        assert msgspec.convert({"_id": "1"} | fields, Made, strict=False).result_urls == urls


@pytest.mark.parametrize(
    ("fields", "urls"),
    [
        ({"current_status": "processing", "image_urls": ["in", "in2"]}, []),
        ({"current_status": "completed", "image_urls": ["out"]}, ["out"]),
        ({"current_status": "completed", "image_urls": ["in", "in2"], "result_image_url": "out"}, ["out"]),
        ({"current_status": "completed", "image_urls": ["out", "out2"], "result_image_url": "out"}, ["out", "out2"]),
        ({"image_urls": ["in", "in2"]}, []),
    ],
)
def test_the_pictures_of_a_start_are_not_taken_for_results(fields: dict[str, Any], urls: list[str]) -> None:
    assert msgspec.convert({"_id": "1"} | fields, EditedPictures).result_urls == urls


async def test_a_family_is_watched_by_its_kind_and_id() -> None:
    async with scene() as s:
        task = await s.a2e.images.flux2.start(**FOX)
        assert (await s.a2e.watch(FLUX2, task.id)).result_urls
        assert (await s.a2e.take_up(task.handle())).state is TaskState.DONE
