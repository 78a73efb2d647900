"""Motion transfer and actor swap: a person from a picture in the motion of a video. Contract 4.22 and 4.23."""

from msgspec import field

from a2e_async._endpoint import Group
from a2e_async._wire import Picture, Video
from a2e_async.groups._family import RECORDS, Labelled, Made, family, kind
from a2e_async.groups._terms import Patience


class StartMotion(Labelled):
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

    prompt: str | None = field(default=None, name="positive_prompt")
    """What is to be seen."""


class StartActorSwap(StartMotion):
    """A person who is to act instead of the one in a video. Spends coins."""

    prompt: str | None = None
    """What is to be seen."""


class TransferredMotion(Made):
    """A transferred motion in the making, or made."""


_MOTION_TRANSFER = family("motionTransfer", StartMotionTransfer, TransferredMotion, RECORDS)


class MotionTransfer(Group):
    """People in pictures made to move as in a video. Have the consent of the people they show."""

    noun = "videos.motion_transfer"

    start, records, details, detail, remove = _MOTION_TRANSFER


MOTION_TRANSFER = kind("motion_transfer", _MOTION_TRANSFER)


class SwappedActor(Made):
    """A video with another actor in the making, or made."""


_ACTOR_SWAP = family("actorSwap", StartActorSwap, SwappedActor, RECORDS)


class ActorSwap(Group):
    """Other people put into videos as their actors. Have the consent of the people they show."""

    noun = "videos.actor_swap"

    start, records, details, detail, remove = _ACTOR_SWAP


ACTOR_SWAP = kind("actor_swap", _ACTOR_SWAP)
