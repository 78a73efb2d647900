"""`a2e uncaption`."""

from typing import Unpack

from a2e_async.cli._inputs import media, name_of
from a2e_async.cli._job import Waiting, make
from a2e_async.groups.caption_removal import CAPTION_REMOVAL, StartCaptionRemoval


async def run(*, video: str, out: str, **waiting: Unpack[Waiting]) -> int:
    """Take burnt-in captions out of a video."""
    request = StartCaptionRemoval(name=name_of(video), source_url=media(video))
    return await make(CAPTION_REMOVAL, request, out=out, **waiting)
