"""Hailuo: videos from text or pictures. Contract 4.30."""

from typing import Literal

from msgspec import field

from a2e_async._answer import nothing, one
from a2e_async._endpoint import Group, delete, get, listing, post
from a2e_async._wire import ById, PageQuery, Picture
from a2e_async.groups._family import Labelled, Made
from a2e_async.groups._terms import SixOrTen, empty, twice
from a2e_async.tasks import TaskKind


class StartHailuo(Labelled):
    """A prompt or a picture. Spends coins."""

    prompt: str | None = None
    """What is to happen."""
    image_url: Picture | None = None
    """The picture, where there is one."""
    image_urls: list[Picture] | None = None
    """The pictures, where there are several."""
    resolution: Literal["768P", "1080P"] | None = None
    """Lines of the picture."""
    seconds: SixOrTen | None = field(default=None, name="duration")
    """Length of the video."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse pictures given twice, and a request that says nothing."""
        return twice(self, "image_url", "image_urls") or empty(self, ("prompt", "image_url", "image_urls"))


class HailuoVideo(Made):
    """A video by Hailuo in the making, or made."""


class Hailuo(Group):
    """Videos by Hailuo, from text or pictures. Many tasks are read page by page, as it takes no list of ids."""

    noun = "videos.hailuo"

    start = post("/hailuoVideo/start", StartHailuo, one(HailuoVideo), paid=True)
    """Queue a video. Spends coins, so it is never blindly sent twice."""

    records = listing("/hailuoVideo/allRecords", PageQuery, HailuoVideo)
    """All tasks, newest first."""

    detail = get("/hailuoVideo/{_id}", ById, one(HailuoVideo))
    """Read a task as it stands now."""

    remove = delete("/hailuoVideo/{_id}", ById, nothing())
    """Remove a task: refunded while still initialized, refused while it is sent, pending or processing."""


HAILUO = TaskKind(
    "hailuo", start=Hailuo.start, detail=Hailuo.detail, records=Hailuo.records, remove=Hailuo.remove, tag="name"
)
