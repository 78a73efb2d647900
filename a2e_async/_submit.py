"""From a job to its task, paid once: intent on disk, POST, id on disk; a lost answer is looked for, not sent again."""

import asyncio
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from math import inf
from typing import Any, Generic, TypeVar

import msgspec

from a2e_async._budget import Budget, Hold, WaitingError
from a2e_async._deadline import UPLOADING, Clock, in_time, overdue
from a2e_async._endpoint import Agent, Permit
from a2e_async._frozen import Refusal, members
from a2e_async._limits import Pace
from a2e_async._reconcile import ASLEEP, GIVE_UP, Reconciler, UnprovableError, new_tag
from a2e_async._rows import Entry, Ledger, Phase
from a2e_async._wire import Request, encode, has_files
from a2e_async.errors import (
    A2EError,
    APIError,
    BatchStoppedError,
    DecodeError,
    JournalError,
    ModerationError,
    RateLimitError,
    ServerError,
    SubmissionUncertainError,
    TransportError,
)
from a2e_async.groups.account import Account, QuoteRequest
from a2e_async.tasks import Task, TaskKind, TaskState, amount

TaskT = TypeVar("TaskT", bound=Task)

_MOMENT = 0.5
"""Seconds after which to ask again whether there is room."""
_TRIES = 5
"""Times that a job is sent anew, each lost one proven absent, before it is reported."""


class Draft(msgspec.Struct, frozen=True):
    """A job that is to become a task."""

    key: str
    request: Request
    digest: bytes = b""
    frozen: bytes = b""


class Started(msgspec.Struct, Generic[TaskT]):
    """A job that became a task."""

    task: TaskT | str
    """The task, or its id where it was not read yet."""
    job: int
    """Its number in the journal; 0 without one."""
    paid: float
    """Coins counted for it."""
    at: float
    """When it was sent, seconds since 1970."""
    twins: str = ""
    """Ids of further tasks that came of it."""


