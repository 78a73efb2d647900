"""HappyHorse: videos from text, pictures and other videos. Contract 4.17."""

from typing import Annotated, Literal

from msgspec import Meta, field

from a2e_async._endpoint import Group
from a2e_async._wire import Picture, Video
from a2e_async.groups._family import RECORDS, Labelled, Made, family, kind
from a2e_async.groups._terms import Seconds, Way, unfit

_WAYS = {
    "t2v": Way(needs=("prompt",)),
    "i2v": Way(needs=("image_url",), takes=("prompt",)),
    "r2v": Way(needs=("reference_image_urls",), takes=("prompt",)),
    "video-edit": Way(needs=("edit_video_url",), takes=("prompt", "reference_image_urls", "input_video_seconds")),
}


class StartHappyHorse(Labelled):
    """What to make of which media. Spends coins."""

    mode: Literal["t2v", "i2v", "r2v", "video-edit"]
    """From text, from a picture, from pictures of what is to be seen, or from a video to change."""
    model_version: Literal["1.0", "1.1"] | None = None
    """The service's default is not public."""
    prompt: str | None = None
    """What is to happen; ``t2v`` needs it."""
    image_url: Picture | None = None
    """First picture, for ``i2v``."""
    reference_image_urls: list[Picture] | None = None
    """Pictures of what is to be seen, for ``r2v`` and ``video-edit``."""
    edit_video_url: Video | None = None
    """Video to change, for ``video-edit``."""
    input_video_seconds: Annotated[float, Meta(gt=0)] | None = None
    """Length of that video in seconds."""
    seconds: Seconds = field(default=5, name="duration")
    """Length of the video."""
    resolution: Literal["480P", "720P", "1080P"] = "720P"
    """Lines of the picture."""
    aspect_ratio: str | None = field(default=None, name="ratio")
    """Shape of the picture, such as ``16:9``; the values are not public."""
    audio_setting: Literal["auto", "origin"] | None = None
    """A new sound, or that of the video to change."""
    seed: int | None = None
    """The same number gives a similar video again."""
    watermark: bool = True
    """Mark the video as made by a model."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse media that do not go with the mode."""
        return unfit(self, "mode", _WAYS)


class HappyHorseVideo(Made):
    """A video by HappyHorse in the making, or made."""


_HAPPYHORSE = family("userHappyhorseVideo", StartHappyHorse, HappyHorseVideo, RECORDS)


class HappyHorse(Group):
    """Videos by HappyHorse, from text, pictures or other videos."""

    noun = "videos.happyhorse"

    start, records, details, detail, remove = _HAPPYHORSE


HAPPYHORSE = kind("happyhorse", _HAPPYHORSE)
