"""What a session tells whoever observes it: one callable gets each event, for logs, metrics, traces and displays.

Events hold ids, states, numbers, rows of the API and the names of errors. They hold no token, URL, text or file name:
nothing made of them has to be looked through for such.
"""

import logging
from collections.abc import Callable
from typing import ClassVar, Literal, TypeAlias

import msgspec

from a2e_async.tasks import TaskState

Direction: TypeAlias = Literal["upload", "download"]

REQUESTS, TASKS, TRANSFERS = (logging.getLogger(f"a2e_async.{name}") for name in ("requests", "tasks", "transfers"))


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened; a kind of event says which. ``seconds`` are those it took."""

    logger: ClassVar[logging.Logger] = TASKS
    level: ClassVar[int] = logging.DEBUG
    """At which it is logged."""

    server: str = ""
    """Host of the service."""


class RequestEnded(Event, frozen=True, kw_only=True):
    """One request to the service, repeats and readings of tasks included; transfers of files are not among them."""

    logger: ClassVar = REQUESTS

    endpoint: str
    """Verb and path, with places for ids: ``GET /api/v1/userFaceSwapTask/{_id}``."""
    attempt: int = 1
    seconds: float
    """From its leaving, which a brake or a limit may have put off."""
    http_status: int | None = None
    """None where no answer came."""
    code: int = 0
    """The envelope's code of a refusal."""
    error: str = ""
    """Name of the exception, '' where it went well."""


class Braked(Event, frozen=True, kw_only=True):
    """The service asked for a pause, or answered with a 429: nothing is sent for ``seconds``, then one by one."""

    logger: ClassVar = REQUESTS
    level: ClassVar = logging.INFO

    endpoint: str
    seconds: float
    http_status: int


class SubmitBegan(Event, frozen=True, kw_only=True):
    """A task is going to be started; its local files are with the service by now."""

    number: int
    """Tells those under way apart."""
    kind: str
    endpoint: str


class SubmitEnded(Event, frozen=True, kw_only=True):
    """A task was started, or was not. Where one request starts several, there is one of these for each."""

    level: ClassVar = logging.INFO

    number: int
    kind: str
    endpoint: str
    seconds: float
    task_id: str = ""
    state: TaskState | None = None
    coins: float | None = None
    """Coins charged; None where the service does not tell yet."""
    error: str = ""
    http_status: int | None = None
    code: int = 0


class WaitBegan(Event, frozen=True, kw_only=True):
    """Somebody waits for a task. Whoever iterates over a watcher waits once for each transition."""

    kind: str
    task_id: str
    state: TaskState | None = None
    """Where it stood, as far as is known."""


class Moved(Event, frozen=True, kw_only=True):
    """A task that somebody waits for was seen to move: each move is told once, however many wait."""

    level: ClassVar = logging.INFO

    kind: str
    task_id: str
    previous: TaskState | None
    state: TaskState
    seconds: float
    """The task's age, from its start on."""
    coins: float | None = None
    """What it cost, as told so far; a failed task is refunded."""
    code: int = 0
    """The service's code of a failure."""


class WaitEnded(Event, frozen=True, kw_only=True):
    """Somebody does not wait any more: there are news, or an ``error``, such as `TaskTimeoutError`."""

    kind: str
    task_id: str
    state: TaskState | None
    seconds: float
    error: str = ""


class TransferBegan(Event, frozen=True, kw_only=True):
    """A file begins to move."""

    logger: ClassVar = TRANSFERS

    number: int
    """Tells those under way apart."""
    direction: Direction
    task_id: str = ""
    """Whose result it is, if it is one."""
    size: int | None = None
    """Bytes; None until they are known."""


class TransferMoved(Event, frozen=True, kw_only=True):
    """Bytes of a file have moved."""

    logger: ClassVar = TRANSFERS
    level: ClassVar = logging.NOTSET
    """Never logged."""

    number: int
    direction: Direction
    task_id: str = ""
    done: int
    size: int | None


class TransferEnded(Event, frozen=True, kw_only=True):
    """A file is where it was to go, or is not."""

    logger: ClassVar = TRANSFERS

    number: int
    direction: Direction
    task_id: str = ""
    done: int
    seconds: float
    error: str = ""


Observer: TypeAlias = Callable[[Event], None]
"""Called on the event loop, where the thing happens, in the context of whoever does it: it must not block."""
