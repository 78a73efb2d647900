"""What a journal is, and its rows. Each is looked at when it is read: a damaged one must not pass for less."""

from enum import StrEnum
from functools import cache
from types import NoneType
from typing import Any, NamedTuple, Protocol, TypeVar, get_args, get_type_hints

from a2e_async.errors import JournalError

RowT = TypeVar("RowT", bound=tuple[Any, ...])
DAMAGED = "is damaged: restore it from a copy; do not begin anew, or jobs may be paid twice."
LEASE = 30.0
"""Seconds after its intent within which a submission must leave, where no lock tells that its sender is gone."""
_MOST = 1e15
# As far as the calendar goes, and a little further.
_MOMENTS: dict[str, float] = dict.fromkeys(("created", "intended", "doubted", "ended"), 1e11)


class Phase(StrEnum):
    """How far a job has come, as far as its money goes."""

    NEW = "new"
    """Nothing was started: it was refused, or taken back."""
    SENDING = "sending"
    """It may have been sent; the answer is not known."""
    SENT = "sent"
    """It became a task."""
    DONE = "done"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    """It was sent, and nothing can tell whether it became a task."""


class Entry(NamedTuple):
    """One job as it stands in the journal; times are seconds since 1970."""

    id: int
    key: str
    digest: bytes
    request: bytes
    phase: Phase
    tag: str | None
    anchor: str | None
    """A task older than the submission; '' if there was none, None if that is not known."""
    task_id: str
    price: float
    """Coins set aside when it was sent."""
    coins: float | None
    """Coins that the service said it cost."""
    intended: float
    """When it was about to be sent."""
    doubted: float | None
    """Since when nobody can be sending it any more, though its answer is unknown."""
    ended: float | None
    record: bytes | None
    """The final task, as JSON."""
    failure: bytes | None
    """The final refusal, as JSON."""
    path: str | None
    """Where the result was saved."""
    twins: str
    """Ids of further tasks under the same tag: charged, but not wanted."""
    lost: float
    """Coins besides: for twins, and for what was sent anew although it may have become a task before."""


class Summary(NamedTuple):
    """What a journal holds of one batch."""

    id: int
    kind: str
    name: str
    created: float
    """Seconds since 1970."""
    holder: str
    """The process that has it now."""
    counts: dict[str, int]
    """Jobs by phase."""
    coins: float
    """Coins spent, and set aside for what is not certain."""


class Head(NamedTuple):
    """One batch, its jobs aside."""

    id: int
    kind: str
    name: str
    created: float
    holder: str


class Owner(NamedTuple):
    """Whose a batch is, and which process has it."""

    id: int
    holder: str
    salt: bytes
    account: bytes


class Count(NamedTuple):
    """The jobs of one phase, and their coins."""

    phase: Phase
    jobs: int
    coins: float


class Done(NamedTuple):
    """A task that was done, as JSON, and the seconds that it took."""

    record: bytes
    seconds: float


class Ledger(Protocol):
    """The journal of one batch: what is awaited is durable when it returns. Raises `JournalError`."""

    lease: float
    """Seconds after an intent within which its submission must leave; inf if only this process can be sending."""

    async def aclose(self) -> None:
        """Write what is still to be written, and let others have the batch."""
        ...

    async def find(self, key: str) -> Entry | None:
        """Return what is known of a job."""
        ...

    async def intend(  # noqa: PLR0913 - what an intent consists of
        self, key: str, digest: bytes, request: bytes, tag: str | None, price: float, *, anchor: str | None = None
    ) -> int:
        """Note that a job is about to be sent, which must not happen before this returns its number."""
        ...

    async def started(self, job: int, task_id: str, coins: float | None) -> None:
        """Note the task that a job became."""
        ...

    async def adopted(self, job: int, task_id: str, coins: float | None, twins: str, lost: float) -> None:
        """Note the task that a job turned out to be, and further ones with what they cost."""
        ...

    async def withdrawn(self, job: int) -> None:
        """Note that a job was certainly not started, or taken back."""
        ...

    async def doubted(self, job: int) -> Entry:
        """Note that a job was sent and its answer lost; return all that is known of it."""
        ...

    async def ended(
        self, job: int, phase: Phase, coins: float | None, *, record: bytes | None = None, failure: bytes | None = None
    ) -> None:
        """Note how a job ended, which nobody must be told before this returns."""
        ...

    async def saved(self, job: int, path: str) -> None:
        """Note where a result lies."""
        ...

    async def unfinished(self, after: int = 0, limit: int = 500) -> list[Entry]:
        """Return jobs without an end, in the order of their numbers."""
        ...

    async def lately_done(self, limit: int) -> list[Done]:
        """Return the records of the tasks done last, the oldest first, and the seconds from intent to end."""
        ...

    async def summary(self) -> Summary:
        """Return the batch's counts and coins."""
        ...


def checked(path: object, row: tuple[Any, ...], kind: type[RowT]) -> RowT:
    """Return a row as what it is to be; raise JournalError for what is none."""
    try:
        return kind(*map(_fit, row, _columns(kind).items()))
    except ValueError as error:
        raise JournalError(f"journal {path} {DAMAGED} ({error})") from None


def _fit(value: Any, column: tuple[str, tuple[type, ...]]) -> Any:
    name, types = column
    if Phase in types:
        return Phase(value)
    if type(value) is int and float in types:
        value = float(value)  # SQLite keeps whole numbers as such, and RETURNING shows it
    if type(value) not in types or (type(value) is float and not 0 <= value <= _MOMENTS.get(name, _MOST)):
        raise ValueError(f"{name}: {value!r:.80}")
    return value


@cache
def _columns(kind: type) -> dict[str, tuple[type, ...]]:
    hints = get_type_hints(kind)
    return {name: tuple(get_args(hint)) if NoneType in get_args(hint) else (hint,) for name, hint in hints.items()}
