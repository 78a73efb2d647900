"""Grok: videos from text or pictures. Contract 4.29."""

from typing import Annotated, Literal

from msgspec import field

from a2e_async._endpoint import Group
from a2e_async._wire import AS_TEXT, Picture
from a2e_async.groups._family import RECORDS, Labelled, Made, family, kind
from a2e_async.groups._terms import Source, Way, empty, twice, unfit

_WAYS = {
    "text-to-video": Way(needs=("prompt",)),
    "image-to-video": Way(one_of=("image_url", "image_urls"), takes=("prompt",)),
}


class StartGrok(Labelled):
    """A prompt or a picture. Spends coins."""

    prompt: str | None = None
    """What is to happen; ``text-to-video`` needs it."""
    model_type: Source | None = None
    """What the video is made from."""
    model_version: Literal["legacy", "1.5"] | None = None
    """The service's default is not public."""
    mode: Literal["fun", "normal"] | None = None
    """Manner of the video."""
    image_url: Picture | None = None
    """The picture, where there is one."""
    image_urls: list[Picture] | None = None
    """The pictures, where there are several."""
    aspect_ratio: str = "16:9"
    """Shape of the picture; the other values are not public."""
    seconds: Annotated[Literal[6, 10, 15], AS_TEXT] | None = field(default=None, name="duration")
    """Length of the video."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse pictures given twice or for a video from text, and a request that says nothing."""
        return (
            twice(self, "image_url", "image_urls")
            or unfit(self, "model_type", _WAYS)
            or empty(self, ("prompt", "image_url", "image_urls"))
        )


class GrokVideo(Made):
    """A video by Grok in the making, or made."""


_GROK = family("grokVideo", StartGrok, GrokVideo, RECORDS)


class Grok(Group):
    """Videos by Grok, from text or pictures."""

    noun = "videos.grok"

    start, records, details, detail, remove = _GROK


GROK = kind("grok", _GROK)
