"""One module per group of endpoints; HANDLERS taken from here is complete, since all have registered."""

from a2e_async.sandbox.handlers import (
    avatar_videos,
    backgrounds,
    billing,
    face_swap,
    misc,
    storage,
    streaming,
    tokens,
    voices,
)
from a2e_async.sandbox.routing import HANDLERS

__all__ = [
    "HANDLERS",
    "avatar_videos",
    "backgrounds",
    "billing",
    "face_swap",
    "misc",
    "storage",
    "streaming",
    "tokens",
    "voices",
]
