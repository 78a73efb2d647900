"""Motion transfer and actor swap: a person from a picture in the motion of a video. Contract 4.22 and 4.23."""

from msgspec import field

from a2e_async._wire import Picture, Video
from a2e_async.groups.videos._terms import Patience
from a2e_async.tasks import Start


class StartMotion(Start):
    """What both take."""

    image_url: Picture
    """Picture of the person, with their consent."""
    video_url: Video
    """Video of the motion."""
    negative_prompt: str | None = None
    """What is not to be seen."""
    timeout: Patience = 300.0
    """Seconds after which the service gives up."""


class StartMotionTransfer(StartMotion):
    """A person who is to move as in a video. Spends coins."""

    name: str = ""
    """Label of the task."""
    prompt: str | None = field(default=None, name="positive_prompt")
    """What is to be seen."""


class StartActorSwap(StartMotion):
    """A person who is to act instead of the one in a video. Spends coins."""

    name: str | None = None
    """Label of the task."""
    prompt: str | None = None
    """What is to be seen."""
