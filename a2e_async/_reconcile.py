"""Finds out what became of submissions whose answer was lost, by the tag that each carries in its name."""

import asyncio
import re
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from math import ceil, inf, log2
from typing import Any, Generic, TypeVar

import msgspec

from a2e_async._endpoint import Caller, Listing
from a2e_async.config import PollPolicy
from a2e_async.errors import (
    AuthenticationError,
    DecodeError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    TransportError,
)
from a2e_async.tasks import Task, TaskKind, born

TaskT = TypeVar("TaskT", bound=Task)

_TAG = re.compile(r"a2e:[0-9a-f]{12}")
_CLEAN = 2
SKEW = 900.0
"""Seconds by which the clocks may differ as long as no answer of the service's has told."""
_MARGIN = 10.0
KEPT = 86_400.0
"""Seconds after which a record may have left the lists, so that its absence proves nothing."""
GIVE_UP = 600.0
"""Seconds for which the lists may be unreadable."""


class UnprovableError(Exception):
    """Nothing can tell whether the submission became a task; ``lasting`` if looking again will not help."""

    def __init__(self, why: str, *, lasting: bool = True) -> None:
        super().__init__(why)
        self.lasting = lasting


def new_tag() -> str:
    """Make a tag; it stands before the name, since a service may cut what is long."""
    return f"a2e:{secrets.token_hex(6)}"


class _Doubt(Generic[TaskT]):
    """One submission whose outcome somebody waits for. Times are seconds since 1970."""

    def __init__(self, intended: float, doubted: float, settled: float, due: float) -> None:
        self.intended, self.doubted, self.settled, self.due = intended, doubted, settled, due
        self.clean = 0
        self.future: asyncio.Future[list[TaskT]] = asyncio.get_running_loop().create_future()

    def resolve(self, result: list[TaskT] | Exception) -> None:
        if self.future.done():
            return
        if isinstance(result, Exception):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)


