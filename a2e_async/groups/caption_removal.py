"""Caption removal: burnt-in captions taken out of a video. Contract 3.11 and 4.3."""

from typing import Annotated

from msgspec import Meta

from a2e_async._answer import many, nothing, one
from a2e_async._endpoint import Group, delete, get, listing, post
from a2e_async._wire import ById, ByIds, Nothing, PageQuery, Video
from a2e_async.tasks import Start, Task, TaskKind


class StartCaptionRemoval(Start):
    """A video with captions. Spends coins."""

    name: Annotated[str, Meta(min_length=1)]
    """Label of the task."""
    source_url: Video
    """The video."""


class Uncaptioned(Task):
    """A caption removal in the making, or made."""

    source_url: str = ""
    """The video with captions."""


class CaptionRemoval(Group):
    """Videos without their burnt-in captions."""

    noun = "caption_removal"

    start = post("/userCaptionRemoval/start", StartCaptionRemoval, one(Uncaptioned), paid=True)
    """Queue a removal. Spends coins, so it is never blindly sent twice."""

    records = listing("/userCaptionRemoval/allRecords", PageQuery, Uncaptioned)
    """All tasks, newest first."""

    processing = get("/userCaptionRemoval/allProcessing", Nothing, many(Uncaptioned))
    """What still runs."""

    detail = get("/userCaptionRemoval/{_id}", ById, one(Uncaptioned))
    """Read a task as it stands now."""

    details = post("/userCaptionRemoval/batchDetail", ByIds, many(Uncaptioned), safe=True)
    """Read up to 200 tasks, in any order; unknown ids are left out."""

    retry = post("/userCaptionRemoval/retry", ById, nothing(), paid=True, provisional=True)
    """Try a failed removal again. Its body was never public."""

    remove = delete("/userCaptionRemoval/{_id}", ById, nothing())
    """Remove a task."""


CAPTION_REMOVAL = TaskKind(
    "caption_removal",
    start=CaptionRemoval.start,
    detail=CaptionRemoval.detail,
    details=CaptionRemoval.details,
    running=CaptionRemoval.processing,
    records=CaptionRemoval.records,
    remove=CaptionRemoval.remove,
    tag="name",
)
