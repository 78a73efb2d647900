"""Kling. Contract 4.27."""

from typing import Literal

from msgspec import field

from a2e_async._answer import nothing
from a2e_async._endpoint import Group, put
from a2e_async._wire import Picture, Rename, Video
from a2e_async.groups._family import RECORDS, Labelled, Made, Text, family, kind


class StartKling(Labelled):
    """What is to happen, and what to begin with. Spends coins."""

    mode: Literal["text-to-video", "image-to-video", "motion-control"]
    """What the video is made of."""
    prompt: Text
    """What is to happen."""
    version: Literal["2.6", "3.0"] = "2.6"
    """Version of the model."""
    model_version: Literal["standard", "fast"] | None = None
    """Variant of the model."""
    resolution: Literal["720p", "1080p"] | None = None
    """Lines of the video."""
    quality_mode: Literal["std", "pro", "4k"] | None = None
    """Quality of the video."""
    seconds: Text = field(default="5", name="duration")
    """Length of the video, as text; which lengths there are is not public."""
    image_url: Picture | None = None
    """First picture, for ``image-to-video`` and ``motion-control``."""
    end_image_url: Picture | None = None
    """Last picture."""
    video_url: Video | None = None
    """The motion to take over, for ``motion-control``."""
    aspect_ratio: str | None = None
    """Such as ``16:9``."""
    sound: bool = False
    """Make sound, too."""
    character_orientation: Literal["video", "image"] | None = None
    """Which of the two the figure is turned like, for ``motion-control``."""
    negative_prompt: str | None = None
    """What is not to be seen."""
    seed: int | None = None
    """The same seed gives like results."""


class KlingVideo(Made):
    """A video by Kling in the making, or made."""


_KLING = family("klingVideo", StartKling, KlingVideo, RECORDS)


class Kling(Group):
    """Videos by Kling."""

    noun = "videos.kling"

    start, records, details, detail, remove = _KLING

    rename = put("/klingVideo/{_id}", Rename, nothing())
    """Rename a task."""


KLING = kind("kling", _KLING)
