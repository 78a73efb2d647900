"""Backgrounds of avatar videos. Contract 3.5 and 4.2."""

from a2e_async._answer import Record, many, nothing, one
from a2e_async._endpoint import Group, post
from a2e_async._wire import ById, Nothing, Picture, Request


class AddBackground(Request):
    """A picture to put behind an avatar."""

    img_url: Picture
    """The picture."""


class Background(Record):
    """A background; its ``id`` is what an avatar video takes as ``custom_back_id`` (or ``back_id``)."""

    img_url: str = ""
    """Public URL of the picture."""


class Backgrounds(Group):
    """Pictures to put behind avatars."""

    noun = "backgrounds"

    records = post("/custom_back/allBackground", Nothing, many(Background), safe=True)
    """All backgrounds."""

    add = post("/custom_back/add", AddBackground, one(Background))
    """Add a background."""

    remove = post("/custom_back/del", ById, nothing(), safe=True)
    """Delete a background."""

    own = post("/custom_back/list", Nothing, many(Background), safe=True)
    """Your own backgrounds."""

    random = post("/custom_back/randomBackground", Nothing, one(Background), safe=True)
    """Some background."""
