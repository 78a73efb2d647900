"""One module per group of endpoints; `GROUPS` lists them in the order of the service's documentation."""

from collections.abc import Iterator
from typing import Any, cast

from a2e_async._endpoint import Endpoint, Group, subgroup
from a2e_async.groups.account import Account
from a2e_async.groups.avatar_videos import AvatarVideos
from a2e_async.groups.avatars import Avatars
from a2e_async.groups.backgrounds import Backgrounds
from a2e_async.groups.caption_removal import CaptionRemoval
from a2e_async.groups.dubbing import Dubbing
from a2e_async.groups.face_swap import FaceSwap
from a2e_async.groups.image_to_video import ImageToVideo
from a2e_async.groups.streaming import Streaming
from a2e_async.groups.tokens import Tokens
from a2e_async.groups.voices import Voices

GROUPS: tuple[type[Group], ...] = (
    Tokens,
    Voices,
    AvatarVideos,
    Avatars,
    Backgrounds,
    FaceSwap,
    Dubbing,
    ImageToVideo,
    CaptionRemoval,
    Streaming,
    Account,
)


def endpoints(*groups: type[Group]) -> Iterator[Endpoint[..., Any]]:
    """Yield every declared endpoint, groups within groups included."""
    for group in groups or GROUPS:
        for item in vars(group).values():
            if isinstance(item, Endpoint):
                yield item
            elif isinstance(item, subgroup):
                yield from endpoints(cast("subgroup[Group]", item).group)
