"""Talking photo and talking video: a person made to speak. Contract 4.18 and 4.19."""

from typing import Annotated

from msgspec import Meta, field

from a2e_async._wire import Picture, Sound, Video
from a2e_async.groups.videos._terms import Text
from a2e_async.tasks import Start


class StartTalking(Start):
    """What both take."""

    name: Text
    """Label of the task."""
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
