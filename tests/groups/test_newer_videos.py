"""Videos by the newer model families: what is refused before anything is sent, and what each has besides."""

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from a2e_async import (
    APIError,
    ModerationError,
    NotFoundError,
    RequestError,
    SubmissionUncertainError,
    TaskFailedError,
    TaskState,
)
from a2e_async._endpoint import Endpoint
from a2e_async.groups import endpoints
from a2e_async.groups.videos import SEEDANCE, Videos
from a2e_async.groups.videos.kling import Shot
from a2e_async.groups.videos.wan import Wan30Input, Wan30Parameters
from a2e_async.sandbox import Rule
from a2e_async.sandbox.objects import SAMPLES
from a2e_async.tasks import KINDS, TaskKind
from tests.groups.videos import STARTS
from tests.service import host, scene

pytestmark = pytest.mark.anyio

IMAGE, CLIP, SOUND = "https://example.com/a.jpg", "https://example.com/a.mp4", "https://example.com/a.mp3"
FACE, FILM = SAMPLES / "face.jpg", SAMPLES / "clip.mp4"

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("wan", {}, "image_url: task_type=first_frame needs it"),
    ("wan", {"prompt": ""}, "prompt: Expected `str` of length >= 1"),
    ("wan", {"task_type": "text"}, "task_type: Invalid enum value 'text': it takes text_to_video, first_frame, "),
    ("wan", {"task_type": "text_to_video", "image_url": IMAGE}, "image_url: belongs to task_type first_frame or "),
    ("wan", {"task_type": "first_last_frame", "image_url": IMAGE}, "last_frame_url: task_type=first_last_frame needs"),
    ("wan", {"image_url": IMAGE, "last_frame_url": IMAGE}, "last_frame_url: belongs to task_type first_last_frame or"),
    ("wan", {"task_type": "reference_image"}, "needs reference_image_urls or reference_media"),
    ("wan", {"task_type": "video_extend"}, "first_clip_url: task_type=video_extend needs it"),
    ("wan", {"task_type": "video_edit"}, "edit_video_url: task_type=video_edit needs it"),
    ("wan", {"task_type": "video_edit", "edit_video_url": CLIP, "first_clip_url": CLIP}, "first_clip_url: belongs to"),
    ("wan", {"image_url": IMAGE, "seconds": 0}, "duration: Expected `int` >= 1"),
    (
        "wan",
        {"image_url": IMAGE, "resolution": "4k"},
        "resolution: Invalid enum value '4k': it takes 480p, 720p, 1080p",
    ),
    ("wan", {"task_type": "reference_image", "reference_media": [{"url": FACE}]}, "reference_media: local files are "),
    ("wan", {"task_type": "reference_image", "reference_media": [FACE]}, "reference_media: local files are not"),
    ("wan_reference", {"reference_urls": []}, "reference_urls: Expected `array` of length >= 1"),
    ("wan_reference", {"reference_urls": [CLIP] * 6}, "reference_urls: Expected `array` of length <= 5"),
    ("wan_reference", {"reference_urls": [CLIP], "seconds": 7}, "duration: Invalid enum value 7: it takes 5, 10"),
    ("wan30", {"input": {"prompt": "p"}}, "input: is no Wan30Input, but dict"),
    ("wan30", {"input": Wan30Input(prompt="p", media=[FACE])}, "input.media: local files are not uploaded from here"),
    ("wan30", {"input": Wan30Input(prompt="")}, "input.prompt: Expected `str` of length >= 1"),
    ("happyhorse", {"mode": "t2v"}, "prompt: mode=t2v needs it"),
    ("happyhorse", {"mode": "i2v", "prompt": "p"}, "image_url: mode=i2v needs it"),
    ("happyhorse", {"mode": "r2v"}, "reference_image_urls: mode=r2v needs it"),
    (
        "happyhorse",
        {"mode": "i2v", "image_url": IMAGE, "edit_video_url": CLIP},
        "edit_video_url: belongs to mode video",
    ),
    ("talking_photo", {"image_url": IMAGE, "seconds": 21}, "duration: Expected `int` <= 20"),
    ("talking_photo", {"image_url": IMAGE, "negative_prompt": ""}, "negative_prompt: Expected `str` of length >= 1"),
    ("talking_video", {"video_url": "clip.mp4"}, r"video_url: 'clip.mp4' is no http\(s\) URL"),
    ("think_sound", {"video_url": "https://example.com/a.webm?x=1"}, r"video_url: \.webm is not taken: \.mp4 or \.avi"),
    ("think_sound", {"video_url": Path("a.MKV"), "seed": 1.5}, "seed: Expected `int"),
    ("motion_transfer", {"image_url": IMAGE, "video_url": CLIP, "timeout": 0}, "timeout: Expected `float` > 0"),
    ("actor_swap", {"image_url": IMAGE, "video_url": "ftp://a/b"}, "video_url: 'ftp://a/b' is no http"),
    ("veo", {"generation_type": "REFERENCE_2_VIDEO"}, "imageUrls: generationType=REFERENCE_2_VIDEO needs it"),
    ("veo", {"generation_type": "TEXT_2_VIDEO", "image_urls": [IMAGE]}, "imageUrls: belongs to generationType FIRST"),
    ("veo", {"generation_type": "FIRST_AND_LAST_FRAMES_2_VIDEO", "image_urls": [IMAGE] * 3}, "imageUrls: .* not 3"),
    ("veo", {"aspect_ratio": "1:1"}, "aspectRatio: Invalid enum value '1:1': it takes 16:9, 9:16, Auto"),
    ("kling", {"mode": "image-to-video"}, "image_url: mode=image-to-video needs it"),
    ("kling", {"mode": "motion-control", "image_url": IMAGE}, "video_url: mode=motion-control needs it"),
    ("kling", {"mode": "text-to-video", "end_image_url": IMAGE}, "end_image_url: belongs to mode image-to-video, not"),
    ("kling_omni", {"prompt": None}, "prompt: give prompt or image_list or multi_prompt"),
    ("kling_omni", {"image_urls": [IMAGE] * 8}, "image_list: Expected `array` of length <= 7"),
    ("kling_omni", {"shots": [Shot(prompt="a", seconds=5)]}, "multi_prompt: belongs to multi_shot, which is missing"),
    ("kling_omni", {"shot_type": "intelligence"}, "shot_type: belongs to multi_shot"),
    ("kling_omni", {"multi_shot": True, "shot_type": "customize"}, "multi_prompt: shot_type=customize needs it"),
    (
        "kling_omni",
        {"multi_shot": True, "shot_type": "intelligence", "shots": [Shot(prompt="a", seconds=5)]},
        "multi_prompt: belongs to shot_type customize",
    ),
    (
        "kling_omni",
        {"multi_shot": True, "shots": [{"prompt": "a", "duration": 5}]},
        "multi_prompt: is no Shot, but dict",
    ),
    ("grok", {"prompt": None}, "prompt: give prompt or image_url or image_urls"),
    ("grok", {"image_url": IMAGE, "image_urls": [IMAGE]}, "image_urls: is given beside image_url: give one of them"),
    ("grok", {"model_type": "image-to-video"}, "image_url: model_type=image-to-video needs image_url or image_urls"),
    ("grok", {"model_type": "text-to-video", "prompt": None, "image_url": IMAGE}, "prompt: model_type=text-to-video"),
    ("grok", {"seconds": 5}, "duration: Invalid enum value 5: it takes 6, 10, 15"),
    ("hailuo", {"prompt": None}, "prompt: give prompt or"),
    ("hailuo", {"image_url": IMAGE, "image_urls": [IMAGE]}, "image_urls: is given beside image_url"),
    ("hailuo", {"resolution": "720P"}, "resolution: Invalid enum value '720P': it takes 768P, 1080P"),
    ("minimax_h3", {"seconds": 3}, "duration: Expected `int` >= 4"),
    ("minimax_h3", {"seconds": 16}, "duration: Expected `int` <= 15"),
    (
        "minimax_h3",
        {"mode": "reference-to-video"},
        "needs reference_image_urls or reference_video_urls or reference_au",
    ),
    ("minimax_h3", {"mode": "text-to-video", "reference_audio_urls": [SOUND]}, "reference_audio_urls: belongs to mode"),
    ("sora", {}, "image_urls: model_type=image-to-video needs it"),
    (
        "sora",
        {"model_type": "text-to-video", "image_urls": [IMAGE]},
        "image_urls: belongs to model_type image-to-video",
    ),
    (
        "sora",
        {"image_urls": [IMAGE], "seconds": "5"},
        r"duration_seconds: Expected `int.*`, got `str`: it takes 5, 10, 15",
    ),
    ("seedance", {"end_image_url": IMAGE}, "end_image_url: belongs to image_url, which is missing"),
    ("seedance", {"mode": "image-to-video"}, "image_url: mode=image-to-video needs it"),
    ("seedance2", {"last_frame_url": IMAGE}, "last_frame_url: belongs to first_frame_url or image_url"),
    ("seedance2", {"input_video_seconds": 3.0}, "input_video_duration: belongs to video_urls or reference_urls"),
    ("seedance2", {"video_urls": [CLIP, "a b"]}, "video_urls: 'a b' is no http"),
    ("upscale", {"source_url": "https://example.com/a b.jpg"}, "source_url: .* holds a space"),
]
"""What a family is started with besides what it always needs, and what is said of it."""

