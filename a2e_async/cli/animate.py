"""`a2e animate`."""

from typing import Literal

from a2e_async.cli._inputs import media, name_of
from a2e_async.cli._job import make
from a2e_async.groups.image_to_video import IMAGE_TO_VIDEO, StartImageToVideo


async def run(  # noqa: PLR0913 - what a video of a picture takes
    *,
    image: str,
    prompt: str | None,
    seconds: Literal[5, 10, 15, 20],
    out: str,
    deadline: float | None,
    as_json: bool,
) -> int:
    """Make a video of a picture."""
    request = StartImageToVideo(name=name_of(image), image_url=media(image), prompt=prompt, seconds=seconds)
    return await make(IMAGE_TO_VIDEO, request, out=out, deadline=deadline, as_json=as_json)
