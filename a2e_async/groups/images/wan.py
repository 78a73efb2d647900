"""Wan 2.6 and Wan 2.7. Contract 4.8 and 4.9."""

from typing import Annotated, Literal

from msgspec import Meta, field

from a2e_async._endpoint import Group
from a2e_async._wire import Picture
from a2e_async.groups._family import LISTED, Pictures, Shaped, family, kind


class StartWan26Image(Shaped):
    """What is to be seen, and pictures to begin with. Spends coins."""

    input_images: Annotated[list[Picture], Meta(max_length=4)] | None = None
    """Pictures to begin with."""
    negative_prompt: str | None = None
    """What is not to be seen."""
    extend_prompt: bool = field(default=True, name="prompt_extend")
    """Let the service write the prompt out first."""


class Wan26Pictures(Pictures):
    """Pictures by Wan 2.6 in the making, or made."""


class StartWan27Image(Shaped):
    """What is to be seen, and pictures to begin with. Spends coins."""

    model: Literal["wan2.7-image", "wan2.7-image-pro"] | None = None
    """The model; the service's default is not public."""
    input_images: Annotated[list[Picture], Meta(max_length=9)] | None = None
    """Pictures to begin with."""
    boxes: list[object] | None = field(default=None, name="bbox_list")
    """Where to change the pictures; its form is not public."""


class Wan27Pictures(Pictures):
    """Pictures by Wan 2.7 in the making, or made."""


_WAN26 = family("userWan26Image", StartWan26Image, Wan26Pictures, LISTED)
_WAN27 = family("userWan27Image", StartWan27Image, Wan27Pictures, LISTED)


class Wan26(Group):
    """Pictures by Wan 2.6."""

    noun = "images.wan26"

    start, records, details, detail, remove = _WAN26


class Wan27(Group):
    """Pictures by Wan 2.7."""

    noun = "images.wan27"

    start, records, details, detail, remove = _WAN27


WAN26_IMAGE = kind("wan26_image", _WAN26)
WAN27_IMAGE = kind("wan27_image", _WAN27)
