"""Veo: videos from text and pictures. Contract 4.26."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal

from msgspec import field

from a2e_async._answer import Answer, plain
from a2e_async._endpoint import Group, get
from a2e_async._wire import ById, Picture
from a2e_async.groups._family import RECORDS, Labelled, Made, Text, family, kind
from a2e_async.groups._terms import Way, unfit

_FRAMES = "FIRST_AND_LAST_FRAMES_2_VIDEO"
_WAYS = {
    "TEXT_2_VIDEO": Way(),
    _FRAMES: Way(needs=("image_urls",)),
    "REFERENCE_2_VIDEO": Way(needs=("image_urls",)),
}


class StartVeo(Labelled):
    """A prompt, and pictures for two of the three ways. Spends coins."""

    prompt: Text
    """What is to happen."""
    generation_type: Literal["TEXT_2_VIDEO", "FIRST_AND_LAST_FRAMES_2_VIDEO", "REFERENCE_2_VIDEO"] | None = field(
        default=None, name="generationType"
    )
    """What is made of what; the service's default is not public."""
    image_urls: list[Picture] | None = field(default=None, name="imageUrls")
    """First and last picture, or pictures of what is to be seen."""
    model: Literal["veo3", "veo3_fast"] = "veo3_fast"
    """The fast one costs less."""
    aspect_ratio: Literal["16:9", "9:16", "Auto"] = field(default="Auto", name="aspectRatio")
    """Shape of the picture."""
    watermark: str | None = None
    """Text to lay over the video."""
    seed: int | None = field(default=None, name="seeds")
    """The same number gives a similar video again."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse pictures that do not go with the way of working."""
        count = len(self.image_urls or ())
        if self.generation_type == _FRAMES and count > 2:
            return "imageUrls", f"are the first and the last picture: 2 at most, not {count}."
        return unfit(self, "generation_type", _WAYS)


class _WhenReady(Answer[object]):
    # The service says by the status alone that it still works on it.
    def read(self, endpoint: str, status: int, headers: Mapping[str, str], body: bytes) -> object:
        return None if status == HTTPStatus.ACCEPTED else super().read(endpoint, status, headers, body)


class VeoVideo(Made):
    """A video by Veo in the making, or made."""


_VEO = family("veoVideo", StartVeo, VeoVideo, RECORDS)


class Veo(Group):
    """Videos by Veo, from text or pictures."""

    noun = "videos.veo"

    start, records, details, detail, remove = _VEO

    in_1080p = get("/veoVideo/{_id}/1080p", ById, _WhenReady(object, Any, plain().pick))
    """Read the version of 1080 lines: None while it is being made, so ask again; its shape is not public."""


VEO = kind("veo", _VEO)
