"""Tells the log and a session's observers what happens. Where nobody listens, it costs a question."""

import logging
import time
from collections.abc import Awaitable, Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from itertools import count
from typing import Any, TypeVar, cast

import msgspec

from a2e_async._endpoint import Caller, Endpoint
from a2e_async.errors import APIError, visible
from a2e_async.observer import (
    REQUESTS,
    TASKS,
    Braked,
    Direction,
    Event,
    Moved,
    Observer,
    RequestEnded,
    SubmitBegan,
    SubmitEnded,
    TransferBegan,
    TransferEnded,
    TransferMoved,
    WaitBegan,
    WaitEnded,
)
from a2e_async.tasks import ORDER, Task, TaskState, amount, kind_started, log

R = TypeVar("R")
Progress = Callable[[int, int | None], None]

requests_logged, _tasks_logged = REQUESTS.isEnabledFor, TASKS.isEnabledFor
_numbers = count(1)


class Exchange:
    """One request; whoever sends it notes here what becomes known."""

    __slots__ = ("left", "status")

    def __init__(self) -> None:
        self.left = 0.0
        """When it left; 0 if it never did."""
        self.status: int | None = None


class Story:
    """A task that somebody waits for."""

    __slots__ = ("state", "waits")

    def __init__(self, state: TaskState | None) -> None:
        self.state, self.waits = state, 0


class Teller:
    """One session's: logs each event, and passes it on. An observer that fails is told of once, and harms nothing."""

    def __init__(self, server: str = "", observers: Iterable[Observer] = ()) -> None:
        self.observers = list(observers)
        """Whoever is told of each event."""
        self.server = server
        """Host of the service."""
        self._failed: set[int] = set()
        self.stories: dict[str, Story] = {}
        """What is waited for, by task id."""

    def wants(self, event: type[Event]) -> bool:
        """Tell whether anybody would learn of such an event."""
        return bool(self.observers) or event.logger.isEnabledFor(event.level)

    @property
    def hears_requests(self) -> bool:
        """The same of requests: asked before each."""
        return bool(self.observers) or requests_logged(logging.DEBUG)

    @property
    def hears_tasks(self) -> bool:
        """The same of submissions and moves."""
        return bool(self.observers) or _tasks_logged(logging.INFO)

    def tell(self, event: Event) -> None:
        """Log an event and pass it on."""
        if event.level and event.logger.isEnabledFor(event.level):
            note(event.logger, event.level, event)
        for observer in tuple(self.observers):
            try:
                observer(event)
            except Exception:  # noqa: BLE001 - whatever it is, no wait and no paid call ends with it
                if id(observer) not in self._failed:
                    self._failed.add(id(observer))
                    log.exception(
                        "The observer %r failed. It is called on; no further failure of it is logged.", observer
                    )

    @contextmanager
    def observed_by(self, observer: Observer) -> Generator[None]:
        """Let somebody observe for a while."""
        self.observers.append(observer)
        try:
            yield
        finally:
            self.observers.remove(observer)

    async def request(self, endpoint: str, attempt: int, seen: Exchange, sending: Awaitable[R]) -> R:
        """Have a request sent, and tell how it ended."""
        with self.exchange(endpoint, seen, attempt):
            return await sending

    @contextmanager
    def exchange(self, endpoint: str, seen: Exchange, attempt: int = 1) -> Generator[None]:
        """Tell how a request ended, unless it never left."""
        named: dict[str, Any] = {}
        try:
            yield
        except BaseException as error:
            named = _named(error)
            raise
        finally:
            if seen.left and self.hears_requests:
                found: dict[str, Any] = {"http_status": seen.status, "seconds": time.monotonic() - seen.left}
                found |= named
                self.tell(RequestEnded(server=self.server, endpoint=endpoint, attempt=attempt, **found))

    def braked(self, endpoint: str, error: APIError) -> None:
        """Tell that the service is left alone for a while."""
        if self.wants(Braked):
            seconds, status = error.retry_after or 0.0, error.http_status
            self.tell(Braked(server=self.server, endpoint=endpoint, seconds=seconds, http_status=status))

    def submission(self, endpoint: Endpoint[..., R]) -> "AbstractContextManager[Callable[[R], R] | None]":
        """Tell that a task is started; what this opens with takes the answer. None where no task comes of it."""
        kind = kind_started(endpoint)
        return nullcontext() if kind is None else self._submission(kind.name, endpoint.label)

    @contextmanager
    def _submission(self, kind: str, endpoint: str) -> Generator[Callable[[Any], Any]]:
        number, began = next(_numbers), time.monotonic()
        self.tell(SubmitBegan(server=self.server, number=number, kind=kind, endpoint=endpoint))
        ended = partial(SubmitEnded, server=self.server, number=number, kind=kind, endpoint=endpoint)

        def taken(answer: object) -> Any:
            seconds = time.monotonic() - began
            for task in _tasks(answer):
                coins = amount(task.coins)
                self.tell(ended(seconds=seconds, task_id=task.id, state=task.state, coins=coins))
            return answer

        try:
            yield taken
        except BaseException as error:
            self.tell(ended(seconds=time.monotonic() - began, **_named(error)))
            raise

    def transfer(
        self, direction: Direction, on_progress: Progress | None, *, task_id: str = "", size: int | None = None
    ) -> AbstractContextManager[Progress | None]:
        """Tell that a file moves; what this opens with is to be called as it does."""
        if not self.wants(TransferBegan):
            return nullcontext(on_progress)
        return self._transfer(direction, on_progress, task_id, size)

    @contextmanager
    def _transfer(
        self, direction: Direction, on_progress: Progress | None, task_id: str, size: int | None
    ) -> Generator[Progress]:
        began, done = time.monotonic(), 0
        about: dict[str, Any] = {"server": self.server, "number": next(_numbers), "task_id": task_id}
        about["direction"] = direction
        self.tell(TransferBegan(**about, size=size))

        def moved(so_far: int, total: int | None) -> None:
            nonlocal done
            done = so_far
            self.tell(TransferMoved(**about, done=done, size=total))
            if on_progress:
                on_progress(so_far, total)

        name = ""
        try:
            yield moved
        except BaseException as error:
            name = type(error).__name__
            raise
        finally:
            seconds = time.monotonic() - began
            self.tell(TransferEnded(**about, done=done, seconds=seconds, error=name))


