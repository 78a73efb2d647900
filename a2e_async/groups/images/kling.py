"""Kling Image. Contract 4.12."""

from typing import Annotated, Literal

from msgspec import Meta, field

from a2e_async._endpoint import Group
from a2e_async._wire import Picture
from a2e_async.groups._family import LISTED, Pictures, Shaped, family, kind


class StartKlingImage(Shaped):
    """What is to be seen, and pictures to begin with. Spends coins."""

    aspect_ratio: str = "9:16"
    """Width to height; which ones there are is not public."""
    input_images: list[Picture] | None = None
    """Pictures to begin with."""
    resolution: Literal["1k", "2k"] | None = None
    """Size of the pictures."""
    number: Annotated[int, Meta(ge=1, le=9)] | None = field(default=None, name="n")
    """1 to 9 pictures, all of one task."""


class KlingPictures(Pictures):
    """Pictures by Kling in the making, or made."""


_KLING = family("userKlingImage", StartKlingImage, KlingPictures, LISTED)


class KlingImage(Group):
    """Pictures by Kling."""

    noun = "images.kling"

    start, records, details, detail, remove = _KLING


KLING_IMAGE = kind("kling_image", _KLING)
