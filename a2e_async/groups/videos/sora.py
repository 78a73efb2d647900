"""Sora: videos from text and pictures. Contract 4.32."""

from typing import Literal

from msgspec import field

from a2e_async._endpoint import Group
from a2e_async._wire import Picture
from a2e_async.groups._family import RECORDS, Labelled, Made, Text, family, kind
from a2e_async.groups._terms import Way, unfit

_WAYS = {"text-to-video": Way(), "image-to-video": Way(needs=("image_urls",))}


class StartSora(Labelled):
    """A prompt, and pictures unless ``model_type`` says otherwise. Spends coins."""

    prompt: Text
    """What is to happen."""
    model_type: str = "image-to-video"
    """What the video is made from; ``text-to-video`` by analogy, as other values are not public."""
    image_urls: list[Picture] | None = None
    """list[Picture], which ``image-to-video`` needs."""
    aspect_ratio: Literal["portrait", "landscape"] | None = None
    """Shape of the picture."""
    seconds: Literal[5, 10, 15] | None = field(default=None, name="duration_seconds")
    """Length of the video."""
    quality: Literal["standard", "high"] | None = None
    """The service's default is not public."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse pictures that do not go with the type."""
        return unfit(self, "model_type", _WAYS)


class SoraVideo(Made):
    """A video by Sora in the making, or made."""


_SORA = family("soraVideo", StartSora, SoraVideo, RECORDS)


class Sora(Group):
    """Videos by Sora, from text or pictures."""

    noun = "videos.sora"

    start, records, details, detail, remove = _SORA


SORA = kind("sora", _SORA)
