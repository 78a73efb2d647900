"""`a2e say`."""

from a2e_async.cli._job import place
from a2e_async.cli._speech import LOST, speak
from a2e_async.cli._terminal import give, if_interrupted
from a2e_async.session import A2ESession


async def run(  # noqa: PLR0913 - what speech takes
    *,
    text: str,
    out: str,
    voice: str | None,
    user_voice: str | None,
    language: str,
    rate: float,
    deadline: float | None,
    as_json: bool,
) -> int:
    """Turn text into speech."""
    target = place(out)
    async with A2ESession() as a2e, a2e.job(deadline=deadline) as job:
        with if_interrupted(lambda: LOST):
            url = await speak(a2e, text, voice=voice, user_voice=user_voice, language=language, rate=rate)
        path = await job.save(url, target)
    give({"url": url, "path": str(path)} if as_json else str(path))
    return 0
