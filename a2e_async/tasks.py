"""What a task is: its states, the one table of status words, its record, and the data that make up a kind."""

import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from math import inf
from typing import Annotated, Any, Generic, ParamSpec, TypeVar

from msgspec import Meta, Struct, field, json

from a2e_async import _sic
from a2e_async._answer import Record, number_in
from a2e_async._endpoint import Endpoint, Listing
from a2e_async._wire import UNREADABLE, Link, Request
from a2e_async.errors import RequestError, visible

P = ParamSpec("P")
TaskT = TypeVar("TaskT", bound="Task")

_ID_DIGITS = 24
log = logging.getLogger("a2e_async")


class TaskState(StrEnum):
    """Where a task stands. UNKNOWN is a status word that nobody has documented; it ends no wait."""

    QUEUED = "queued"
    """Taken by the service, not begun."""
    RUNNING = "running"
    """Being worked on."""
    DONE = "done"
    """Ended well: the result is there."""
    FAILED = "failed"
    """The service gave up on it."""
    UNKNOWN = "unknown"
    """In a status that nobody has documented; not final."""
    UNCERTAIN = "uncertain"
    """Of a batch's job only: it was sent, and nobody can tell whether it became a task."""

    @property
    def final(self) -> bool:
        """True for DONE and FAILED only."""
        return self is TaskState.DONE or self is TaskState.FAILED


_WORDS = {
    TaskState.QUEUED: ("initialized", "sent", "pending", _sic.PENDING, "init", "start"),
    TaskState.RUNNING: ("processing", "process", "copy", "training"),
    TaskState.DONE: ("completed", "success", "succeeded"),
    TaskState.FAILED: ("failed", "fail", "error"),
}
ORDER = {TaskState.QUEUED: 0, TaskState.RUNNING: 1, TaskState.DONE: 2, TaskState.FAILED: 2}
"""In which states follow each other; UNKNOWN may be anywhere."""
WORDS = {word: state for state, words in _WORDS.items() for word in words}
"""Every status word of every family (contract 2.1)."""
_warned: set[str] = set()


def state_of(word: str) -> TaskState:
    """Map a status word; one that is not in the table becomes UNKNOWN and is warned about once."""
    state = WORDS.get(word) or WORDS.get(word.strip().casefold())
    if state is None:
        if word not in _warned and len(_warned) < 100:
            _warned.add(word)
            extra = {"a2e_state": TaskState.UNKNOWN}
            log.warning("Unknown status word %r: treated as not final.", word[:80], extra=extra)
        state = TaskState.UNKNOWN
    return state


class Handle(Struct, frozen=True, omit_defaults=True, tag_field="a2e", tag=1):
    """What it takes to go on watching a task in another process, or later: a small JSON without secrets."""

    kind: str
    id: str
    state: TaskState | None = None
    """The state that was told last; it is not told again."""
    until: float | None = None
    """When the wait is to be given up, seconds since 1970."""

    def to_json(self) -> str:
        """Write it down; `A2ESession.take_up` reads it."""
        return json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "Handle":
        """Read it; raise RequestError for what is none, or of a newer version."""
        try:
            handle = json.decode(text, type=cls)
        except UNREADABLE as error:
            raise RequestError(f"is no handle of a task ({error}).", field="handle") from None
        if handle.kind not in KINDS:
            raise RequestError(f"is of an unknown kind {handle.kind!r}: a newer a2e-async wrote it.", field="handle")
        return handle


class Start(Request):
    """What every start takes besides its own fields."""

    webhook_url: Link | None = None
    """https URL that gets one POST, never repeated, when the task ends."""
    webhook_token: Annotated[str, Meta(max_length=256)] | None = None
    """Sent back in the header X-A2e-Webhook-Token."""


class Task(Record):
    """A job at the service, as last read; the fields of the generic family (contract 2.1)."""

    name: str = ""
    """Label given at the start."""
    status: str = field(default="", name="current_status")
    """The service's own status word; `state` is what to branch on."""
    result_url: str | None = None
    """Where the result lies for about three days; empty until done."""
    coins: float | None = None
    """Coins charged; None where the service does not tell."""
    created_at: str = field(default="", name="createdAt")
    """UTC, ISO 8601."""
    updated_at: str = field(default="", name="updatedAt")
    """UTC, ISO 8601."""
    failed_message: str | None = None
    failed_code: str | int | None = None
    failure_message: str | None = field(default=None, name=_sic.FAILED_MESSAGE)
    error_code: str | int | None = None

    def __repr__(self) -> str:
        coins = "" if self.coins is None else f", {self.coins:g} coins"
        error = f": {self.error[:80]}" if self.error else ""
        return visible(f"<{type(self).__name__} {self.id} {self.state}{coins}{error}>")

    def _repr_html_(self) -> str:
        return shown(self)

    @property
    def state(self) -> TaskState:
        """Where the task stands. A record without a status word but with a result is DONE."""
        if not self.status and self.result_url:
            return TaskState.DONE
        return state_of(self.status)

    @property
    def result_urls(self) -> list[str]:
        """Where all results lie, of which a few families make several; empty until done."""
        return [self.result_url] if self.result_url else []

    @property
    def error(self) -> str:
        """Why the task failed, in the service's words, whichever its spelling; '' where it did not say."""
        return self.failed_message or self.failure_message or ""

    @property
    def code(self) -> int:
        """The service's error code; 0 where there is none."""
        return number_in(self.failed_code or self.error_code)

    def handle(self) -> str:
        """Write down, as a small JSON without secrets, which task this is: `A2ESession.take_up` watches it anywhere."""
        return Handle(kind_of(self).name, self.id).to_json()