NEEDED: dict[str, dict[str, Any]] = {
    "wan": {"prompt": "p"},
    "wan_reference": {"prompt": "p"},
    "wan30": {"model": "wan3.0-video", "parameters": Wan30Parameters()},
    "talking_photo": {"name": "n", "prompt": "p", "negative_prompt": "q"},
    "talking_video": {"name": "n", "prompt": "p", "negative_prompt": "q"},
    "veo": {"prompt": "p"},
    "kling": {"prompt": "p"},
    "kling_omni": {"prompt": "p"},
    "grok": {"prompt": "p"},
    "hailuo": {"prompt": "p"},
    "minimax_h3": {"prompt": "p"},
    "sora": {"prompt": "p"},
    "seedance": {"prompt": "p"},
    "seedance2": {"prompt": "p"},
}
MADE_OF_VIDEOS = [kind for kind in KINDS.values() if kind.start.noun.startswith("videos.")]


def start_of(name: str) -> Endpoint[..., Any]:
    return next(one for one in endpoints(Videos) if f"{one.noun}.{one.name}" == f"videos.{name}.start")


@pytest.mark.parametrize(("name", "given", "said"), BAD, ids=lambda value: value if isinstance(value, str) else "")
async def test_what_cannot_go_well_is_refused_before_anything_is_sent(
    name: str, given: dict[str, Any], said: str
) -> None:
    async with scene("stepped") as s:
        start = start_of(name)
        request = start.request(**{**NEEDED.get(name, {}), **given})
        with pytest.raises(RequestError, match=said) as caught:
            await s.a2e.call(start, request)

        assert caught.value.endpoint == start.label
        assert caught.value.spent == "no"
        assert s.account.requests == []


