"""Photobook: one person in many pictures. Contract 4.6."""

from typing import Literal

from msgspec import field

from a2e_async._endpoint import Group
from a2e_async._wire import ByIds, PageQuery, Picture
from a2e_async.groups._family import ByKey, Layout, Named, Pictures, family, kind


class StartPhotobook(Named):
    """A face, and where and how the person is to be seen. Spends coins."""

    face_image_url: Picture
    """Picture of the face, with the person's consent."""
    location: str | None = None
    """Where the person is."""
    clothing: str | None = None
    """What the person wears."""
    number: Literal[4, 8, 12, 16] = field(default=16, name="total_count")
    """How many pictures."""


class PhotobookPictures(Pictures):
    """A photobook in the making, or made."""


_LAYOUT = Layout(ByKey, ByIds, PageQuery, detail="{id}", remove="{id}")
_PHOTOBOOK = family("userPhotobook", StartPhotobook, PhotobookPictures, _LAYOUT)


class Photobook(Group):
    """4 to 16 pictures of one person. Have the consent of the people it shows."""

    noun = "images.photobook"

    start, records, details, detail, remove = _PHOTOBOOK


PHOTOBOOK = kind("photobook", _PHOTOBOOK)
