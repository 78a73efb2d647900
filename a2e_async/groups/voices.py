"""Speech from text, and voices cloned from samples. Contract 3.2 and 4.2."""

from typing import Annotated, Literal

from msgspec import Meta, field

from a2e_async._answer import Record, many, nothing, one, text
from a2e_async._endpoint import Group, delete, get, listing, post, put
from a2e_async._wire import ById, CurrentQuery, Nothing, Rename, Reply, Request, Sound
from a2e_async.tasks import Start, Task, TaskKind


class VoiceQuery(Request):
    """Which public voices to list; the service takes en-US where nothing is given."""

    country: str | None = None
    """Language half of a locale, e.g. ``en``."""
    region: str | None = None
    """Region half of a locale, e.g. ``US``."""
    locale: str | None = field(default=None, name="voice_map_type")
    """Locale in which names are shown."""


class PublicVoice(Reply):
    """A voice that everyone may use."""

    id: str = field(name="value")
    """What `Voices.speak` takes as ``tts_id``."""
    name: str = field(default="", name="label")
    """Name of the voice."""
    rate: float | None = field(default=None, name="ttsRate")
    """Coins for each 10 seconds of speech."""
    language: str = ""
    """Language code."""


class VoiceFamily(Reply):
    """Public voices of one gender."""

    gender: str = field(name="value")
    """``female`` or ``male``."""
    label: str = ""
    """The same, in the locale asked for."""
    voices: list[PublicVoice] = field(default_factory=list[PublicVoice], name="children")
    """The voices."""


class StartVoice(Start):
    """Samples of a voice, with the speaker's consent. Spends coins."""

    name: Annotated[str, Meta(min_length=1)]
    """Label of the voice."""
    voice_urls: Annotated[list[Sound], Meta(min_length=1)]
    """At least one recording."""
    gender: Literal["female", "male"] = "female"
    """Gender of the voice."""
    denoise: bool | None = None
    """Clean the samples first."""
    enhance_voice_similarity: bool | None = None
    """Keep closer to the samples."""
    model: Literal["a2e", "cartesia", "minimax", "elevenlabs"] = "a2e"
    """Cloning engine; sets the price."""
    language: str | None = None
    """Locale such as ``en-US``."""


class Voice(Task):
    """A cloned voice, or one in training; its ``id`` is what `Voices.speak` takes as ``user_voice_id``."""

    gender: str = ""
    """``female`` or ``male``."""
    model: str = ""
    """Cloning engine."""
    lang: str = ""
    """Language code."""
    language: str = ""
    """Locale such as ``en-US``."""
    voice_urls: list[str] = field(default_factory=list[str])
    """The samples."""
    speaker_id: str | None = None
    """The vendor's own name of the voice."""
    rate: float | None = field(default=None, name="ttsRate")
    """Coins for each 10 seconds of speech."""
    refunded: bool | None = field(default=None, name="hasRefundCoin")
    """Whether a failed training was paid back."""


class Speak(Request):
    """Text and one voice: ``tts_id`` or ``user_voice_id``. Spends coins."""

    text: Annotated[str, Meta(min_length=1, max_length=1000)] = field(name="msg")
    """1 to 1000 characters."""
    tts_id: str | None = None
    """A public voice."""
    user_voice_id: str | None = None
    """A cloned voice."""
    country: str | None = None
    """Language half of a locale; the service takes ``en``."""
    region: str | None = None
    """Region half of a locale; the service takes ``US``."""
    rate: Annotated[float, Meta(ge=0.5, le=2)] = field(default=1.0, name="speechRate")
    """Speed, 0.5 to 2."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse none and both."""
        if (self.tts_id is None) == (self.user_voice_id is None):
            return "tts_id", "give either tts_id or user_voice_id."
        return None


class SpeechOutput(Record):
    """Speech made in the last 24 hours. Its fields are not public; ``raw`` has what the service sent."""

    created_at: str = field(default="", name="createdAt")
    """UTC, ISO 8601."""


class ByOutputId(Request):
    """One speech output."""

    id: str
    """Record id."""


class Voices(Group):
    """Text to speech, and voice clones. Have the consent of the people whose voice it is."""

    noun = "voices"

    public = get("/anchor/voice_list", VoiceQuery, many(VoiceFamily))
    """Public voices by gender, with their price."""

    presets = post("/anchor/tts_list", Nothing, many(PublicVoice), safe=True)
    """The service's own voices, as a plain list."""

    records = get("/userVoice/completedRecord", Nothing, many(Voice))
    """Finished clones, newest first."""

    start = post("/userVoice/training", StartVoice, one(Voice), paid=True)
    """Clone a voice. One at a time for each account; spends coins, so it is never blindly sent twice."""

    processing = get("/userVoice/trainingRecord", Nothing, many(Voice))
    """Clones in training; newer servers list every state."""

    speak = post("/video/send_tts", Speak, text(), paid=True)
    """Turn text into speech at once and return the URL of the sound file, listed for 24 hours. Spends coins."""

    detail = get("/userVoice/{_id}", ById, one(Voice))
    """Read one voice."""

    rename = put("/userVoice/{_id}", Rename, nothing())
    """Rename a voice."""

    remove = delete("/userVoice/{_id}", ById, nothing())
    """Delete a voice."""

    outputs = listing("/tts/preview/list", CurrentQuery, SpeechOutput)
    """Speech of the last 24 hours."""

    remove_output = delete("/tts/preview/{id}", ByOutputId, nothing())
    """Delete a speech output."""

    async def clone_and_speak(self, text: str, voice: StartVoice, *, deadline: float | None = None) -> str:
        """Clone a voice, wait for it, and return the URL of a text spoken with it. Pays for both.

        ``deadline`` is in seconds and covers the training. Raises what awaiting a task raises.
        """
        ready = await self.caller.finish(await self.caller.call(Voices.start, voice), deadline=deadline)
        return await self.speak(text=text, user_voice_id=ready.id)


VOICE_CLONE = TaskKind("voice_clone", start=Voices.start, detail=Voices.detail, running=Voices.processing)
