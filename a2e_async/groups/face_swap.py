"""Face swap: a face put into a video or a picture. Contract 3.6 to 3.8 and 4.3."""

from typing import Annotated, Literal

from msgspec import Meta, field

from a2e_async._answer import Record, many, nothing, one
from a2e_async._endpoint import Group, delete, get, listing, post, subgroup
from a2e_async._wire import ById, ByIds, Clip, Nothing, PageQuery, Picture, Request
from a2e_async.tasks import Start, Task, TaskKind


class AddFace(Request):
    """A face to keep for later swaps."""

    face_url: Picture
    """Picture of the face, with the person's consent."""


class Face(Record):
    """A saved face."""

    face_url: str = ""
    """Public URL of the picture."""
    created_at: str = field(default="", name="createdAt")
    """UTC, ISO 8601."""
    updated_at: str = field(default="", name="updatedAt")
    """UTC, ISO 8601."""


class AddPreview(Request):
    """A quick look at what a swap would give."""

    face_url: Picture
    """Picture of the face, with the person's consent."""
    video_url: Clip
    """Video or picture to put it into."""


class AddSwap(Start):
    """A face and the video or picture to put it into. Spends coins."""

    name: Annotated[str, Meta(min_length=1)]
    """Label of the task."""
    face_url: Picture
    """Picture of the face, with the person's consent."""
    video_url: Clip
    """Video or picture to put it into."""
    cover_url: Picture | None = None
    """Cover picture of the result."""
    model_version: Literal["v1", "v2"] = "v1"
    """``v2`` takes pictures only."""


class SwapPreview(Task):
    """A preview in the making, or made."""

    face_url: str = ""
    """The face."""
    video_url: str = ""
    """What it is put into."""


class Swap(Task):
    """A face swap in the making, or made."""

    face_url: str = ""
    """The face."""
    video_url: str = ""
    """What it is put into."""
    duration: float | None = None
    """Seconds of video."""
    initialized_time: str | None = None
    """When the service took it, UTC, ISO 8601."""
    processing_time: str | None = None
    """When the model began, UTC, ISO 8601."""
    completed_time: str | None = None
    """When the result was there, UTC, ISO 8601."""


class FaceSwapImages(Group):
    """Saved faces."""

    noun = "face_swap.images"

    add = post("/userFaceSwapImage/add", AddFace, many(Face))
    """Save a face. Answers the whole collection, newest first: the new one is the first."""

    records = get("/userFaceSwapImage/records", Nothing, many(Face))
    """All saved faces."""

    remove = delete("/userFaceSwapImage/{_id}", ById, nothing())
    """Forget a saved face."""


class FaceSwapPreviews(Group):
    """Quick previews: they can be read one by one only, and never removed."""

    noun = "face_swap.previews"

    add = post("/userFaceSwapPreview/add", AddPreview, one(SwapPreview), paid=True)
    """Queue a preview. May spend coins, so it is never blindly sent twice."""

    status = get("/userFaceSwapPreview/status", ById, one(SwapPreview))
    """Read a preview as it stands now."""


class FaceSwapTasks(Group):
    """Face-swap tasks."""

    noun = "face_swap.tasks"

    add = post("/userFaceSwapTask/add", AddSwap, one(Swap), paid=True)
    """Queue a swap. Spends coins, so it is never blindly sent twice."""

    processing = get("/userFaceSwapTask/status", Nothing, many(Swap))
    """What still runs, few fields each; an id that left this list has ended."""

    records = listing("/userFaceSwapTask/records", PageQuery, Swap)
    """All tasks, newest first; expired ones are left out."""

    detail = get("/userFaceSwapTask/{_id}", ById, one(Swap))
    """Read a task as it stands now."""

    details = post("/userFaceSwapTask/batchDetail", ByIds, many(Swap), safe=True)
    """Read up to 200 tasks, in any order; unknown ids are left out."""

    remove = delete("/userFaceSwapTask/{_id}", ById, nothing())
    """Remove a task: refunded while still initialized, refused while it is sent, pending or processing."""


class FaceSwap(Group):
    """Put a face into a video or a picture. Have the consent of the people it shows."""

    noun = "face_swap"

    images = subgroup(FaceSwapImages)
    """Saved faces."""
    previews = subgroup(FaceSwapPreviews)
    """Quick previews."""
    tasks = subgroup(FaceSwapTasks)
    """The swaps themselves."""


FACE_SWAP = TaskKind(
    "face_swap",
    start=FaceSwapTasks.add,
    detail=FaceSwapTasks.detail,
    details=FaceSwapTasks.details,
    running=FaceSwapTasks.processing,
    records=FaceSwapTasks.records,
    remove=FaceSwapTasks.remove,
    tag="name",
)
FACE_SWAP_PREVIEW = TaskKind("face_swap_preview", start=FaceSwapPreviews.add, detail=FaceSwapPreviews.status)