def test_no_family_goes_untried() -> None:
    assert {kind.name for kind in MADE_OF_VIDEOS} == {*STARTS}
    assert {name for name, _, _ in BAD} == {one.noun.removeprefix("videos.") for one in endpoints(Videos)}


@pytest.mark.parametrize("name", STARTS)
async def test_each_way_of_a_family_is_taken(name: str) -> None:
    async with scene("stepped", coins=100_000) as s:
        kind = KINDS[name]
        for given in STARTS[name](s.sandbox.face_url, s.sandbox.video_url):
            task = await s.a2e.call(kind.start, kind.start.request(**given))
            assert task.state is TaskState.QUEUED
        assert {entry.status for entry in s.account.requests} == {200}


@pytest.mark.parametrize("kind", MADE_OF_VIDEOS, ids=repr)
async def test_a_local_file_is_uploaded_first(kind: TaskKind[..., Any]) -> None:
    async with scene("stepped", coins=100_000) as s:
        given, *_ = STARTS[kind.name](FACE, FILM)
        task = await s.a2e.call(kind.start, kind.start.request(**given))

        body = s.account.requests[-1].body
        assert task.id
        assert isinstance(body, dict)
        times = [str(given).count(repr(file)) for file in (FACE, FILM)]
        assert len(s.sent("PUT", "")) == sum(map(bool, times))
        assert str(body).count(f"'{s.sandbox.url}") == sum(times) > 0


async def test_a_length_goes_as_the_service_takes_it() -> None:
    async with scene("stepped", coins=100_000) as s:
        await s.a2e.videos.kling.start(mode="text-to-video", prompt="p", seconds=10)
        await s.a2e.videos.kling.start(mode="text-to-video", prompt="p")
        await s.a2e.videos.sora.start(prompt="p", image_urls=[s.sandbox.face_url], seconds=15)
        await s.a2e.videos.seedance2.start(prompt="p", seconds=7)
        bodies: list[Any] = [entry.body for entry in s.account.requests]

        assert [body.get("duration", body.get("duration_seconds")) for body in bodies] == ["10", None, 15, 7]
        assert bodies[1] == {"mode": "text-to-video", "prompt": "p"}


async def test_shots_are_told_one_by_one() -> None:
    async with scene("stepped", coins=100_000) as s:
        shots = [Shot(prompt="a fox", seconds=2), Shot(prompt="a hare", seconds=3)]
        await s.a2e.videos.kling_omni.start(multi_shot=True, shot_type="customize", shots=shots)
        body: Any = s.account.requests[-1].body
        assert body["multi_prompt"] == [{"prompt": "a fox", "duration": 2}, {"prompt": "a hare", "duration": 3}]


