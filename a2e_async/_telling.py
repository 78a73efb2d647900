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
Read = Callable[[Task], None]

_numbers = count(1)
_nobody: AbstractContextManager[None] = nullcontext()


class Exchange:
    """One request; whoever sends it notes here what becomes known."""

    __slots__ = ("left", "status")

    def __init__(self) -> None:
        self.left = 0.0
        """When it left; 0 if it never did."""
        self.status: int | None = None


class _Story:
    """A task that somebody waits for."""

    __slots__ = ("state", "waits")

    def __init__(self, state: TaskState | None) -> None:
        self.state, self.waits = state, 0


class Teller:
    """One session's: logs each event, and passes it on. An observer that fails is told of once, and harms nothing."""

    def __init__(self, server: str = "", observers: Iterable[Observer] = ()) -> None:
        self._server, self._observers = server, list(observers)
        self._failed: set[int] = set()
        self._stories: dict[str, _Story] = {}

    def wants(self, event: type[Event]) -> bool:
        """Tell whether anybody would learn of such an event."""
        return bool(self._observers) or event.logger.isEnabledFor(event.level)

    @property
    def hears_requests(self) -> bool:
        """The same of requests: asked before each."""
        return bool(self._observers) or REQUESTS.isEnabledFor(logging.DEBUG)

    def tell(self, event: Event) -> None:
        """Log an event and pass it on."""
        if event.level and event.logger.isEnabledFor(event.level):
            note(event.logger, event.level, event)
        for observer in tuple(self._observers):
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
        self._observers.append(observer)
        try:
            yield
        finally:
            self._observers.remove(observer)

    async def request(self, endpoint: str, attempt: int, seen: Exchange, sending: Awaitable[R]) -> R:
        """Have a request sent, and tell how it ended."""
        with self.exchange(endpoint, seen, attempt):
            return await sending

    @contextmanager
    def exchange(self, endpoint: str, seen: Exchange, attempt: int = 1) -> Generator[None]:
        """Tell how a request ended, unless it never left."""
        failure: BaseException | None = None
        try:
            yield
        except BaseException as error:
            failure = error
            raise
        finally:
            if seen.left and self.hears_requests:
                found: dict[str, Any] = {"http_status": seen.status, "seconds": time.monotonic() - seen.left}
                found |= _named(failure)
                self.tell(RequestEnded(server=self._server, endpoint=endpoint, attempt=attempt, **found))

    def braked(self, endpoint: str, error: APIError) -> None:
        """Tell that the service is left alone for a while."""
        if self.wants(Braked):
            seconds, status = error.retry_after or 0.0, error.http_status
            self.tell(Braked(server=self._server, endpoint=endpoint, seconds=seconds, http_status=status))

    def submission(self, endpoint: Endpoint[..., R]) -> "AbstractContextManager[Callable[[R], R] | None]":
        """Tell that a task is started; what this opens with takes the answer. None where there is nobody to tell."""
        kind = kind_started(endpoint)
        return _nobody if kind is None or not self.wants(SubmitEnded) else self._submission(kind.name, endpoint.label)

    @contextmanager
    def _submission(self, kind: str, endpoint: str) -> Generator[Callable[[Any], Any]]:
        number, began = next(_numbers), time.monotonic()
        self.tell(SubmitBegan(server=self._server, number=number, kind=kind, endpoint=endpoint))
        ended = partial(SubmitEnded, server=self._server, number=number, kind=kind, endpoint=endpoint)

        def taken(answer: object) -> Any:
            seconds = time.monotonic() - began
            tasks = cast("list[Task]", answer if isinstance(answer, list) else [answer])
            for task in tasks:
                coins = amount(task.coins)
                self.tell(ended(seconds=seconds, task_id=task.id, state=task.state, coins=coins))
            return answer

        try:
            yield taken
        except BaseException as error:
            self.tell(ended(seconds=time.monotonic() - began, **_named(error)))
            raise

    def waiting(
        self, kind: str, task_id: str, state: TaskState | None, age: float
    ) -> AbstractContextManager[Read | None]:
        """Tell that somebody waits; what this opens with takes each reading. None where there is nobody to tell."""
        return self._waiting(kind, task_id, state, age) if self.wants(Moved) else _nobody

    @contextmanager
    def _waiting(self, kind: str, task_id: str, state: TaskState | None, age: float) -> Generator[Read]:
        began = time.monotonic()
        story = self._stories.setdefault(task_id, _Story(state))
        story.waits += 1
        about = {"server": self._server, "kind": kind, "task_id": task_id}
        self.tell(WaitBegan(**about, state=story.state))
        failure: BaseException | None = None
        try:
            yield partial(self._read, story, about, began - age)
        except BaseException as error:
            failure = error
            raise
        finally:
            story.waits -= 1
            if not story.waits:
                self._stories.pop(task_id, None)
            seconds, name = time.monotonic() - began, "" if failure is None else type(failure).__name__
            self.tell(WaitEnded(**about, state=story.state, seconds=seconds, error=name))

    def _read(self, story: _Story, about: dict[str, str], born: float, task: Task) -> None:
        before, state = story.state, task.state
        # A reading from a stale replica may lie behind what was told.
        if state is before or (before and ORDER.get(state, ORDER.get(before, 0)) < ORDER.get(before, 0)):
            return
        story.state = state
        seconds, coins = time.monotonic() - born, amount(task.coins)
        self.tell(Moved(**about, previous=before, state=state, seconds=seconds, coins=coins, code=task.code))

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
        about: dict[str, Any] = {"server": self._server, "number": next(_numbers), "task_id": task_id}
        about["direction"] = direction
        self.tell(TransferBegan(**about, size=size))

        def moved(so_far: int, total: int | None) -> None:
            nonlocal done
            done = so_far
            self.tell(TransferMoved(**about, done=done, size=total))
            if on_progress:
                on_progress(so_far, total)

        failure: BaseException | None = None
        try:
            yield moved
        except BaseException as error:
            failure = error
            raise
        finally:
            seconds, name = time.monotonic() - began, "" if failure is None else type(failure).__name__
            self.tell(TransferEnded(**about, done=done, seconds=seconds, error=name))


_SILENT = Teller()


def teller_of(caller: Caller) -> Teller:
    """Return a session's teller; for any other caller one that only logs."""
    return cast("Teller", getattr(caller, "_teller", _SILENT))


def overheard(is_news: Callable[[Any, bool], bool], read: Read, task: Any, final_only: bool) -> bool:  # noqa: FBT001 - called for each reading
    """Tell of a reading before it is judged."""
    read(task)
    return is_news(task, final_only)


def note(logger: logging.Logger, level: int, event: Event) -> None:
    """Log an event: as text, and each member that says anything as ``a2e_<name>`` of the log's record."""
    members = {
        info.name: visible(value) if isinstance(value := getattr(event, info.name), str) else value
        for info in msgspec.structs.fields(event)
        if (value := getattr(event, info.name)) != info.default and value is not None
    }
    members.pop("server", None)
    name = type(event).__name__
    text = " ".join(
        f"{key}={value:.3f}" if isinstance(value, float) else f"{key}={value}" for key, value in members.items()
    )
    logger.log(level, "%s %s", name, text, extra={"a2e_event": name} | {f"a2e_{k}": v for k, v in members.items()})


def _named(error: BaseException | None) -> dict[str, Any]:
    if error is None:
        return {}
    more = {"http_status": error.http_status, "code": error.code} if isinstance(error, APIError) else {}
    return {"error": type(error).__name__, **more}
