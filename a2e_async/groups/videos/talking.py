"""Talking photo and talking video: a person made to speak. Contract 4.18 and 4.19."""

from typing import Annotated

from msgspec import Meta, field

from a2e_async._endpoint import Group
from a2e_async._wire import Picture, Sound, Video
from a2e_async.groups._family import RECORDS, Made, Named, Text, family, kind


class StartTalking(Named):
    """What both take."""

    prompt: Text
    """How it is to look; the service refuses a start without it."""
    negative_prompt: Text
    """What is not to be seen; the service refuses a start without it."""
    audio_url: Sound | None = None
    """What is said."""
    seconds: Annotated[int, Meta(ge=1, le=20)] | None = field(default=None, name="duration")
    """1 to 20; 3 where it is left out, or the length of the recording."""


class StartTalkingPhoto(StartTalking):
    """A picture of a person who agrees, and what is said. Spends coins."""

    image_url: Picture
    """The picture."""


class StartTalkingVideo(StartTalking):
    """A video of a person who agrees, and what is said. Spends coins."""

    video_url: Video
    """The video."""


class SpeakingPhoto(Made):
    """A talking photo in the making, or made."""


_TALKING_PHOTO = family("talkingPhoto", StartTalkingPhoto, SpeakingPhoto, RECORDS)


class TalkingPhoto(Group):
    """Photos made to speak. Have the consent of the people they show."""

    noun = "videos.talking_photo"

    start, records, details, detail, remove = _TALKING_PHOTO


TALKING_PHOTO = kind("talking_photo", _TALKING_PHOTO)


class SpeakingVideo(Made):
    """A talking video in the making, or made."""

    prompt: str | None = None
    """How it is to look."""
    negative_prompt: str | None = None
    """What is not to be seen."""
    video_url: str | None = None
    """The video at the start."""
    audio_url: str | None = None
    """What is said."""
    cover_url: str | None = None
    """Picture for lists."""
    seconds: float | None = field(default=None, name="duration")
    """Length of the result."""


_TALKING_VIDEO = family("talkingVideo", StartTalkingVideo, SpeakingVideo, RECORDS)


class TalkingVideo(Group):
    """Videos made to speak. Have the consent of the people they show."""

    noun = "videos.talking_video"

    start, records, details, detail, remove = _TALKING_VIDEO


TALKING_VIDEO = kind("talking_video", _TALKING_VIDEO)
