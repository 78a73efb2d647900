"""Dubbing: a video or a recording, spoken in another language. Contract 3.9."""

from typing import Annotated

from msgspec import Meta, field

from a2e_async._answer import many, nothing, one
from a2e_async._endpoint import Group, delete, get, listing, post
from a2e_async._wire import ById, Footage, Nothing, PageQuery
from a2e_async.tasks import Start, Task, TaskKind


class StartDubbing(Start):
    """What to dub, from and into which language. Spends coins."""

    name: Annotated[str, Meta(min_length=1)]
    """Label of the task."""
    source_url: Footage
    """Video or recording."""
    source_lang: str
    """Language code such as ``en``; a client of the service sends ``auto``."""
    target_lang: str
    """Language code such as ``fr``."""
    num_speakers: Annotated[int, Meta(ge=1)] = 1
    """How many people speak in it."""
    drop_background_audio: bool = False
    """Keep nothing but the speech."""


class Dub(Task):
    """A dubbing in the making, or made."""

    source_url: str = ""
    """What is dubbed."""
    source_lang: str = ""
    """Language it is in."""
    target_lang: str = ""
    """Language it is dubbed into."""
    speakers: int | None = field(default=None, name="num_speakers")
    """How many people speak in it."""


class Dubbing(Group):
    """Speech in another language. Have the consent of the people whose voice it is."""

    noun = "dubbing"

    start = post("/userDubbing/startDubbing", StartDubbing, one(Dub), paid=True)
    """Queue a dubbing. Spends coins, so it is never blindly sent twice."""

    records = listing("/userDubbing/allRecords", PageQuery, Dub)
    """All tasks, newest first."""

    processing = get("/userDubbing/allProcessing", Nothing, many(Dub))
    """What still runs."""

    detail = get("/userDubbing/{_id}", ById, one(Dub))
    """Read a task as it stands now."""

    remove = delete("/userDubbing/{_id}", ById, nothing())
    """Remove a task."""


DUBBING = TaskKind(
    "dubbing",
    start=Dubbing.start,
    detail=Dubbing.detail,
    running=Dubbing.processing,
    records=Dubbing.records,
    remove=Dubbing.remove,
    tag="name",
)
