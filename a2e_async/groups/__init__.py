"""One module per group of endpoints; `all_groups` lists them in the order of the service's documentation."""

import re
from collections.abc import Iterator
from functools import cache
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
from a2e_async.tasks import KINDS

_LOADED: tuple[type[Group], ...] = (
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


@cache
def all_groups() -> tuple[type[Group], ...]:
    """Return every group; the newer families, which few scripts need, are loaded for it."""
    from a2e_async.groups.images import Images  # noqa: PLC0415 - not before it is asked for
    from a2e_async.groups.videos import Videos  # noqa: PLC0415 - as above

    return (*_LOADED, Images, Videos)


KINDS.load = all_groups


def endpoints(*groups: type[Group]) -> Iterator[Endpoint[..., Any]]:
    """Yield every declared endpoint, groups within groups included."""
    for group in groups or all_groups():
        for item in vars(group).values():
            if isinstance(item, Endpoint):
                yield item
            elif isinstance(item, subgroup):
                yield from endpoints(cast("subgroup[Group]", item).group)


def declared(method: str, path: str) -> Endpoint[..., Any] | None:
    """Return the endpoint that a request goes to; None for what no group declares."""
    return next((one for verb, fits, one in _ways() if verb == method and fits.fullmatch(path)), None)


@cache
def _ways() -> list[tuple[str, re.Pattern[str], Endpoint[..., Any]]]:
    """Return every way to an endpoint; a path without an id stands before those that have one."""
    found = [(one, path) for one in endpoints() for path in (one.path, one.also) if path]
    found.sort(key=lambda way: way[1].count("{"))
    return [(one.method, re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), one) for one, path in found]