class Reconciler(Generic[TaskT]):
    """Walks the records of a kind for all doubts together, as long as somebody waits.

    A task that is found proves that it was started. That none was is proven by two whole walks without it, both begun
    after the ``settle`` seconds in which the service may finish a request and show its task.
    """

    def __init__(
        self,
        caller: Caller,
        kind: TaskKind[..., TaskT],
        policy: PollPolicy,
        settle: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._caller, self._kind, self._policy, self._settle, self._now = caller, kind, policy, settle, now
        self._doubts: dict[str, _Doubt[TaskT]] = {}
        self._behind: float | None = None
        self._renamed = False
        self._failing: float | None = None
        self._task: asyncio.Task[None] | None = None

    def saw(self, task: Task, tag: str | None) -> None:
        """Learn from a task just made whether names are kept, and how far the service's clock may be behind ours."""
        self._renamed = self._renamed or bool(tag and task.name and tag not in task.name)
        if at := born(task):
            behind = self._now() - at
            self._behind = behind if self._behind is None else max(self._behind, behind)

    async def find(self, tag: str, intended: float, doubted: float) -> list[TaskT]:
        """Return the tasks of a tag, oldest first; none if there certainly is none.

        Raises UnprovableError where the records cannot be read, or may no longer reach back so far.
        """
        listing = self._kind.records
        if listing is None or not self._kind.tag:
            raise UnprovableError(f"a {self._kind.name} carries no name of ours to look for")
        now = self._now()
        doubt = _Doubt[TaskT](intended, doubted, doubted + self._settle, now + self._policy.shortest)
        self._doubts[tag] = doubt
        if self._task is None:
            self._task = asyncio.create_task(self._run(listing), name=f"a2e-reconciler-{self._kind.name}")
        try:
            return await doubt.future
        finally:
            del self._doubts[tag]
            if not self._doubts:
                await self._rest()

    async def _rest(self) -> None:
        task, self._task, self._failing = self._task, None, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def _run(self, listing: Listing[..., TaskT]) -> None:
        try:
            while True:
                # New doubts come in while this sleeps, but are due no sooner than after this long.
                await asyncio.sleep(min(self._policy.shortest, max(0.0, self._due() - self._now())))
                if self._due() <= self._now():
                    await self._round(listing)
        except (AuthenticationError, PermissionDeniedError) as error:
            self._give_up(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it says nothing of the task
            unprovable = UnprovableError(f"the records cannot be read ({error})", lasting=False)
            unprovable.__cause__ = error
            self._give_up(unprovable)
        finally:
            if self._task is asyncio.current_task():
                self._task = None

    def _give_up(self, error: Exception) -> None:
        for doubt in self._doubts.values():
            doubt.resolve(error)

    def _due(self) -> float:
        return min((doubt.due for doubt in self._doubts.values() if not doubt.future.done()), default=inf)

    async def _round(self, listing: Listing[..., TaskT]) -> None:
        began = self._now()
        oldest = min(doubt.intended for doubt in self._doubts.values() if doubt.due <= began)
        doubts = {tag: doubt for tag, doubt in self._doubts.items() if doubt.intended >= oldest}
        horizon = oldest - (SKEW if self._behind is None else self._behind + _MARGIN)
        try:
            found = await self._walk(listing, horizon)
        except (TransportError, RateLimitError, ServerError, DecodeError, UnprovableError) as error:
            self._failing = self._failing or began
            self._despair(doubts.values(), began, error)
        else:
            self._failing = None
            for tag, doubt in doubts.items():
                self._judge(doubt, began, found.get(tag))
        for doubt in doubts.values():
            doubt.due = self._next(doubt)

    def _judge(self, doubt: _Doubt[TaskT], began: float, found: list[TaskT] | None) -> None:
        if found:
            doubt.resolve(found)
        elif self._renamed:
            doubt.resolve(UnprovableError("the service does not keep the names that tasks are given", lasting=False))
        elif began >= doubt.settled:
            doubt.clean += 1
            if began - doubt.intended > KEPT:
                doubt.resolve(UnprovableError("it was sent so long ago that the service may have dropped its record"))
            elif doubt.clean >= _CLEAN:
                doubt.resolve([])

    def _despair(self, doubts: Collection[_Doubt[TaskT]], began: float, error: Exception) -> None:
        for doubt in doubts:
            if began >= doubt.settled and began - (self._failing or began) >= GIVE_UP:
                doubt.resolve(UnprovableError(f"the records cannot be read ({error})", lasting=False))

    def _next(self, doubt: _Doubt[TaskT]) -> float:
        now, grid = self._now(), self._policy.shortest
        age = min(now - doubt.doubted, self._policy.longest / 2) / grid
        # On grids that share their points, or each of many doubts would have walks of its own.
        pause = grid * 2 ** round(log2(max(age, 1.0)))
        due = ceil((now + pause / 2) / pause) * pause
        return ceil(doubt.settled / grid) * grid if now < doubt.settled < due else due

    async def _walk(self, listing: Listing[..., TaskT], horizon: float) -> dict[str, list[TaskT]]:
        found: dict[str, dict[str, TaskT]] = {}
        seen: set[str] = set()
        told: list[int] = []
        query: Any = listing.request()
        while True:
            page = await self._caller.call(listing, query)
            for task in page.items:
                for tag in _TAG.findall(task.name):
                    found.setdefault(tag, {})[task.id] = task
            if page.items and all((born(task) or inf) < horizon for task in page.items):
                break
            told += [] if page.count is None else [page.count]
            ids = {task.id for task in page.items}
            if ids <= seen:
                # The end; or the service leaves out what is older, or ignores the number of the page.
                if (ids and not told) or len(seen) < min(told, default=0):
                    raise UnprovableError("the service does not show all of its records", lasting=False)
                break
            seen |= ids
            query = msgspec.structs.replace(query, page=query.page + 1)
        for tasks in found.values():
            for task in tasks.values():
                task.detach()
        return {tag: _oldest_first(tasks.values()) for tag, tasks in found.items()}


def _oldest_first(tasks: Iterable[TaskT]) -> list[TaskT]:
    found = list(tasks)
    # The newest came first: of those whose times are the same, the last is the oldest.
    found.reverse()
    found.sort(key=lambda task: born(task) or inf)
    return found
