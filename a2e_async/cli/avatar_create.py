"""`a2e avatar create`."""

from typing import Literal, Unpack

from a2e_async._saying import say
from a2e_async.cli._inputs import is_picture, media
from a2e_async.cli._job import Waiting, at_work, cost, followed
from a2e_async.cli._terminal import give
from a2e_async.errors import A2EError
from a2e_async.groups.avatars import AVATAR, Avatar, StartAvatar
from a2e_async.session import A2ESession


async def run(*, source: str, name: str, gender: Literal["female", "male"], **waiting: Unpack[Waiting]) -> int:
    """Train an avatar and print its anchor id."""
    given = media(source)
    picture, video = (given, None) if is_picture(source) else (None, given)
    request = StartAvatar(name=name, gender=gender, image_url=picture, video_url=video)
    async with at_work(AVATAR, **waiting) as (a2e, job):
        task = await followed(job, AVATAR, request)
        anchor = await anchor_of(a2e, task)
    say(f"{task.id} trained{cost(task)}")
    give({"id": task.id, "anchor_id": anchor, "coins": task.coins} if waiting["as_json"] else anchor)
    return 0


async def anchor_of(a2e: A2ESession, task: Avatar) -> str:
    """Return the anchor id of a trained avatar; older servers tell it in their list only."""
    character = None if task.anchor_id else await a2e.avatars.character(task.id)
    if anchor := task.anchor_id or (character and character.id):
        return anchor
    raise A2EError("it is trained but not listed yet: see a2e call avatar_videos.characters type=custom")
