"""Wan: videos from text, pictures and other videos. Contract 4.14, 4.15 and 4.36."""

from typing import Annotated, Literal

from msgspec import Meta, field

from a2e_async._answer import Record, one
from a2e_async._endpoint import Group, post
from a2e_async._wire import Clip, Picture, Request, Sound, Video
from a2e_async.groups._family import RECORDS, Labelled, Made, Text, family, kind
from a2e_async.groups._terms import FiveOrTen, Material, Seconds, Way, unfit, unsent
from a2e_async.tasks import Start

_WAYS = {
    "text_to_video": Way(),
    "first_frame": Way(needs=("image_url",)),
    "first_last_frame": Way(needs=("image_url", "last_frame_url")),
    "reference_image": Way(one_of=("reference_image_urls", "reference_media"), takes=("image_url",)),
    "video_extend": Way(needs=("first_clip_url",), takes=("last_frame_url",)),
    "video_edit": Way(needs=("edit_video_url",), takes=("reference_image_urls", "reference_media")),
}


class StartWan(Labelled):
    """A prompt, and the media that ``task_type`` works on. Spends coins."""

    prompt: Text
    """What is to happen."""
    task_type: Literal[
        "text_to_video", "first_frame", "first_last_frame", "reference_image", "video_extend", "video_edit"
    ] = "first_frame"
    """What is made of what; ``first_frame`` needs ``image_url``."""
    model: Literal["wan2.5-i2v-preview", "wan2.6-i2v", "wan2.6-i2v-flash", "wan2.7-i2v"] | None = None
    """The service's default is not public."""
    image_url: Picture | None = None
    """First picture."""
    last_frame_url: Picture | None = None
    """Last picture."""
    first_clip_url: Video | None = None
    """Video to go on from, for ``video_extend``."""
    edit_video_url: Video | None = None
    """Video to change, for ``video_edit``."""
    reference_image_urls: list[Picture] | None = None
    """Pictures of what is to be seen."""
    reference_media: list[Material] | None = None
    """The same in a form that is not public; local files in it are not uploaded."""
    negative_prompt: str | None = None
    """What is not to be seen."""
    seconds: Seconds = field(default=5, name="duration")
    """Length of the video; which ones a model takes is not public."""
    resolution: Literal["480p", "720p", "1080p"] = "720p"
    """Lines of the picture."""
    aspect_ratio: str | None = field(default=None, name="ratio")
    """Shape of the picture, such as ``16:9``; the values are not public."""
    extend_prompt: bool | None = field(default=None, name="enable_prompt_expansion")
    """Let the service write the prompt out first."""
    multi_shots: bool | None = None
    """Several shots instead of one."""
    audio: bool = True
    """With sound."""
    audio_url: Sound | None = None
    """Recording to be heard."""
    seed: int | None = None
    """The same number gives a similar video again."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse media that do not go with the task type, and local files where none is looked for."""
        if reason := unsent(self.reference_media):
            return "reference_media", reason
        return unfit(self, "task_type", _WAYS)


class StartWanReference(Labelled):
    """A prompt and the people or things that are to be in the video. Spends coins."""

    prompt: Text
    """What is to happen."""
    reference_urls: Annotated[list[Clip], Meta(min_length=1, max_length=5)]
    """1 to 5 videos or pictures."""
    model: str | None = None
    """The names are not public."""
    seconds: FiveOrTen | None = field(default=None, name="duration")
    """Length of the video."""
    resolution: Literal["720p", "1080p"] | None = None
    """Lines of the picture."""
    aspect_ratio: str | None = None
    """Shape of the picture, such as ``16:9``; the values are not public."""
    shot_type: Literal["single", "multi"] | None = None
    """One shot or several."""
    audio: bool | None = None
    """With sound."""


class Wan30Input(Request):
    """What Wan 3.0 works on."""

    prompt: Text
    """What is to happen."""
    media: list[Material] | None = None
    """Its form is not public; local files in it are not uploaded."""


class Wan30Parameters(Request):
    """How Wan 3.0 works; its values are not public."""

    resolution: str | None = None
    """Size of the picture, such as ``720p``."""
    aspect_ratio: str | None = field(default=None, name="ratio")
    """Shape of the picture, such as ``16:9``."""
    seconds: Annotated[int, Meta(ge=1)] | None = field(default=None, name="duration")
    """Length of the video."""
    audio: bool | None = None
    """With sound."""
    extend_prompt: bool | None = field(default=None, name="prompt_extend")
    """Let the service write the prompt out first."""
    seed: int | None = None
    """The same number gives a similar video again."""
    watermark: bool | None = None
    """Mark the video as made by a model."""


class StartWan30(Start):
    """A prompt and media for Wan 3.0. Spends coins."""

    model: Literal["wan3.0-video", "wan3.0-video-prime"]
    """Which of the two."""
    input: Wan30Input
    """Prompt and media."""
    parameters: Wan30Parameters
    """Size, length, sound."""
    mode: str | None = None
    """The values are not public."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse local files where none is looked for."""
        reason = unsent(self.input.media)
        return ("input.media", reason) if reason else None


class WanVideo(Made):
    """A video by Wan in the making, or made."""


_WAN = family("userWan25", StartWan, WanVideo, RECORDS)


class Wan(Group):
    """Videos by Wan 2.5 to 2.7, from text, pictures or other videos."""

    noun = "videos.wan"

    start, records, details, detail, remove = _WAN


WAN = kind("wan", _WAN)


class WanReferenceVideo(Made):
    """A video by Wan of given people or things in the making, or made."""


_WAN_REFERENCE = family("userWan26R2V", StartWanReference, WanReferenceVideo, RECORDS)


class WanReference(Group):
    """Videos by Wan 2.6 of the people or things in other videos and pictures."""

    noun = "videos.wan_reference"

    start, records, details, detail, remove = _WAN_REFERENCE


WAN_REFERENCE = kind("wan_reference", _WAN_REFERENCE)


class Wan30Video(Record):
    """A video by Wan 3.0 in the making. What the service tells of it besides its id is in ``raw``."""


class Wan30(Group):
    """Videos by Wan 3.0. Where the service has not set it up, a start raises `SubmissionUncertainError` (503)."""

    noun = "videos.wan30"

    start = post("/userWan30/start", StartWan30, one(Wan30Video), paid=True)
    """Queue a video. Spends coins; only ``webhook_url`` tells of its end, as no other way was ever public."""
