"""MiniMax H3: videos from text, pictures, other videos and recordings. Contract 4.31."""

from typing import Annotated, Literal

from msgspec import Meta, field

from a2e_async._endpoint import Group
from a2e_async._wire import AS_TEXT, Picture, Sound, Video
from a2e_async.groups._family import RECORDS, Labelled, Made, Text, family, kind
from a2e_async.groups._terms import Source, Way, unfit

_WAYS = {
    "text-to-video": Way(),
    "image-to-video": Way(one_of=("first_frame_url", "last_frame_url")),
    "reference-to-video": Way(one_of=("reference_image_urls", "reference_video_urls", "reference_audio_urls")),
}


class StartMinimax(Labelled):
    """A prompt, and the media that the mode works on. Spends coins."""

    prompt: Text
    """What is to happen."""
    mode: Source | Literal["reference-to-video"] | None = None
    """What the video is made from; the service's default is not public."""
    first_frame_url: Picture | None = None
    """First picture, for ``image-to-video``."""
    last_frame_url: Picture | None = None
    """Last picture, for ``image-to-video``."""
    reference_image_urls: list[Picture] | None = None
    """Pictures of what is to be seen, for ``reference-to-video``."""
    reference_video_urls: list[Video] | None = None
    """Videos of what is to be seen, for ``reference-to-video``."""
    reference_audio_urls: list[Sound] | None = None
    """Recordings of what is to be heard, for ``reference-to-video``."""
    resolution: Literal["768P", "2K"] = "2K"
    """Size of the picture."""
    seconds: Annotated[int, Meta(ge=4, le=15), AS_TEXT] = field(default=12, name="duration")
    """Length of the video, 4 to 15."""
    aspect_ratio: str | None = None
    """Shape of the picture, such as ``16:9``; the values are not public."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse media that do not go with the mode."""
        return unfit(self, "mode", _WAYS)


class MinimaxVideo(Made):
    """A video by MiniMax H3 in the making, or made."""


_MINIMAX_H3 = family("minimaxH3Video", StartMinimax, MinimaxVideo, RECORDS)


class MinimaxH3(Group):
    """Videos by MiniMax H3, from text, pictures, other videos or recordings."""

    noun = "videos.minimax_h3"

    start, records, details, detail, remove = _MINIMAX_H3


MINIMAX_H3 = kind("minimax_h3", _MINIMAX_H3)
