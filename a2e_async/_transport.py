"""What is sent, and sent again: one pool per event loop, opened at the first request, closed with its loop."""

import asyncio
import contextlib
import re
import time
import warnings
from collections.abc import AsyncGenerator, Awaitable
from datetime import UTC, datetime
from functools import partial
from logging import DEBUG
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

import msgspec

from a2e_async._arriving import texts, whole
from a2e_async._deadline import permitted
from a2e_async._endpoint import Endpoint, Permit
from a2e_async._events import Event
from a2e_async._pool import ClosedError, Pool
from a2e_async._retry import repeatable, started_unknown, waits
from a2e_async._secret import hide
from a2e_async._telling import Exchange, Teller, requests_logged
from a2e_async._wire import Request
from a2e_async.config import SessionConfig
from a2e_async.errors import (
    A2EError,
    APIError,
    DecodeError,
    NotFoundError,
    ProvisionalEndpointWarning,
    RateLimitError,
    ServerError,
    SubmissionUncertainError,
    TransportError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    import aiohttp

R = TypeVar("R")
_QUERY = re.compile(r"(?<=\S)\?[^\s'\"<>]+")
_TELLING = 12


class Transport:
    """Sends requests: gate, one attempt, and further ones where that cannot pay twice."""

    def __init__(
        self, config: SessionConfig, http: "aiohttp.ClientSession | None" = None, teller: Teller | None = None
    ) -> None:
        self.config, self.teller = config, teller or Teller()
        self._http, self._observers = http, self.teller.observers
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, tuple[Pool, AsyncGenerator[None]]] = (
            WeakKeyDictionary()
        )
        self._last: tuple[asyncio.AbstractEventLoop | None, Pool | None] = (None, None)
        self._warned: set[str] = set()

    def pool(self) -> Pool:
        """Return the running loop's pool."""
        loop = asyncio.get_running_loop()
        known, pool = self._last
        if known is loop and pool is not None:
            return pool
        entry = self._pools.get(loop)
        if entry is None:
            pool = Pool(self.config, self._http)
            # An asynchronous generator is what a loop closes before it ends: no thread, no task, no destructor.
            guard = self._guard(loop, pool)
            with contextlib.suppress(StopIteration):
                guard.__anext__().__await__().send(None)
            entry = self._pools[loop] = (pool, guard)
        self._last = (loop, entry[0])
        return entry[0]

    async def _guard(self, loop: asyncio.AbstractEventLoop, pool: Pool) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            self._pools.pop(loop, None)
            self._last = (None, None)
            await pool.aclose()

    async def aclose(self) -> None:
        """Close the running loop's pool; a later request opens a new one."""
        entry = self._pools.get(asyncio.get_running_loop())
        if entry is not None:
            await entry[1].aclose()

    async def call(self, endpoint: Endpoint[..., R], request: Request, permit: Permit | None = None) -> R:
        """Send, repeat where allowed, and say of a paid request that got lost that its outcome is unknown."""
        if endpoint.provisional and endpoint.label not in self._warned:
            self._warned.add(endpoint.label)
            text = f"{endpoint.label} was never publicly documented; this is its best-supported form."
            warnings.warn(text, ProvisionalEndpointWarning, stacklevel=4)
        path, body = endpoint.target(request)
        began = time.time()
        try:
            try:
                if not self._observers and not requests_logged(DEBUG):  # `hears_requests`, less a call
                    return await self._exchange(endpoint, path, body, permit, None)
                return await self._send(endpoint, path, body, permit)
            except NotFoundError as error:
                # Without a code of the service's it is the path that is unknown, not the record: nothing was started.
                if not endpoint.also or error.code:
                    raise
                path = endpoint.also
                return await self._send(endpoint, path, body, permit)
        except A2EError as error:
            failure = error
        if repeatable(failure, safe=endpoint.safe):
            outcome = await self._repeat(endpoint, path, body, permit, failure)
            if not isinstance(outcome, A2EError):
                return outcome
            failure = outcome
        cause, failure = failure.__cause__, self._settle(endpoint, body, began, failure)
        body = None  # no traceback is to show what was sent
        raise failure from cause

    async def _repeat(
        self, endpoint: Endpoint[..., R], path: str, body: bytes | None, permit: Permit | None, failure: A2EError
    ) -> R | A2EError:
        loop = asyncio.get_running_loop()
        end = loop.time() + self.config.retry.patience
        allowed = f"RetryPolicy.patience ({self.config.retry.patience:g} s)"
        if permit is not None:
            end, allowed = min((end, allowed), (permit.until, "the deadline"))
        for attempt, wait in enumerate(waits(self.config.retry), 2):
            if permit is not None:
                permit.left = 0.0
            asked = failure.retry_after if isinstance(failure, APIError) else None
            pause = max(wait, asked or 0.0)
            if loop.time() + pause > end:
                failure.args = (f"{failure}, longer than {allowed} allows",) if asked else failure.args
                break
            if asked is not None or isinstance(failure, RateLimitError):
                self.pool().gate.hold(pause)
            else:
                await asyncio.sleep(pause)
            try:
                return await self._send(endpoint, path, body, permit, attempt)
            except NotFoundError as error:
                if endpoint.method == "DELETE":
                    return cast("R", None)  # an earlier try has removed it
                return error
            except A2EError as error:
                failure = error
            if not repeatable(failure, safe=endpoint.safe):
                break
        return failure

    def _send(
        self, endpoint: Endpoint[..., R], path: str, body: bytes | None, permit: Permit | None, attempt: int = 1
    ) -> Awaitable[R]:
        send = self._exchange(endpoint, path, body, permit, seen := Exchange() if self.teller.hears_requests else None)
        return send if seen is None else self.teller.request(endpoint.label, attempt, seen, send)

    async def _exchange(
        self, endpoint: Endpoint[..., R], path: str, body: bytes | None, permit: Permit | None, seen: Exchange | None
    ) -> R:
        pool = self.pool()
        patience = self.config.retry.patience
        if permit is None:
            ticket = await pool.gate.enter(patience, endpoint.label)
        else:
            ticket = await permitted(pool.gate, patience, permit, endpoint.label)
        if ticket is None:
            raise _shut(pool, endpoint.label)
        try:
            if seen is not None:
                seen.left = time.monotonic()
            response = await pool.api.request(endpoint.method, self.config.base_url + path, data=body, **pool.call)
            if seen is not None:
                seen.status = response.status
            try:
                raw = await whole(response, endpoint.label)
            finally:
                if response.connection is not None:  # nothing more is expected of it, or another protocol
                    response.close()
            return endpoint.answer.read(f"{endpoint.method} {path}", response.status, response.headers, raw)
        except (RateLimitError, ServerError) as error:
            self._slow_down(pool, ticket, endpoint.label, error)
            raise
        except pool.errors as error:
            # Raised further down: in here the error would become the context of ours, and show the request.
            failure, cause = self.translate(endpoint.label, error), hide(error)
        finally:
            pool.gate.leave(ticket)
        raise failure from cause

    async def stream(self, endpoint: Endpoint[..., Any], request: Request) -> AsyncGenerator[str]:
        """Yield the texts of an event stream; a lone JSON answer is taken for a stream of one."""
        path, body = endpoint.target(request)
        pool = self.pool()
        ticket = await pool.gate.enter(self.config.retry.patience, endpoint.label)
        if ticket is None:
            raise _shut(pool, endpoint.label)
        url, seen = self.config.base_url + path, Exchange()
        seen.left = time.monotonic()
        with self.teller.exchange(endpoint.label, seen):
            try:
                async with pool.api.request(endpoint.method, url, data=body, **pool.listen) as response:
                    seen.status = response.status
                    if response.content_type == "text/event-stream":
                        pool.gate.widen(ticket)  # others need not wait for the end of a long stream
                        parts = response.content.iter_any()
                        async with contextlib.aclosing(texts(parts, endpoint.label)) as found:
                            async for text in found:
                                yield text
                    else:
                        read = partial(endpoint.answer.read, endpoint.label, response.status, response.headers)
                        value = read(await whole(response, endpoint.label))
                        yield Event("result", msgspec.json.encode(value).decode()).text()
            except A2EError as error:
                if isinstance(error, RateLimitError | ServerError):
                    self._slow_down(pool, ticket, endpoint.label, error)
                self._conceal(error)
                raise
            except pool.errors as error:
                failure, cause = self.translate(endpoint.label, error), hide(error)
            else:
                return
            finally:
                pool.gate.leave(ticket)
            raise failure from cause

    def translate(self, label: str, error: BaseException) -> TransportError:
        """Turn a failure below HTTP into one of ours; only a connection that was never made counts as not sent."""
        import aiohttp  # noqa: PLC0415 - loaded long since, or this error would not be here

        if isinstance(error, ClosedError):
            return TransportError("not sent, since the session was closed.", endpoint=label, sent=False)
        # What follows the question mark of a URL is often its signature.
        text = _QUERY.sub("?***", str(error).replace(self.config.api_key, "***")) or type(error).__name__
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.InvalidURL):
            base = self.config.base_url
            text = f"no connection: {text}. Check the network, and that A2E_BASE_URL ({base}) is right."
            kind = TransportTimeoutError if isinstance(error, TimeoutError) else TransportError
            return kind(text, endpoint=label, sent=False)
        if isinstance(error, TimeoutError):
            return TransportTimeoutError(f"no complete answer within {self.config.timeout:g} s.", endpoint=label)
        return TransportError(f"the connection broke before the answer was complete ({text}).", endpoint=label)

    def _settle(self, endpoint: Endpoint[..., Any], body: bytes | None, began: float, failure: A2EError) -> A2EError:
        self._conceal(failure)
        if endpoint.provisional and isinstance(failure, NotFoundError | DecodeError):
            failure.args = (f"{failure} This row was never publicly documented; its form here is a guess.",)
        if not endpoint.paid or not started_unknown(failure):
            if isinstance(failure, ServerError | TransportError):
                failure.retry_safe = failure.retry_safe or endpoint.safe
            return failure
        sent: dict[str, Any] = msgspec.json.decode(body or b"{}")
        sent.pop("webhook_token", None)
        at = datetime.fromtimestamp(began, UTC).isoformat(timespec="milliseconds")
        return SubmissionUncertainError(
            f"sent at {at}, but no readable answer came ({failure.message}) The task may exist and may have cost "
            f"coins, so it was not sent again. Look in {endpoint.lookout}, from that time on, for {sent}",
            endpoint=endpoint.label,
            request=sent,
            sent_at=at,
        )

    def _conceal(self, error: A2EError) -> None:
        """Take the token out of an error: a server or a proxy may repeat in its answer what it was sent."""
        error.__traceback__ = None  # its frames hold the whole answer
        found = re.compile(re.escape(self.config.api_key[:_TELLING]) + r"[^\s'\"<>]*")  # it may have been cut
        error.args = tuple(found.sub("***", str(part)) for part in error.args)
        for name, value in vars(error).items():
            if isinstance(value, str):
                setattr(error, name, found.sub("***", value))

    def _slow_down(self, pool: Pool, ticket: int, label: str, error: APIError) -> None:
        if isinstance(error, RateLimitError) or error.retry_after is not None:
            pool.gate.brake(error.retry_after or 0.0, ticket)
            self.teller.braked(label, error)


def _shut(pool: Pool, label: str) -> RateLimitError:
    text = "not sent, since an earlier answer asked everybody to wait"
    return RateLimitError(text, endpoint=label, retry_after=pool.gate.braked())
