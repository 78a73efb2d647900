"""Speech with a voice that was named, or with the first public one of a language."""

from a2e_async._saying import say
from a2e_async.errors import RequestError
from a2e_async.groups.voices import PublicVoice
from a2e_async.session import A2ESession

LOST = "The text may have been spoken. To look: a2e call voices.outputs"


async def speak(  # noqa: PLR0913 - what speech takes
    a2e: A2ESession, text: str, *, voice: str | None, user_voice: str | None, language: str, rate: float = 1.0
) -> str:
    """Return the URL of the sound."""
    if not (voice or user_voice):
        first = await _first(a2e, language)
        voice = first.id
        say(f"voice {voice} ({first.name})")
    url = await a2e.voices.speak(text=text, tts_id=voice, user_voice_id=user_voice, rate=rate)
    say(f"speech {url}")
    return url


async def _first(a2e: A2ESession, language: str) -> PublicVoice:
    country, _, region = language.partition("-")
    for place in [region] if region else await _regions(a2e, country):
        for family in await a2e.voices.public(country=country, region=place):
            if family.voices:
                return family.voices[0]
    raise RequestError(f"no public voice speaks {language!r}. Languages: a2e call account.languages")


async def _regions(a2e: A2ESession, country: str) -> list[str]:
    found = [language.regions for language in await a2e.account.languages() if language.value == country]
    return [region.value for regions in found for region in regions]
