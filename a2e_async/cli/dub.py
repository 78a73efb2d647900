"""`a2e dub`."""

from typing import Unpack

from a2e_async.cli._inputs import media, name_of
from a2e_async.cli._job import Waiting, make
from a2e_async.groups.dubbing import DUBBING, StartDubbing


async def run(*, source: str, to: str, from_: str, speakers: int, out: str, **waiting: Unpack[Waiting]) -> int:
    """Have a video or recording spoken in another language."""
    request = StartDubbing(
        name=name_of(source),
        source_url=media(source),
        source_lang=from_,
        target_lang=to,
        num_speakers=speakers,
    )
    return await make(DUBBING, request, out=out, **waiting)
