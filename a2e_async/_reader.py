"""Reads many tasks of one kind with as few requests as the service lets it: the ways are tried, and remembered."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Generic, TypeVar
from weakref import ref

from a2e_async._answer import Page
from a2e_async._endpoint import Caller, Endpoint
from a2e_async._wire import ById, ByIds, Nothing, PageQuery, Request
from a2e_async.errors import A2EError, APIError, DecodeError, NotFoundError
from a2e_async.tasks import Task, TaskKind

R = TypeVar("R")
TaskT = TypeVar("TaskT", bound=Task)
ItemT = TypeVar("ItemT")

BATCH = 200
PAGES = 20
PARALLEL = 4
FEW = 2
NONSENSE = 2
_NOT_OFFERED = frozenset({400, 404, 405, 501})

Found = dict[str, TaskT | A2EError]
"""What one round learnt of each id; one that is missing was in no answer."""


class _NotOfferedError(Exception):
    """The service does not have this way of reading many tasks."""


class Reader(Generic[TaskT]):
    """One round: batch by ids, else the running list, else pages of records, else one by one."""

    def __init__(self, caller: Caller, kind: TaskKind[..., TaskT]) -> None:
        # Each watcher holds its caller; a strong reference here would keep a forgotten session alive for ever.
        self._caller = ref(caller)
        self._kind = kind
        self._nonsense = 0
        offered = (
            (kind.details, self._by_batch),
            (kind.running, self._by_leaving),
            (kind.records, self._by_pages),
        )
        self._ways: list[Callable[[Sequence[str]], Awaitable[Found[TaskT]]]]
        self._ways = [way for endpoint, way in offered if endpoint is not None]
        self._ways.append(self.singly)

    async def read(self, ids: Sequence[str], overdue: Callable[[str], bool]) -> Found[TaskT]:
        """Read all ids; those in no answer although ``overdue`` are asked for by themselves."""
        if len(ids) <= FEW:
            return await self.singly(ids)
        while True:
            try:
                found = await self._ways[0](ids)
            except _NotOfferedError:
                del self._ways[0]
                continue
            lost = [key for key in ids if key not in found and overdue(key)]
            return found | await self.singly(lost) if lost else found

    async def singly(self, ids: Sequence[str]) -> Found[TaskT]:
        """Read each id by a request of its own."""

        async def one(task_id: str) -> Found[TaskT]:
            try:
                task = await self._call(self._kind.detail, ById(id=task_id))
            except A2EError as error:
                return {task_id: error}
            return {task_id: task}

        return await self._spread(ids, one)

    async def _by_batch(self, ids: Sequence[str]) -> Found[TaskT]:
        endpoint = self._kind.details
        chunks = [ids[at : at + BATCH] for at in range(0, len(ids), BATCH)]

        async def batch(chunk: Sequence[str]) -> Found[TaskT]:
            rows = await self._try(endpoint, ByIds(ids=list(chunk)))
            return dict.fromkeys(chunk, rows) if isinstance(rows, A2EError) else {task.id: task for task in rows}

        return await self._spread(chunks, batch)

    async def _by_leaving(self, ids: Sequence[str]) -> Found[TaskT]:
        rows = await self._try(self._kind.running, Nothing())
        if isinstance(rows, A2EError):
            return dict.fromkeys(ids, rows)
        running: Found[TaskT] = {task.id: task for task in rows}
        return running | await self.singly([key for key in ids if key not in running])

    async def _by_pages(self, ids: Sequence[str]) -> Found[TaskT]:
        found: Found[TaskT] = {}
        wanted = set(ids)
        for number in range(1, PAGES + 1):
            query = PageQuery(page=number)
            answer: Page[TaskT] | A2EError = await self._try(self._kind.records, query)
            if isinstance(answer, A2EError):
                return dict.fromkeys(wanted, answer) | found
            found |= {task.id: task for task in answer.items if task.id in wanted}
            wanted -= found.keys()
            if not wanted or len(answer.items) < query.size:
                break
        return found

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
        return await caller.call(endpoint, request)

    async def _spread(self, items: Sequence[ItemT], read: Callable[[ItemT], Awaitable[Found[TaskT]]]) -> Found[TaskT]:
        if len(items) == 1:
            return await read(items[0])
        found: Found[TaskT] = {}
        rest: Iterator[ItemT] = iter(items)

        async def work() -> None:
            for item in rest:
                found.update(await read(item))

        workers = [asyncio.ensure_future(work()) for _ in range(min(PARALLEL, len(items)))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
        return found
