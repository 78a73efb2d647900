"""Speech and cloned voices, over TCP against the sandbox."""

import pytest

from a2e_async import APIError, RequestError, TaskState
from a2e_async.groups.voices import PublicVoice, SpeechOutput, StartVoice, Voice, VoiceFamily
from tests.service import Scene, scene

pytestmark = pytest.mark.anyio


async def clone(s: Scene) -> Voice:
    url = await speech(s)
    return await s.a2e.voices.start(name="mine", voice_urls=[url])


async def speech(s: Scene) -> str:
    [family, *_] = await s.a2e.voices.public()
    return await s.a2e.voices.speak(text="Hello there.", tts_id=family.voices[0].id)


async def test_public_voices_come_by_gender_with_their_price() -> None:
    async with scene("stepped") as s:
        families = await s.a2e.voices.public(country="en", region="US")
        assert [(type(f), f.gender) for f in families] == [(VoiceFamily, "female"), (VoiceFamily, "male")]
        voice = families[0].voices[0]
        assert type(voice) is PublicVoice
        assert len(voice.id) == 24
        assert voice.rate


async def test_presets() -> None:
    async with scene("stepped") as s:
        assert all(len(voice.id) == 24 for voice in await s.a2e.voices.presets())


async def test_speech_is_a_sound_file_and_costs_coins() -> None:
    async with scene("stepped") as s:
        url = await speech(s)
        async with s.a2e._transport.pool().plain.get(url) as response:
            assert (await response.read())[8:12] == b"WAVE"
        assert s.account.coins < 1000
        outputs = (await s.a2e.voices.outputs()).items
        assert [type(output) for output in outputs] == [SpeechOutput]
        await s.a2e.voices.remove_output(id=outputs[0].id)
        assert (await s.a2e.voices.outputs()).items == []


@pytest.mark.parametrize("given", [{}, {"tts_id": "a", "user_voice_id": "b"}])
async def test_exactly_one_voice_must_be_given(given: dict[str, str]) -> None:
    async with scene("stepped") as s:
        with pytest.raises(RequestError, match="tts_id: give either"):
            await s.a2e.voices.speak(text="x", **given)
        assert not s.account.requests


async def test_a_text_that_is_too_long_costs_nothing() -> None:
    async with scene("stepped") as s:
        with pytest.raises(RequestError, match="msg: "):
            await s.a2e.voices.speak(text="x" * 1001, tts_id="a" * 24)


async def test_a_clone_is_listed_renamed_spoken_with_and_removed() -> None:
    async with scene() as s:
        training = await clone(s)
        assert training.state is TaskState.QUEUED
        voice = await s.a2e.watch(training)
        assert voice.language == "en-US", "from the header that goes with every request"
        assert [v.id for v in await s.a2e.voices.records()] == [voice.id]
        await s.a2e.voices.rename(id=voice.id, name="other")
        assert (await s.a2e.voices.detail(id=voice.id)).name == "other"
        assert (await s.a2e.voices.speak(text="x", user_voice_id=voice.id)).startswith("http")
        await s.a2e.voices.remove(id=voice.id)
        assert await s.a2e.voices.records() == []


async def test_one_training_at_a_time() -> None:
    async with scene("stepped") as s:
        training = await clone(s)
        assert training.id in [row.id for row in await s.a2e.voices.processing()]
        with pytest.raises(APIError):
            await clone(s)


async def test_clone_and_speak_in_one_call() -> None:
    async with scene() as s:
        sample = StartVoice(name="mine", voice_urls=[await speech(s)])
        assert (await s.a2e.voices.clone_and_speak("Hello.", sample, deadline=30)).startswith("http")


async def test_no_recording_is_refused_here() -> None:
    async with scene("stepped") as s:
        with pytest.raises(RequestError, match="voice_urls"):
            await s.a2e.voices.start(name="mine", voice_urls=[])
        with pytest.raises(RequestError, match=r"voice_urls: .*holds a space"):
            await s.a2e.voices.start(name="mine", voice_urls=["http://a/b c.wav"])
        assert not s.account.requests
