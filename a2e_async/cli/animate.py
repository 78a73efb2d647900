"""`a2e animate`."""

from typing import Literal, Unpack

from a2e_async.cli._inputs import media, name_of
from a2e_async.cli._job import Waiting, make
from a2e_async.groups.image_to_video import IMAGE_TO_VIDEO, StartImageToVideo


async def run(
    *,
    image: str,
    prompt: str | None,
    seconds: Literal[5, 10, 15, 20],
    out: str,
    **waiting: Unpack[Waiting],
) -> int:
    """Make a video of a picture."""
    request = StartImageToVideo(name=name_of(image), image_url=media(image), prompt=prompt, seconds=seconds)
    return await make(IMAGE_TO_VIDEO, request, out=out, **waiting)
