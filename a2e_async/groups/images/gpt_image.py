"""GPT Image. Contract 4.7."""

from typing import Annotated, Literal

from msgspec import Meta

from a2e_async._endpoint import Group
from a2e_async._wire import Picture
from a2e_async.groups._family import LISTED, Pictures, Shaped, family, kind


class StartGptImage(Shaped):
    """What is to be seen, and pictures to begin with. Spends coins."""

    prompt: Annotated[str, Meta(min_length=1, max_length=3000)]
    """What is to be seen."""
    input_images: Annotated[list[Picture], Meta(max_length=16)] | None = None
    """Pictures to begin with."""
    model: Literal["gpt-image-1.5", "gpt-image-2"] | None = None
    """The model; the service's default is not public."""
    quality: Literal["medium", "high"] | None = None
    """How much work is put into it."""
    resolution: Literal["1K", "2K", "4K"] | None = None
    """Size of the pictures."""


class GptPictures(Pictures):
    """Pictures by GPT Image in the making, or made."""


_GPT_IMAGE = family("userGptImage", StartGptImage, GptPictures, LISTED)


class GptImage(Group):
    """Pictures by GPT Image."""

    noun = "images.gpt_image"

    start, records, details, detail, remove = _GPT_IMAGE


GPT_IMAGE = kind("gpt_image", _GPT_IMAGE)
