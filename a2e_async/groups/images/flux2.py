"""Flux 2. Contract 4.11."""

from typing import Annotated, Literal

from msgspec import Meta

from a2e_async._endpoint import Group
from a2e_async._wire import ByIds, Picture
from a2e_async.groups._family import ByKey, Layout, Named, NumberQuery, Pictures, Text, family, kind


class StartFlux2(Named):
    """What is to be seen, and pictures to begin with. Spends coins."""

    prompt: Text
    """What is to be seen."""
    input_images: Annotated[list[Picture], Meta(max_length=8)] | None = None
    """Pictures to begin with."""
    aspect_ratio: str | None = None
    """Such as ``16:9``; the service's default is 9:16."""
    resolution: Literal["1K", "2K"] | None = None
    """Size of the pictures."""


class Flux2Pictures(Pictures):
    """Pictures by Flux 2 in the making, or made."""


class Flux2Query(NumberQuery):
    """One page of a listing, newest first."""

    status: str | None = None
    """Only those in this status, a word of the service's."""


_LISTED = Layout(ByKey, ByIds, Flux2Query, records="list", detail="detail/{id}", remove="{id}")
_FLUX2 = family("userFlux2", StartFlux2, Flux2Pictures, _LISTED)


class Flux2(Group):
    """Pictures by Flux 2. The service keeps them for 7 days."""

    noun = "images.flux2"

    start, records, details, detail, remove = _FLUX2


FLUX2 = kind("flux2", _FLUX2)
