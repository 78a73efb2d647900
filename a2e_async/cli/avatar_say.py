"""`a2e avatar say`."""

from a2e_async.cli._job import deliver, place
from a2e_async.cli._speech import speak
from a2e_async.groups.avatar_videos import AVATAR_VIDEO, StartAvatarVideo
from a2e_async.session import A2ESession

_TITLE = 40


async def run(  # noqa: PLR0913 - what a speaking avatar takes
    *,
    text: str,
    anchor: str,
    own: bool,
    voice: str | None,
    user_voice: str | None,
    language: str,
    out: str,
    deadline: float | None,
    as_json: bool,
) -> int:
    """Have an avatar say a text."""
    target = place(out)
    async with A2ESession() as a2e:
        speech = await speak(a2e, text, voice=voice, user_voice=user_voice, language=language)
        request = StartAvatarVideo(anchor_id=anchor, anchor_type=1 if own else 0, audio_url=speech, title=text[:_TITLE])
        return await deliver(a2e, AVATAR_VIDEO, request, target=target, deadline=deadline, as_json=as_json)