@pytest.mark.parametrize("family", ["kling", "kling_omni", "seedance2"])
async def test_a_task_gets_another_label(family: str) -> None:
    async with scene("stepped", coins=100_000) as s:
        group = getattr(s.a2e.videos, family)
        [given, *_] = STARTS[family](s.sandbox.face_url, s.sandbox.video_url)
        task = await group.start(**given, name="old")
        await group.rename(id=task.id, name="new")
        assert (await group.detail(id=task.id)).name == "new"
        with pytest.raises(RequestError, match="name: Expected `str` of length >= 1"):
            await group.rename(id=task.id, name="")


async def test_a_rendition_is_none_until_it_is_there() -> None:
    async with scene("stepped", coins=100_000) as s:
        video = await s.a2e.videos.veo.start(prompt="p")
        assert await s.a2e.videos.veo.in_1080p(id=video.id) is None
        s.account.advance(3600)
        found: Any = await s.a2e.videos.veo.in_1080p(id=video.id)
        assert found["result_url"].startswith(s.sandbox.url)
        assert 202 in s.sent("GET", "/1080p")
        failed = await s.a2e.videos.veo.start(prompt="fail: no light")
        s.account.advance(3600)
        with pytest.raises(APIError, match="failed"):
            await s.a2e.videos.veo.in_1080p(id=failed.id)


async def test_a_rendition_without_any_body_is_none_as_well() -> None:
    async def accepted(_request: web.Request) -> web.Response:
        return web.Response(status=202)

    async with host(accepted) as (_, _seen, a2e):
        assert await a2e.videos.veo.in_1080p(id="a" * 24) is None


async def test_wan_3_tells_its_id_and_nothing_else() -> None:
    async with scene("stepped", coins=100_000) as s:
        given = {"input": Wan30Input(prompt="p"), "parameters": Wan30Parameters(seconds=5, extend_prompt=True)}
        video = await s.a2e.videos.wan30.start(model="wan3.0-video", **given)
        body: Any = s.account.requests[-1].body
        assert body["parameters"] == {"duration": 5, "prompt_extend": True}
        assert video.raw["_id"] == video.id

        s.account.fault(Rule("status", method="POST", path="*/userWan30/start", status=503))
        with pytest.raises(SubmissionUncertainError, match="Look in account") as caught:
            await s.a2e.videos.wan30.start(model="wan3.0-video", **given)
        assert caught.value.spent == "unknown"


@pytest.mark.parametrize("kind", MADE_OF_VIDEOS, ids=repr)
async def test_what_moderation_refuses_is_refused_for_good(kind: TaskKind[..., Any]) -> None:
    async with scene("stepped") as s:
        [given, *_] = STARTS[kind.name](s.sandbox.face_url, s.sandbox.video_url)
        with pytest.raises(ModerationError, match="not this"):
            await s.a2e.run(kind, **{**given, "name": "moderation: not this"})
        assert s.sent("POST", "/start") == [403]
        assert s.account.coins == 1000


@pytest.mark.parametrize("name", ["wan", "hailuo", "seedance"])
async def test_what_was_started_without_an_answer_is_found_and_not_paid_twice(name: str, tmp_path: Path) -> None:
    async with scene(coins=100_000, timeout=1.0) as s:
        s.account.fault(Rule("reset_after", method="POST", path="*/start", first=2))
        [given, *_] = STARTS[name](s.sandbox.face_url, s.sandbox.video_url)
        async with s.a2e.batch(KINDS[name], journal=tmp_path / "j") as batch:
            ends = [end async for end in batch.run({**given, "key": f"{n}", "name": f"{n}"} for n in range(4))]

        assert [end.state for end in ends] == [TaskState.DONE] * 4
        assert {end.task.id for end in ends if end.task} == {task.id for task in s.account.tasks}
        assert s.sent("POST", "/start").count(200) == 2


async def test_pages_alone_tell_of_seedance_and_a_failure_is_told_with_its_reason() -> None:
    async with scene(coins=100_000) as s:
        tasks = [await s.a2e.videos.seedance.start(prompt="p", name=f"{n}") for n in range(3)]
        for task in tasks:
            assert (await s.a2e.watch(task)).result_url
        with pytest.raises(TaskFailedError, match=r"GET /api/v1/seedanceVideo/allRecords: .*no light"):
            await s.a2e.run(SEEDANCE, prompt="p", name="fail: no light")
        assert {entry.path for entry in s.account.requests if entry.method == "GET"} == {
            "/api/v1/seedanceVideo/allRecords"
        }


async def test_a_seedance_task_that_nobody_has_is_missed() -> None:
    async with scene(coins=100_000) as s:
        with pytest.raises(NotFoundError, match="not among the 2000 newest"):
            await s.a2e.watch(SEEDANCE, "0" * 24)
