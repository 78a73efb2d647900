"""`a2e image`."""

from typing import Unpack

from a2e_async.cli._job import Waiting, make
from a2e_async.cli._models import Ask, request_for
from a2e_async.groups.images import Images


async def run(
    *, prompt: str, out: str, model: str, inputs: list[str], aspect_ratio: str, **waiting: Unpack[Waiting]
) -> int:
    """Make a picture, or as many as the model makes of one prompt."""
    kind, request = request_for(Ask(prompt, model, inputs, {"aspect_ratio": aspect_ratio}), Images)
    return await make(kind, request, out=out, **waiting)
