"""Upscale: a video or picture made larger. Contract 4.35."""

from a2e_async._endpoint import Group
from a2e_async._wire import Clip
from a2e_async.groups._family import RECORDS, Labelled, Made, family, kind


class StartUpscale(Labelled):
    """A video or picture that is to be larger. Spends coins."""

    source_url: Clip
    """The video or picture."""


class Upscaled(Made):
    """A larger copy in the making, or made."""


_UPSCALE = family("userUpscale", StartUpscale, Upscaled, RECORDS)


class Upscale(Group):
    """Videos and pictures made larger."""

    noun = "videos.upscale"

    start, records, details, detail, remove = _UPSCALE


UPSCALE = kind("upscale", _UPSCALE)
