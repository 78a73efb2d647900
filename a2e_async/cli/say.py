"""`a2e say`."""

from a2e_async.cli._job import place
from a2e_async.cli._speech import speak
from a2e_async.cli._terminal import give
from a2e_async.session import A2ESession


async def run(  # noqa: PLR0913 - what speech takes
    *,
    text: str,
    out: str,
    voice: str | None,
    user_voice: str | None,
    language: str,
    rate: float,
    as_json: bool,
) -> int:
    """Turn text into speech."""
    target = place(out)
    async with A2ESession() as a2e:
        url = await speak(a2e, text, voice=voice, user_voice=user_voice, language=language, rate=rate)
        path = await a2e.files.save(url, target)
    give({"url": url, "path": str(path)} if as_json else str(path))
    return 0