_SILENT = Teller()


def teller_of(caller: Caller) -> Teller:
    """Return a session's teller; for any other caller one that only logs."""
    return cast("Teller", getattr(caller, "_teller", _SILENT))


class Wait:
    """One wait of somebody's, from its making until `end`."""

    def __init__(self, teller: Teller, kind: str, task_id: str, state: TaskState | None, age: float) -> None:
        self._teller, self._began, self._age = teller, time.monotonic(), age
        self._about = {"server": teller.server, "kind": kind, "task_id": task_id}
        self._story = teller.stories.setdefault(task_id, Story(state))
        self._story.waits += 1
        self.error = ""
        """Name of what cut it short."""
        teller.tell(WaitBegan(**self._about, state=self._story.state))

    def read(self, is_news: Callable[[Any, bool], bool], task: Any, final_only: bool) -> bool:  # noqa: FBT001 - called for each reading
        """Tell of a reading before it is judged."""
        before, state = self._story.state, task.state
        # A reading from a stale replica may lie behind what was told.
        if state is not before and (before is None or ORDER.get(state, ORDER.get(before, 0)) >= ORDER.get(before, 0)):
            self._story.state = state
            age, coins = self._age + time.monotonic() - self._began, amount(task.coins)
            self._teller.tell(
                Moved(**self._about, previous=before, state=state, seconds=age, coins=coins, code=task.code)
            )
        return is_news(task, final_only)

    def end(self) -> None:
        """Nobody waits here any more."""
        self._story.waits -= 1
        if not self._story.waits:
            self._teller.stories.pop(self._about["task_id"], None)
        seconds = time.monotonic() - self._began
        self._teller.tell(WaitEnded(**self._about, state=self._story.state, seconds=seconds, error=self.error))


def note(logger: logging.Logger, level: int, event: Event) -> None:
    """Log an event: as text, and each member that says anything as ``a2e_<name>`` of the log's record."""
    members = {
        info.name: visible(value) if isinstance(value := getattr(event, info.name), str) else value
        for info in msgspec.structs.fields(event)
        if (value := getattr(event, info.name)) != info.default and value is not None
    }
    members.pop("server", None)
    name = type(event).__name__
    text = " ".join(f"{k}={round(v, 3) if isinstance(v, float) else v}" for k, v in members.items())
    logger.log(level, "%s %s", name, text, extra={"a2e_event": name} | {f"a2e_{k}": v for k, v in members.items()})


def _tasks(answer: object) -> list[Task]:
    return cast("list[Task]", answer if isinstance(answer, list) else [answer])


def _named(error: BaseException) -> dict[str, Any]:
    more = {"http_status": error.http_status, "code": error.code} if isinstance(error, APIError) else {}
    return {"error": type(error).__name__, **more}
