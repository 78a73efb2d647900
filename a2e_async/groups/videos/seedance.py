"""Seedance 1.5 and 2.x: videos from text, pictures, other videos and recordings. Contract 4.33 and 4.34."""

from typing import Annotated, Literal

from msgspec import Meta, field

from a2e_async._answer import nothing, one
from a2e_async._endpoint import Group, listing, post, put
from a2e_async._wire import Clip, PageQuery, Picture, Rename, Sound, Video
from a2e_async.groups._family import RECORDS, Labelled, Made, Text, family, kind
from a2e_async.groups._terms import FiveOrTen, Source, Way, lonely, unfit
from a2e_async.tasks import TaskKind

_WAYS = {"text-to-video": Way(), "image-to-video": Way(needs=("image_url",), takes=("end_image_url",))}


class StartSeedance(Labelled):
    """A prompt, and a picture for one of the two modes. Spends coins."""

    prompt: Text
    """What is to happen."""
    mode: Source | None = None
    """What the video is made from; the service's default is not public."""
    image_url: Picture | None = None
    """First picture."""
    end_image_url: Picture | None = None
    """Last picture; it needs the first."""
    seconds: FiveOrTen | None = field(default=None, name="duration")
    """Length of the video."""
    aspect_ratio: str | None = None
    """Shape of the picture, such as ``16:9``; the values are not public."""
    resolution: Literal["480p", "720p"] | None = None
    """Lines of the picture."""
    camera_fixed: bool | None = None
    """The camera stands still."""
    generate_audio: bool | None = None
    """With sound."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse pictures that do not go with the mode, and a last one without a first."""
        return unfit(self, "mode", _WAYS) or lonely(self, "end_image_url", ("image_url",))


class StartSeedance2(Labelled):
    """A prompt, and media to go by. Spends coins."""

    prompt: Text
    """What is to happen."""
    mode: str | None = None
    """The values are not public."""
    model_version: Literal["standard", "mini", "fast", "2.5"] | None = None
    """The service's default is not public."""
    omni_reference_task_type: str | None = None
    """What is to be done with the references; the values are not public."""
    image_url: Picture | None = None
    """Picture to start from."""
    first_frame_url: Picture | None = None
    """First picture."""
    last_frame_url: Picture | None = None
    """Last picture; it needs a first."""
    reference_urls: list[Clip] | None = None
    """Pictures or videos of what is to be seen."""
    video_urls: list[Video] | None = None
    """Videos to go by."""
    audio_urls: list[Sound] | None = None
    """Recordings to go by."""
    input_video_seconds: Annotated[float, Meta(gt=0)] | None = field(default=None, name="input_video_duration")
    """Length of the videos to go by, in seconds."""
    seconds: Annotated[int, Meta(ge=1)] = field(default=5, name="duration")
    """Length of the video; which ones a model takes is not public."""
    aspect_ratio: str | None = None
    """Shape of the picture, such as ``16:9``; the values are not public."""
    resolution: str | None = None
    """Size of the picture, such as ``720p``; the values are not public."""
    generate_audio: bool = True
    """With sound."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse a last picture without a first, and the length of videos that are not given."""
        return lonely(self, "last_frame_url", ("first_frame_url", "image_url")) or lonely(
            self, "input_video_seconds", ("video_urls", "reference_urls")
        )


class SeedanceVideo(Made):
    """A video by Seedance 1.5 in the making, or made."""


class Seedance(Group):
    """Videos by Seedance 1.5. The list alone tells of a task, which can be neither read by itself nor removed."""

    noun = "videos.seedance"

    start = post("/seedanceVideo/start", StartSeedance, one(SeedanceVideo), paid=True)
    """Queue a video. Spends coins, so it is never blindly sent twice."""

    records = listing("/seedanceVideo/allRecords", PageQuery, SeedanceVideo)
    """All tasks, newest first."""


SEEDANCE = TaskKind("seedance", start=Seedance.start, detail=None, records=Seedance.records, tag="name")


class Seedance2Video(Made):
    """A video by Seedance 2.x in the making, or made."""


_SEEDANCE2 = family("seedance2Video", StartSeedance2, Seedance2Video, RECORDS)


class Seedance2(Group):
    """Videos by Seedance 2.x, from text, pictures, other videos or recordings."""

    noun = "videos.seedance2"

    start, records, details, detail, remove = _SEEDANCE2

    rename = put("/seedance2Video/{_id}", Rename, nothing())
    """Give a task another label."""


SEEDANCE2 = kind("seedance2", _SEEDANCE2)
