"""Finds out what became of submissions whose answer was lost, by the tag that each carries in its name."""

import asyncio
import re
import secrets
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from math import ceil, inf, log2
from typing import Any, Generic, TypeVar

import msgspec

from a2e_async._endpoint import Caller, Listing
from a2e_async._retry import passing
from a2e_async._rows import LEASE
from a2e_async.config import PollPolicy
from a2e_async.errors import A2EError, AuthenticationError, PermissionDeniedError
from a2e_async.tasks import Task, TaskKind, born

TaskT = TypeVar("TaskT", bound=Task)

_TAG = re.compile(r"a2e:[0-9a-f]{12}")
_CLEAN = 2
MARGIN = 10.0
"""Seconds by which a task must be older than a submission to be surely listed after it."""
KEPT = 86_400.0
"""Seconds after which a record may have left the lists, so that its absence proves nothing."""
SKEW = 3600.0
"""Seconds by which the service's clock may be behind this one."""
_UNREAD = "unread"
GIVE_UP = 600.0
"""Seconds for which the lists may be unreadable."""
ASLEEP = 300.0
"""Seconds between two failures that no try takes: the machine slept, and nobody knows what worked meanwhile."""


class UnprovableError(Exception):
    """Nothing can tell whether the submission became a task; ``lasting`` if looking again will not help."""

    def __init__(self, why: str, *, lasting: bool = True) -> None:
        super().__init__(why)
        self.lasting = lasting


def new_tag() -> str:
    """Make a tag; it stands before the name, since a service may cut what is long."""
    return f"a2e:{secrets.token_hex(6)}"


class _Doubt(Generic[TaskT]):
    """One submission whose outcome somebody waits for. Times are the loop's."""

    def __init__(self, anchor: str | None, intended: float, doubted: float, settled: float, due: float) -> None:
        self.anchor, self.intended, self.doubted, self.settled, self.due = anchor, intended, doubted, settled, due
        self.clean = 0
        self.future: asyncio.Future[list[TaskT]] = asyncio.get_running_loop().create_future()

    def resolve(self, result: list[TaskT] | Exception) -> None:
        if self.future.done():
            return
        if isinstance(result, Exception):
            self.future.set_exception(result)
        else:
            self.future.set_result(result)


class _Seen(Generic[TaskT]):
    """What a walk has shown, newest first."""

    def __init__(self) -> None:
        self._found: dict[str, dict[str, TaskT]] = {}
        self._newer: set[str] = set()
        self._nameless = -inf

    def take(self, tasks: Iterable[TaskT]) -> None:
        for task in tasks:
            for tag in _TAG.findall(task.name):
                self._found.setdefault(tag, {})[task.id] = task
            if self._nameless == -inf:
                self._newer.add(task.id)
            if not task.name:
                self._nameless = max(self._nameless, born(task) or inf)

    def hides(self, doubt: _Doubt[TaskT], since: float) -> bool:
        """Tell whether a record without a name stands where the task of a doubt would, made after ``since``."""
        return self._nameless > since and doubt.anchor not in self._newer

    def by_tag(self) -> dict[str, list[TaskT]]:
        """Return the tasks by their tags, oldest first, let go of all that came with them."""
        for tasks in self._found.values():
            for task in tasks.values():
                task.detach()
        return {tag: _oldest_first(tasks.values()) for tag, tasks in self._found.items()}


