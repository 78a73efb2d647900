"""`a2e uncaption`."""

from a2e_async.cli._inputs import media, name_of
from a2e_async.cli._job import make
from a2e_async.groups.caption_removal import CAPTION_REMOVAL, StartCaptionRemoval


async def run(*, video: str, out: str, deadline: float | None, as_json: bool) -> int:
    """Take burnt-in captions out of a video."""
    request = StartCaptionRemoval(name=name_of(video), source_url=media(video))
    return await make(CAPTION_REMOVAL, request, out=out, deadline=deadline, as_json=as_json)
