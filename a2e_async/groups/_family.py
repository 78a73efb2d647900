"""The shape that the newer model families share: start, list, read, remove. A family is declared in one line.

Its module holds the request, the record, and::

    _FLUX2 = family("userFlux2", StartFlux2, Flux2Pictures, LISTED)

    class Flux2(Group):
        noun = "images.flux2"
        start, records, details, detail, remove = _FLUX2

    FLUX2 = kind("flux2", _FLUX2)

What a family has besides stands below that line in its class, as an endpoint of its own.
"""

from collections.abc import Callable
from typing import Annotated, Generic, Literal, NamedTuple, ParamSpec, TypeVar

from msgspec import Meta, field
from msgspec.structs import fields, force_setattr

from a2e_async._answer import many, nothing, one
from a2e_async._endpoint import Endpoint, Listing, delete, get, listing, post
from a2e_async._wire import ById, ByIds, PageQuery, Request
from a2e_async.tasks import Start, Task, TaskKind

P = ParamSpec("P")
IdP = ParamSpec("IdP")
IdsP = ParamSpec("IdsP")
PageP = ParamSpec("PageP")
TaskT = TypeVar("TaskT", bound=Task)

Text = Annotated[str, Meta(min_length=1)]
"""A text that must not be empty."""
Ratio = Literal["1:1", "4:3", "3:4", "16:9", "9:16", "2:3", "3:2", "21:9"]
"""Width to height, where the service tells which it takes."""


class Named(Start):
    """A start that must be given a label."""

    name: Text
    """Label of the task."""


class Labelled(Start):
    """A start that may be given a label."""

    name: str | None = None
    """Label of the task."""


class Prompted(Named):
    """A start of a picture model: a label, and what is to be seen."""

    prompt: Text
    """What is to be seen."""


class Shaped(Prompted):
    """The same, and the shape of the picture."""

    aspect_ratio: str | None = None
    """Width to height, such as ``16:9``; which ones there are is not public."""


class Made(Task):
    """A result of a newer family in the making, or made. Its field differs from family to family: each is read."""

    result_url: str | None = field(default=None, name="result_image_url")
    """Where the first result lies, whichever field it came in; empty until done."""
    result_video_url: str | None = None
    """As the service sent it."""
    results: str | list[str] | None = field(default=None, name="result_url")
    """As the service sent it: one URL, or many."""

    def __post_init__(self) -> None:
        if not self.result_url and (urls := self.result_urls):
            force_setattr(self, "result_url", urls[0])

    @property
    def result_urls(self) -> list[str]:
        """Where all results lie; empty until done."""
        told = [self.results] if isinstance(self.results, str) else self.results or []
        return list(dict.fromkeys(url for url in (*told, self.result_url, self.result_video_url) if url))


class Pictures(Made):
    """One or more pictures in the making, or made."""

    image_urls: list[str] | None = None
    """Where the pictures lie; empty until done."""

    @property
    def result_urls(self) -> list[str]:
        """Where all pictures lie; empty until done."""
        return list(dict.fromkeys([*filter(None, self.image_urls or ()), *super().result_urls]))


class ByKey(Request):
    """One record, as the younger paths call it."""

    id: str
    """Record id, 24 hex digits."""

    problem = ById.problem


class NumberQuery(Request):
    """One page of a listing, newest first."""

    page: Annotated[int, Meta(ge=1)] = 1
    """Page number, from 1."""
    size: Annotated[int, Meta(ge=1, le=100)] = field(default=100, name="page_size")
    """Rows per page, 1 to 100."""


class Layout(Generic[IdP, IdsP, PageP]):
    """By which paths and parameters a family is listed and read: there are a few, each of several families."""

    def __init__(  # noqa: PLR0913 - a layout has this many facts
        self,
        by: Callable[IdP, Request],
        ids: Callable[IdsP, Request],
        pages: Callable[PageP, Request],
        *,
        records: str = "allRecords",
        detail: str = "{_id}",
        remove: str = "{_id}",
    ) -> None:
        self.by, self.ids, self.pages = by, ids, pages
        self.records, self.detail, self.remove = records, detail, remove


RECORDS = Layout(ById, ByIds, PageQuery)
"""That of most families: ``allRecords``, ``{_id}``."""
LISTED = Layout(ByKey, ByIds, NumberQuery, records="list", detail="detail/{id}", remove="{id}")
"""That of the younger picture models: ``list``, ``detail/{id}``."""


class Family(NamedTuple, Generic[P, IdP, IdsP, PageP, TaskT]):
    """What all families have, in the order in which a class takes it up."""

    start: Endpoint[P, TaskT]
    """Queue a task. Spends coins, so it is never blindly sent twice."""
    records: Listing[PageP, TaskT]
    """All tasks, newest first."""
    details: Endpoint[IdsP, list[TaskT]]
    """Read up to 200 tasks, in any order; unknown ids are left out."""
    detail: Endpoint[IdP, TaskT]
    """Read a task as it stands now."""
    remove: Endpoint[IdP, None]
    """Remove a task: refunded while still initialized, refused while it is sent, pending or processing."""


def family(
    path: str, start: Callable[P, Request], record: type[TaskT], layout: Layout[IdP, IdsP, PageP], *, also: str = ""
) -> Family[P, IdP, IdsP, PageP, TaskT]:
    """Declare the five endpoints of a family; ``also`` is another spelling of its path at the start."""
    base = f"/{path}"
    return Family(
        post(f"{base}/start", start, one(record), paid=True, also=also and f"/{also}/start"),
        listing(f"{base}/{layout.records}", layout.pages, record),
        post(f"{base}/batchDetail", layout.ids, many(record), safe=True),
        get(f"{base}/{layout.detail}", layout.by, one(record)),
        delete(f"{base}/{layout.remove}", layout.by, nothing()),
    )


def kind(name: str, calls: Family[P, IdP, IdsP, PageP, TaskT]) -> TaskKind[P, TaskT]:
    """Make the kind of a family's tasks, which a batch can tell by their name if they have one."""
    start, records, details, detail, remove = calls
    tag = "name" if any(info.name == "name" for info in fields(start.request)) else ""
    return TaskKind(name, start=start, detail=detail, details=details, records=records, remove=remove, tag=tag)
