"""`a2e swap`."""

from typing import Unpack

from a2e_async.cli._inputs import media, name_of
from a2e_async.cli._job import Waiting, make
from a2e_async.groups.face_swap import FACE_SWAP, AddSwap


async def run(*, face: str, video: str, out: str, name: str | None, **waiting: Unpack[Waiting]) -> int:
    """Put a face into a video."""
    request = AddSwap(name=name or name_of(video), face_url=media(face), video_url=media(video))
    return await make(FACE_SWAP, request, out=out, **waiting)
