"""Kling and Kling Omni: videos from text, pictures and other videos. Contract 4.27 and 4.28."""

from typing import Annotated, Literal

from msgspec import Meta, field

from a2e_async._answer import nothing
from a2e_async._endpoint import Group, put
from a2e_async._wire import Picture, Rename, Request, Video
from a2e_async.groups._family import RECORDS, Labelled, Made, Text, family, kind
from a2e_async.groups._terms import Seconds, Source, Way, empty, lonely, unfit

_WAYS = {
    "text-to-video": Way(),
    "image-to-video": Way(needs=("image_url",), takes=("end_image_url",)),
    "motion-control": Way(needs=("image_url", "video_url"), takes=("character_orientation",)),
}


class StartKling(Labelled):
    """A prompt, and the media that the mode works on. Spends coins."""

    mode: Source | Literal["motion-control"]
    """``motion-control`` moves the person of ``image_url`` as in ``video_url``."""
    prompt: Text
    """What is to happen."""
    version: Literal["2.6", "3.0"] = "2.6"
    """Version of the model."""
    model_version: Literal["standard", "fast"] | None = None
    """The service's default is not public."""
    quality_mode: Literal["std", "pro", "4k"] | None = None
    """The service's default is not public."""
    resolution: Literal["720p", "1080p"] | None = None
    """Lines of the picture."""
    seconds: Seconds = field(default=5, name="duration")
    """Length of the video."""
    image_url: Picture | None = None
    """First picture, or the person who is to move."""
    end_image_url: Picture | None = None
    """Last picture, for ``image-to-video``."""
    video_url: Video | None = None
    """Video of the motion, for ``motion-control``."""
    character_orientation: Literal["video", "image"] | None = None
    """Which of them tells where the person faces, for ``motion-control``."""
    aspect_ratio: str | None = None
    """Shape of the picture, such as ``16:9``; the values are not public."""
    sound: bool = False
    """With sound."""
    negative_prompt: str | None = None
    """What is not to be seen."""
    seed: int | None = None
    """The same number gives a similar video again."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse media that do not go with the mode."""
        return unfit(self, "mode", _WAYS)


class Shot(Request):
    """One shot of several."""

    prompt: Text
    """What is to happen in it."""
    seconds: Seconds = field(name="duration")
    """Its length."""


class StartKlingOmni(Labelled):
    """A prompt, pictures, or a list of shots. Spends coins."""

    prompt: str | None = None
    """What is to happen."""
    image_urls: Annotated[list[Picture], Meta(max_length=7)] | None = field(default=None, name="image_list")
    """Up to 7 pictures of what is to be seen."""
    mode: Literal["std", "pro"] | None = None
    """The service's default is not public."""
    seconds: Seconds = field(default=5, name="duration")
    """Length of the whole video."""
    aspect_ratio: str | None = None
    """Shape of the picture, such as ``16:9``; the values are not public."""
    sound: bool = False
    """With sound."""
    multi_shot: bool = False
    """Several shots instead of one."""
    shot_type: Literal["intelligence", "customize"] | None = None
    """Let the model part the prompt into shots, or do it yourself; for ``multi_shot``."""
    shots: list[Shot] | None = field(default=None, name="multi_prompt")
    """The shots, for ``customize``."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse shots where there is to be one, and a request that says nothing."""
        if self.shots and self.shot_type == "intelligence":
            return "multi_prompt", "belongs to shot_type customize."
        if self.shot_type == "customize" and not self.shots:
            return "multi_prompt", "shot_type=customize needs it."
        return (
            lonely(self, "shots", ("multi_shot",))
            or lonely(self, "shot_type", ("multi_shot",))
            or empty(self, ("prompt", "image_urls", "shots"))
        )


class KlingVideo(Made):
    """A video by Kling in the making, or made."""


_KLING = family("klingVideo", StartKling, KlingVideo, RECORDS)


class Kling(Group):
    """Videos by Kling, from text, pictures or other videos."""

    noun = "videos.kling"

    start, records, details, detail, remove = _KLING

    rename = put("/klingVideo/{_id}", Rename, nothing())
    """Give a task another label."""


KLING = kind("kling", _KLING)


class KlingOmniVideo(Made):
    """A video by Kling Omni in the making, or made."""


_KLING_OMNI = family("klingOmni", StartKlingOmni, KlingOmniVideo, RECORDS)


class KlingOmni(Group):
    """Videos by Kling Omni, from text or pictures, in one shot or several."""

    noun = "videos.kling_omni"

    start, records, details, detail, remove = _KLING_OMNI

    rename = put("/klingOmni/{_id}", Rename, nothing())
    """Give a task another label."""


KLING_OMNI = kind("kling_omni", _KLING_OMNI)
