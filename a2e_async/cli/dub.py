"""`a2e dub`."""

from a2e_async.cli._inputs import media, name_of
from a2e_async.cli._job import make
from a2e_async.groups.dubbing import DUBBING, StartDubbing


async def run(  # noqa: PLR0913 - what a dubbing takes
    *, source: str, to: str, from_: str, speakers: int, out: str, deadline: float | None, as_json: bool
) -> int:
    """Have a video or recording spoken in another language."""
    request = StartDubbing(
        name=name_of(source),
        source_url=media(source),
        source_lang=from_,
        target_lang=to,
        num_speakers=speakers,
    )
    return await make(DUBBING, request, out=out, deadline=deadline, as_json=as_json)