class Reconciler(Generic[TaskT]):
    """Walks the records of a kind for all doubts together, as long as somebody waits.

    A task that is found proves that it was started. That none was is proven by two whole walks without it, both begun
    after the ``settle`` seconds in which the service may finish a request and show its task. Records come newest
    first, so a walk may end behind a task that was there before the submission: clocks need not agree.
    """

    def __init__(
        self,
        caller: Caller,
        kind: TaskKind[..., TaskT],
        policy: PollPolicy,
        settle: float,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._caller, self._policy, self._settle, self._now = caller, policy, settle, now
        self.kind = kind
        self._doubts: dict[str, _Doubt[TaskT]] = {}
        self._anchors: deque[tuple[float, str]] = deque()
        self._opening = asyncio.Lock()
        self._first: str | None = _UNREAD
        self._renamed = False
        self._failing: float | None = None
        self._failed = 0.0
        self._task: asyncio.Task[None] | None = None

    def saw(self, task: Task, tag: str | None) -> None:
        """Learn from a task just made whether names are kept, and what is older than later submissions."""
        self._renamed = self._renamed or bool(tag and task.name and tag not in task.name)
        now = asyncio.get_running_loop().time()
        if not self._anchors or now - self._anchors[-1][0] >= MARGIN / 10:
            self._anchors.append((now, task.id))

    async def anchor(self) -> str | None:
        """Return a task older than whatever is submitted from now on; '' if there is none, None if it is not known."""
        old = asyncio.get_running_loop().time() - MARGIN
        while len(self._anchors) > 1 and self._anchors[1][0] <= old:
            self._anchors.popleft()
        if self._anchors and self._anchors[0][0] <= old:
            return self._anchors[0][1]
        async with self._opening:
            if self._first is _UNREAD:
                self._first = await self._look_first()
        return self._first

    async def _look_first(self) -> str | None:
        listing = self.kind.records
        if listing is None or not self.kind.tag:
            return None
        try:
            page = await self._caller.call(listing, listing.request())
        except A2EError:
            return None
        return page.items[-1].id if page.items else ""

    async def find(self, tag: str, intended: float, doubted: float, anchor: str | None = None) -> list[TaskT]:
        """Return the tasks of a tag, oldest first; none if there certainly is none.

        Raises UnprovableError where the records cannot be read, or may no longer reach back so far.
        """
        listing = self.kind.records
        if listing is None or not self.kind.tag:
            raise UnprovableError(f"a {self.kind.name} carries no name of ours to look for")
        # From here on the loop's time: the other may be set while this waits.
        now = asyncio.get_running_loop().time()
        # It may be in doubt from a time to come: until then its sender may still be at work somewhere.
        ago = max(-LEASE, self._now() - doubted)
        settled = now + max(0.0, self._settle - ago)
        doubt = _Doubt[TaskT](
            anchor, now - max(ago, self._now() - intended), now - ago, settled, now + self._policy.shortest
        )
        self._doubts[tag] = doubt
        if self._task is None:
            self._task = asyncio.create_task(self._run(listing), name=f"a2e-reconciler-{self.kind.name}")
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
        loop = asyncio.get_running_loop()
        try:
            while True:
                # New doubts come in while this sleeps, but are due no sooner than after this long.
                await asyncio.sleep(min(self._policy.shortest, max(0.0, self._due() - loop.time())))
                if self._due() <= loop.time():
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
        began = asyncio.get_running_loop().time()
        asked = dict(self._doubts)
        due = {tag: doubt for tag, doubt in asked.items() if doubt.due <= began}
        try:
            seen, covers = await self._walk(listing, due.values())
        except (A2EError, UnprovableError) as error:
            if isinstance(error, A2EError) and not passing(error):
                raise
            self._failing = began if began - self._failed > ASLEEP else self._failing or began
            self._failed = began
            self._despair(due.values(), began, error)
        else:
            self._failing = None
            found = seen.by_tag()
            wall = self._now() - asyncio.get_running_loop().time()
            due |= {tag: doubt for tag, doubt in asked.items() if tag in found or covers(doubt)}
            for tag, doubt in due.items():
                hidden = seen.hides(doubt, wall + doubt.intended - SKEW)
                self._judge(doubt, began, found.get(tag), hidden=hidden)
        for doubt in due.values():
            doubt.due = self._next(doubt)

    def _judge(self, doubt: _Doubt[TaskT], began: float, found: list[TaskT] | None, *, hidden: bool) -> None:
        if found:
            doubt.resolve(found)
        elif self._renamed:
            doubt.resolve(UnprovableError("the service does not keep the names that tasks are given", lasting=False))
        elif began >= doubt.settled:
            doubt.clean += 1
            if began - doubt.intended > KEPT:
                doubt.resolve(UnprovableError("it was sent so long ago that the service may have dropped its record"))
            elif doubt.clean >= _CLEAN:
                # It is not known of every family that its records tell the name.
                doubt.resolve(UnprovableError("a record without a name may be its task") if hidden else [])

    def _despair(self, doubts: Collection[_Doubt[TaskT]], began: float, error: Exception) -> None:
        for doubt in doubts:
            if began >= doubt.settled and began - (self._failing or began) >= GIVE_UP:
                doubt.resolve(UnprovableError(f"the records cannot be read ({error})", lasting=False))

    def _next(self, doubt: _Doubt[TaskT]) -> float:
        now, grid = asyncio.get_running_loop().time(), self._policy.shortest
        age = min(now - doubt.doubted, self._policy.longest / 2) / grid
        # On grids that share their points, or each of many doubts would have walks of its own.
        pause = grid * 2 ** round(log2(max(age, 1.0)))
        due = ceil((now + pause / 2) / pause) * pause
        return ceil(doubt.settled / grid) * grid if now < doubt.settled < due else due

    async def _walk(
        self, listing: Listing[..., TaskT], doubts: Collection[_Doubt[TaskT]]
    ) -> tuple[_Seen[TaskT], Callable[[_Doubt[TaskT]], bool]]:
        """Return what was seen, and what tells whether the walk went far enough for a doubt."""
        found = _Seen[TaskT]()
        seen: set[str] = set()
        told: list[int] = []
        ahead = {doubt.anchor for doubt in doubts}
        oldest = min(doubt.intended for doubt in doubts)
        horizon = self._now() - asyncio.get_running_loop().time() + oldest - KEPT
        query: Any = listing.request()
        while True:
            # One page more than it takes, as records of the same moment may stand in any order.
            last = not ahead
            page = await self._caller.call(listing, query)
            found.take(page.items)
            ids = {task.id for task in page.items}
            ahead -= ids
            if last or (ahead == {None} and ids and all((born(task) or inf) < horizon for task in page.items)):
                last = True
                break
            told += [] if page.count is None else [page.count]
            if ids <= seen:
                # The end; or the service leaves out what is older, or ignores the number of the page.
                if (ids and not told) or len(seen) < min(told, default=0):
                    raise UnprovableError("the service does not show all of its records", lasting=False)
                break
            seen |= ids
            query = msgspec.structs.replace(query, page=query.page + 1)

        def covers(doubt: _Doubt[TaskT]) -> bool:
            return not last or doubt.anchor in seen or (doubt.anchor is None and doubt.intended >= oldest)

        return found, covers


def _oldest_first(tasks: Iterable[TaskT]) -> list[TaskT]:
    found = list(tasks)
    # The newest came first: of those whose times are the same, the last is the oldest.
    found.reverse()
    found.sort(key=lambda task: born(task) or inf)
    return found
