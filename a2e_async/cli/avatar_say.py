"""`a2e avatar say`."""

from typing import Unpack

from a2e_async.cli._job import Waiting, at_work, deliver, place
from a2e_async.cli._speech import LOST, speak
from a2e_async.groups.avatar_videos import AVATAR_VIDEO, StartAvatarVideo

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
    **waiting: Unpack[Waiting],
) -> int:
    """Have an avatar say a text."""
    target = place(out)
    async with at_work(AVATAR_VIDEO, LOST, **waiting) as (a2e, job):
        speech = await speak(a2e, text, voice=voice, user_voice=user_voice, language=language)
        request = StartAvatarVideo(anchor_id=anchor, anchor_type=1 if own else 0, audio_url=speech, title=text[:_TITLE])
        return await deliver(job, AVATAR_VIDEO, request, target=target, as_json=waiting["as_json"])
