"""Nano Banana. Contract 4.5."""

from typing import Literal

from a2e_async._endpoint import Group
from a2e_async._wire import ByIds, PageQuery, Picture
from a2e_async.groups._family import ByKey, Layout, Pictures, Prompted, Ratio, family, kind


class StartNanoBanana(Prompted):
    """What is to be seen, and pictures to begin with. Spends coins."""

    model: Literal["nano-banana", "nano-banana-pro", "nano-banana-2", "nano-banana-2-lite"] = "nano-banana-pro"
    """The model."""
    input_images: list[Picture] | None = None
    """Pictures to begin with."""
    aspect_ratio: Literal[Ratio, "auto", "4:5", "5:4"] = "auto"
    """Width to height."""
    image_size: Literal["1K", "2K", "4K"] = "1K"
    """Size of the pictures."""
    google_search: bool = False
    """Let the model look things up."""


class NanoBananaQuery(PageQuery):
    """One page of a listing, newest first."""

    status: Literal["initialized", "processing", "completed", "failed"] | None = None
    """Only those in this status."""


class NanoBananaPictures(Pictures):
    """Pictures by Nano Banana in the making, or made."""


_LAYOUT = Layout(ByKey, ByIds, NanoBananaQuery, detail="detail/{id}", remove="delete/{id}")
_NANO_BANANA = family("userNanoBanana", StartNanoBanana, NanoBananaPictures, _LAYOUT)


class NanoBanana(Group):
    """Pictures by Nano Banana."""

    noun = "images.nano_banana"

    start, records, details, detail, remove = _NANO_BANANA


NANO_BANANA = kind("nano_banana", _NANO_BANANA)
