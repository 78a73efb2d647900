"""`a2e video`."""

from typing import Unpack

from a2e_async.cli._job import Waiting, make
from a2e_async.cli._models import Ask, request_for
from a2e_async.groups.videos import Videos


async def run(  # noqa: PLR0913 - what a video takes
    *,
    prompt: str,
    out: str,
    model: str,
    inputs: list[str],
    aspect_ratio: str,
    seconds: str,
    **waiting: Unpack[Waiting],
) -> int:
    """Make a video."""
    more = {"aspect_ratio": aspect_ratio, "seconds": seconds}
    kind, request = request_for(Ask(prompt, model, inputs, more), Videos)
    return await make(kind, request, out=out, **waiting)