class TaskKind(Generic[P, TaskT]):
    """What differs between kinds of task, as data: how to start, read one, read many, how long it takes."""

    def __init__(  # noqa: PLR0913 - one kind has this many facts
        self,
        name: str,
        *,
        start: Endpoint[P, TaskT],
        detail: Endpoint[..., TaskT] | None,
        details: Endpoint[..., list[TaskT]] | None = None,
        running: Endpoint[..., list[TaskT]] | None = None,
        records: Listing[..., TaskT] | None = None,
        remove: Endpoint[..., None] | None = None,
        tag: str = "",
        patience: float = 7500.0,
    ) -> None:
        self.name = name
        """How the command line, journals and handles call it, such as ``face_swap``."""
        self.start = start
        """Starts a task, for coins."""
        self.detail = detail
        """Reads one task; None where the pages of `records` alone tell of it."""
        self.details = details
        """Reads up to 200 ids in one request."""
        self.running = running
        """Lists what still runs; an id that left it has ended."""
        self.records = records
        """Lists all there were, newest first, page by page."""
        self.remove = remove
        """Takes a task back; one that has not begun is refunded."""
        self.tag = tag
        """Field of the start that comes back as the record's name: a batch puts its mark there."""
        self.patience = patience
        """Seconds until a wait gives up by itself: a little over the service's own two hours."""
        KINDS.known[name] = self
        _BY_RECORD[start.answer.record] = self

    def __repr__(self) -> str:
        return f"<TaskKind {self.name}>"

    @property
    def label(self) -> str:
        """What a task of this kind is read by, as errors name it."""
        return (self.detail or self.records or self.start).label

    def read(self, record: bytes) -> TaskT:
        """Return the task that `Task.to_json` wrote."""
        return self.start.answer.read(self.start.label, 200, {}, b'{"code":0,"data":' + record + b"}")


class _Kinds(Mapping[str, TaskKind[..., Any]]):
    # The newer families are many, and loaded when one of them is asked for.
    def __init__(self) -> None:
        self.known: dict[str, TaskKind[..., Any]] = {}
        self.load: Callable[[], object] = dict
        """Loads the kinds that are not there yet; set by `a2e_async.groups`, which is made of kinds."""

    def __getitem__(self, name: str) -> TaskKind[..., Any]:
        return (self.known if name in self.known else self._all())[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def _all(self) -> dict[str, TaskKind[..., Any]]:
        self.load()
        return self.known


KINDS = _Kinds()
"""Every kind by its name."""
_BY_RECORD: dict[type[Task], TaskKind[..., Any]] = {}


def shown(task: Task) -> str:
    """Return a task as HTML, as notebooks show it."""
    from a2e_async._html import card  # noqa: PLC0415 - notebooks alone need it

    urls = {name: getattr(task, name) for name in task.__struct_fields__ if name.endswith("_url")}
    links = {name: url for name, url in urls.items() if isinstance(url, str) and name != "result_url"}
    state = task.state
    word = task.status if state is TaskState.UNKNOWN else state.value
    result = task.result_url if state is TaskState.DONE else ""
    return card(type(task).__name__, task.id, word, coins=task.coins, error=task.error, result=result, links=links)


def kind_of(task: TaskT) -> TaskKind[..., TaskT]:
    """Return the kind that a task is of; raise TypeError for what is no task."""
    kind = _BY_RECORD.get(type(task))
    if kind is None:
        raise TypeError(f"{type(task).__name__} is no task of a known kind")
    return kind


def kind_started(endpoint: Endpoint[..., Any]) -> TaskKind[..., Any] | None:
    """Return the kind of the tasks that an endpoint starts; None if it starts none."""
    return _BY_RECORD.get(endpoint.answer.record) if endpoint.paid else None


def about(kind: TaskKind[..., Any], task_id: str) -> dict[str, object]:
    """Return what a line of the log about a task is filtered by."""
    return {"a2e_kind": kind.name, "a2e_task_id": task_id}


def amount(coins: float | None) -> float | None:
    """Return coins as the service told them; None for what is no amount, such as NaN, which text is read as."""
    return coins if coins is not None and 0 <= coins < inf else None


def made_at(task_id: str) -> float:
    """Return the second since 1970 that an id holds in its first 4 bytes; 0 where it holds none."""
    try:
        # `int` alone takes signs, blanks and underscores too.
        return float(int(task_id[:8], 16)) if len(task_id) == _ID_DIGITS and task_id[:8].isalnum() else 0.0
    except ValueError:
        return 0.0


def born(task: Task) -> float:
    """Return when a task was made by the service's clock, in seconds since 1970; 0 where nothing tells."""
    try:
        at = datetime.fromisoformat(task.created_at)
    except ValueError:
        return made_at(task.id)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
