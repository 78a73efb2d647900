"""Reads many tasks of one kind with as few requests as the service lets it: the ways are tried, and remembered."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar
from weakref import ref

from a2e_async._answer import Page
from a2e_async._endpoint import Caller, Endpoint
from a2e_async._wire import ById, ByIds, Nothing, PageQuery, Request
from a2e_async.errors import A2EError, APIError, DecodeError, NotFoundError
from a2e_async.tasks import Task, TaskKind, born, made_at

R = TypeVar("R")
TaskT = TypeVar("TaskT", bound=Task)
ItemT = TypeVar("ItemT")

BATCH = 200
PAGES = 20
MARGIN = 60.0
"""Seconds by which a record may say to be older than its id says."""
PARALLEL = 4
REQUESTS = 50
"""Batches, and besides them single reads, of one round at the most."""
NONSENSE = 2
_NOT_OFFERED = frozenset({400, 404, 405, 501})

Found = Mapping[str, TaskT | A2EError]
"""What an answer told of each id."""


class _NotOfferedError(Exception):
    """The service does not have this way of reading many tasks."""


class _Way(NamedTuple):
    width: int
    """Tasks that one request can tell of."""
    read: Callable[[Sequence[str]], Awaitable[None]]
    sure: bool = False
    """Whether a task that is in no answer has ended, and is to be read by itself at once."""


class Reader(Generic[TaskT]):
    """One round: batch by ids, else the running list, else pages of records, else one by one."""

    def __init__(
        self, caller: Caller, kind: TaskKind[..., TaskT], learn: Callable[[Mapping[str, TaskT | A2EError]], None]
    ) -> None:
        # Each watcher holds its caller; a strong reference here would keep a forgotten session alive for ever.
        self._caller = ref(caller)
        self._kind = kind
        self._learn = learn
        self.silent: set[str] = set()
        """Those of the last round that no answer told of."""
        self._nonsense = 0
        self._walked = 1
        self.requests = 0
        """How many were sent so far."""
        offered = (
            (kind.details, _Way(BATCH, self._by_batch)),
            (kind.running, _Way(BATCH, self._by_leaving, sure=True)),
            (kind.records, _Way(PageQuery().size, self._by_pages)),
        )
        self._ways = [way for endpoint, way in offered if endpoint is not None]

    @property
    def width(self) -> int:
        """How many tasks one request can tell of, as far as is known."""
        return self._ways[0].width if self._ways else 1

    async def read(self, ids: Sequence[str], overdue: Callable[[str], bool]) -> Sequence[str]:
        """Read all ids and tell what is learnt as it comes; return those that the next round has to begin with.

        Those in no answer although ``overdue`` are asked for by themselves.
        """
        silent = self.silent = set(ids)
        alone = len(ids) <= self._walked and self._kind.detail is not None
        if alone:
            # Walking cost more than reading this few one by one; once in a while it is tried again.
            self._walked = max(1, self._walked - 1)
        sure = alone or await self._together(ids)
        lost = [key for key in ids if key in silent and (sure or overdue(key))]
        if self._kind.detail is None:
            text = f"it is not among the {PAGES * self.width} newest."
            missing = NotFoundError(text, http_status=404, endpoint=self._kind.label)
            self._tell(dict.fromkeys(lost, missing))
            return []
        await self.singly(lost[:REQUESTS])
        return lost[REQUESTS:]

    async def singly(self, ids: Sequence[str]) -> None:
        """Read each id by a request of its own, or else the newest of its kind."""

        async def one(task_id: str) -> None:
            try:
                if self._kind.detail is not None:
                    task = await self._call(self._kind.detail, ById(id=task_id))
                    self._tell({task_id: task})
                elif self._kind.records is not None:
                    newest = await self._call(self._kind.records, PageQuery())
                    self._tell({task.id: task for task in newest.items})
            except A2EError as error:
                self._tell({task_id: error})

        await self._spread(ids, one)

    async def _together(self, ids: Sequence[str]) -> bool:
        while self._ways:
            way = self._ways[0]
            try:
                await way.read(ids)
            except _NotOfferedError as error:
                if self._kind.detail is None and len(self._ways) == 1 and isinstance(error.__cause__, A2EError):
                    self._tell(dict.fromkeys(ids, error.__cause__))  # there is no other way
                    return False
                del self._ways[0]
            else:
                return way.sure
        return True

    def _tell(self, found: Found[TaskT]) -> None:
        self.silent.difference_update(found)
        self._learn(found)

    def _tell_of(self, ids: Sequence[str], rows: list[TaskT] | A2EError) -> None:
        self._tell(dict.fromkeys(ids, rows) if isinstance(rows, A2EError) else {task.id: task for task in rows})

    async def _by_batch(self, ids: Sequence[str]) -> None:
        endpoint = self._kind.details

        async def batch(chunk: Sequence[str]) -> None:
            rows = await self._try(endpoint, ByIds(ids=list(chunk)))
            self._tell_of(chunk, rows)

        await self._spread([ids[at : at + BATCH] for at in range(0, len(ids), BATCH)], batch)

    async def _by_leaving(self, ids: Sequence[str]) -> None:
        rows = await self._try(self._kind.running, Nothing())
        # One that ended while the list was made stands there without its result: it is read by itself.
        self._tell_of(ids, rows if isinstance(rows, A2EError) else [task for task in rows if not task.state.final])

    async def _by_pages(self, _ids: Sequence[str]) -> None:
        listing, seen = self._kind.records, set[str]()
        ask: Any = PageQuery if listing is None else listing.request
        self._walked = 0
        while self._walked < PAGES:
            self._walked += 1
            query = ask(page=self._walked)
            answer: Page[TaskT] | A2EError = await self._try(listing, query)
            if isinstance(answer, A2EError):
                self._tell(dict.fromkeys(self.silent, answer))
                return
            found = {task.id: task for task in answer.items if task.id not in seen}
            self._tell(found)
            seen.update(found)
            # One without anything new means that the page number is ignored.
            if not self.silent or not found or len(answer.items) < query.size or self._older(answer.items):
                return

    def _older(self, tasks: Sequence[TaskT]) -> bool:
        oldest = min(map(made_at, self.silent)) - MARGIN
        return all(0 < born(task) < oldest for task in tasks)

    async def _try(self, endpoint: Endpoint[..., R] | None, request: Request) -> R | A2EError:
        if endpoint is None:
            raise _NotOfferedError
        try:
            answer = await self._call(endpoint, request)
        except DecodeError as error:
            self._nonsense += 1
            if self._nonsense >= NONSENSE:
                self._nonsense = 0
                raise _NotOfferedError from error
            return error
        except APIError as error:
            if error.http_status in _NOT_OFFERED:
                raise _NotOfferedError from error
            return error
        except A2EError as error:
            return error
        self._nonsense = 0
        return answer

    async def _call(self, endpoint: Endpoint[..., R], request: Request) -> R:
        caller = self._caller()
        if caller is None:
            raise NotFoundError("the session is gone", http_status=0)
        self.requests += 1
        return await caller.call(endpoint, request)

    async def _spread(self, items: Sequence[ItemT], read: Callable[[ItemT], Awaitable[None]]) -> None:
        if len(items) <= 1:
            for item in items:
                await read(item)
            return
        rest: Iterator[ItemT] = iter(items)

        async def work() -> None:
            for item in rest:
                await read(item)

        workers = [asyncio.ensure_future(work()) for _ in range(min(PARALLEL, len(items)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