class Submitter(Generic[TaskT]):
    """Submits jobs of one batch, at most ``slots`` at once: that many may be in doubt after a crash."""

    def __init__(  # noqa: PLR0913 - all that a submission has to respect
        self,
        agent: Agent,
        kind: TaskKind[..., TaskT],
        budget: Budget,
        reconciler: Reconciler[TaskT],
        *,
        journal: Ledger | None,
        slots: int,
        transfers: asyncio.Semaphore,
        rate: float | None,
        pause: float,
    ) -> None:
        self._agent, self._kind, self._journal = agent, kind, journal
        self._budget, self._reconciler = budget, reconciler
        self._slots, self._transfers = asyncio.Semaphore(slots), transfers
        self._pace = Pace(rate) if rate else None
        self._quotes = True
        self._permits: dict[int, Permit] = {}
        self._idle = asyncio.Event()
        self.stopped: A2EError | None = None
        """Why nothing more is submitted."""
        self._halted = asyncio.Event()
        self._preparing: set[asyncio.Timeout] = set()
        self._pause = pause
        self._reached = False
        self._down: float | None = None
        self._failed = 0.0
        self.free = asyncio.Event()
        """Cleared while nothing is to be submitted for now."""
        self.free.set()

    def stop(self, why: A2EError) -> None:
        """Submit nothing more; what has begun goes on."""
        self.stopped = self.stopped or why
        self._halted.set()
        while self._preparing:
            # No upload is of use any more.
            self._preparing.pop().reschedule(0.0)

    async def finish(self, seconds: float) -> None:
        """Give requests under way so long to be answered; nothing else is sent."""
        for permit in self._permits.values():
            permit.until = -inf
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._permits:
                    self._idle.clear()
                    await self._idle.wait()

    async def submit(self, draft: Draft, clock: Clock) -> Started[TaskT]:
        """Make a job a task. Raises what the start raises, `BudgetExceededError`, `JournalError`.

        The clock goes while files are uploaded, and from when the request leaves; what is under way is not cut short.
        """
        for _ in range(_TRIES):
            outcome, hold = await self._until_sent(draft, clock)
            if isinstance(outcome, Started):
                return outcome
            try:
                started = await self.resolve(outcome, clock)
            finally:
                self._budget.settle(hold)
            if started is not None:
                return started
        raise A2EError(
            f"sent {_TRIES} times; no readable answer came, and the records show that nothing was started.",
            endpoint=self._kind.start.label,
            retry_safe=True,
        )

    async def _until_sent(self, draft: Draft, clock: Clock) -> tuple[Started[TaskT] | Entry, Hold]:
        """Submit, however long the service or the network will not have it: nothing was started by such a try."""
        while True:
            try:
                sent = await self._once(draft, clock)
            except WaitingError:
                await asyncio.sleep(_MOMENT)
            except (RateLimitError, ServerError, TransportError) as error:
                if clock.over:
                    raise
                clock.pause()
                await self._wait_out(error)
            else:
                self._reached, self._down = True, None
                return sent

    async def _wait_out(self, error: A2EError) -> None:
        await self._go()
        pause = max(self._pause, (error.retry_after or 0.0) if isinstance(error, APIError) else 0.0)
        if not isinstance(error, RateLimitError) and (not isinstance(error, APIError) or error.retry_after is None):
            now = asyncio.get_running_loop().time()
            self._down = now if now - self._failed > pause + ASLEEP else self._down or now
            self._failed = now
            # One that never answered is more likely misspelt than down.
            if not self._reached or now - self._down >= GIVE_UP:
                self.stop(error)
        with suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._halted.wait()
        await self._go()

    async def resolve(self, entry: Entry, clock: Clock) -> Started[TaskT] | None:
        """Find out what became of a submission; None if it certainly came to nothing."""
        journal, start = self._journal, self._kind.start
        if journal is None:
            raise JournalError("nothing is known of it without a journal.")
        try:
            doubted = entry.doubted or time.time()
            async with asyncio.timeout_at(clock.end):
                tasks = await self._reconciler.find(entry.tag or "", entry.intended, doubted, entry.anchor)
        except TimeoutError:
            raise uncertain(entry, start.label, "the deadline passed before its task could be looked for") from None
        except UnprovableError as why:
            if why.lasting:
                await journal.ended(entry.id, Phase.UNCERTAIN, None)
            raise uncertain(entry, start.label, str(why)) from why.__cause__
        # What is noted here is written even if nobody waits for it any more: so the coins come first.
        if not tasks:
            self._budget.correct(-entry.price)
            await journal.withdrawn(entry.id)
            return None
        first, *rest = tasks
        twins, lost = " ".join(task.id for task in rest), sum(amount(task.coins) or 0.0 for task in rest)
        cost = amount(first.coins)
        paid = entry.price if cost is None else cost
        self._budget.learn(cost)
        self._budget.correct(paid - entry.price + lost)
        await journal.adopted(entry.id, first.id, cost, twins, lost)
        return Started(first, entry.id, paid, entry.intended, twins)

    async def _once(self, draft: Draft, clock: Clock) -> tuple[Started[TaskT] | Entry, Hold]:
        """Submit once; the hold of one in doubt is not settled yet."""
        prepare = self._upload(draft.request, clock) if has_files(draft.request) else self._prepare(draft.request)
        prepared = await prepare
        clock.pause()
        async with self._slots:
            await self._go()
            anchor = await self._reconciler.anchor() if self._journal else None
            if self._pace:
                await self._pace.acquire()
            hold = await self._reserve(prepared)
            try:
                await self._go()
                outcome = await self._send(draft, prepared, hold, anchor, clock)
            except BaseException:
                self._budget.settle(hold)
                raise
            if isinstance(outcome, Started):
                self._budget.settle(hold)
            return outcome, hold

    async def _upload(self, request: Request, clock: Clock) -> Request:
        clock.pause()
        # With one's turn taken here, no time passes for a job while others use the session's slots.
        async with self._transfers:
            await self._go()
            clock.go_on()
            async with in_time(clock.end, partial(overdue, UPLOADING, self._kind.start.label)):
                return await self._prepare(request)

    async def _prepare(self, request: Request) -> Request:
        await self._go()
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._preparing.add(limit)
                try:
                    return await self._agent.prepare(self._kind.start, request)
                finally:
                    self._preparing.discard(limit)
        except TimeoutError:
            if limit.expired():
                await self._go()
            raise

    async def _reserve(self, request: Request) -> Hold:
        while True:
            quoted = await self._quote(request)
            hold = await self._budget.reserve(quoted)
            if quoted is None or not hold.waited:
                return hold
            try:
                # The quote is as old as the wait was long.
                quoted = await self._quote(request)
            except BaseException:
                self._budget.settle(hold)
                raise
            if quoted is None or quoted <= hold.price:
                return hold
            self._budget.settle(hold)

    async def _send(
        self, draft: Draft, request: Request, hold: Hold, anchor: str | None, clock: Clock
    ) -> Started[TaskT] | Entry:
        tag = new_tag() if self._journal and self._kind.tag else None
        at, job, lease = time.time(), 0, self._journal.lease if self._journal else inf
        # From before the intent: whoever takes over counts from when it was noted.
        permit = Permit(asyncio.get_running_loop().time() + lease, lapse=at + lease)
        self._permits[id(permit)] = permit
        try:
            if self._journal:
                job = await self._journal.intend(draft.key, draft.digest, draft.frozen, tag, hold.price, anchor=anchor)
            hold.cost = None
            try:
                task = await self._agent.call(self._kind.start, self._tagged(request, tag), permit)
            except SubmissionUncertainError:
                clock.go_on(permit.left)
                if self._journal is None:
                    raise
                return await self._journal.doubted(job)
            except A2EError as error:
                hold.cost = 0.0
                await self._refused(job, error)
                if permit.missed and lease < inf:
                    raise WaitingError("its turn came too late.") from error
                raise
            clock.go_on(permit.left)
            hold.cost = amount(task.coins)
            hold.silent = hold.cost is None
            if self._journal:
                await self._journal.started(job, task.id, hold.cost)
        finally:
            del self._permits[id(permit)]
            self._idle.set()
        self._reconciler.saw(task, tag)
        return Started(task, job, hold.price if hold.cost is None else hold.cost, at)

    async def _go(self) -> None:
        # While a run is being ended, whoever comes here waits to be cancelled.
        await self.free.wait()
        if self.stopped is not None:
            raise BatchStoppedError("the batch has stopped submitting.")

    async def _refused(self, job: int, error: A2EError) -> None:
        if self._journal is None:
            return
        if isinstance(error, ModerationError):
            await self._journal.ended(job, Phase.FAILED, 0.0, failure=Refusal.of(error))
        else:
            await self._journal.withdrawn(job)

    def _tagged(self, request: Request, tag: str | None) -> Request:
        if tag is None:
            return request
        name = getattr(request, self._kind.tag) or ""
        return msgspec.structs.replace(request, **{self._kind.tag: f"{tag} {name}".strip()})

    async def _quote(self, request: Request) -> float | None:
        if self._budget.limit is None or not self._quotes:
            return None
        body: dict[str, Any] = msgspec.json.decode(encode(request))
        body.pop("webhook_token", None)
        try:
            quote = await self._agent.call(Account.quote, QuoteRequest(endpoint=self._kind.start.path, body=body))
        except (ServerError, RateLimitError):
            raise
        except (APIError, DecodeError):
            self._quotes = False  # this kind is not priced there
            return None
        return amount(quote.coins)


def uncertain(entry: Entry, label: str, why: str) -> SubmissionUncertainError:
    """Say of a job that nobody can tell whether it was paid for."""
    at = datetime.fromtimestamp(entry.intended, UTC).isoformat(timespec="milliseconds")
    return SubmissionUncertainError(
        f"job {entry.key!r} was sent at {at}, no readable answer came, and {why}. It may have cost coins and is not "
        f"sent again, unless retry names {TaskState.UNCERTAIN.value!r}.",
        endpoint=label,
        request=members(entry.request),
        sent_at=at,
    )
