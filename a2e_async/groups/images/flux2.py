"""Flux 2. Contract 4.11."""

from typing import Annotated, Literal

from msgspec import Meta

from a2e_async._endpoint import Group
from a2e_async._wire import ByIds, Picture
from a2e_async.groups._family import ByKey, Layout, NumberQuery, Pictures, Shaped, family, kind


class StartFlux2(Shaped):
    """What is to be seen, and pictures to begin with. Spends coins."""

    aspect_ratio: str = "9:16"
    """Width to height; which ones there are is not public."""
    input_images: Annotated[list[Picture], Meta(max_length=8)] | None = None
    """Pictures to begin with."""
    resolution: Literal["1K", "2K"] | None = None
    """Size of the pictures."""


class Flux2Query(NumberQuery):
    """One page of a listing, newest first."""

    status: str | None = None
    """Only those in this status, a word of the service's."""


class Flux2Pictures(Pictures):
    """Pictures by Flux 2 in the making, or made."""


_LAYOUT = Layout(ByKey, ByIds, Flux2Query, records="list", detail="detail/{id}", remove="{id}")
_FLUX2 = family("userFlux2", StartFlux2, Flux2Pictures, _LAYOUT)


class Flux2(Group):
    """Pictures by Flux 2. The service keeps them for 7 days."""

    noun = "images.flux2"

    start, records, details, detail, remove = _FLUX2


FLUX2 = kind("flux2", _FLUX2)
