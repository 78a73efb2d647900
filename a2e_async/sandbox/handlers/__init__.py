"""One module per group of endpoints; HANDLERS taken from here is complete, since all have registered."""

from a2e_async.sandbox.handlers import (
    avatar_videos,
    avatars,
    backgrounds,
    billing,
    caption_removal,
    dubbing,
    face_swap,
    families,
    image_to_video,
    misc,
    storage,
    streaming,
    tokens,
    voices,
    watermark,
)
from a2e_async.sandbox.routing import HANDLERS

__all__ = [
    "HANDLERS",
    "avatar_videos",
    "avatars",
    "backgrounds",
    "billing",
    "caption_removal",
    "dubbing",
    "face_swap",
    "families",
    "image_to_video",
    "misc",
    "storage",
    "streaming",
    "tokens",
    "voices",
    "watermark",
]
