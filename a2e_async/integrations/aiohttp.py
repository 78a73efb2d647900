"""aiohttp's server: a session for the app's lifetime, errors as answers, watching from a browser, callbacks."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from a2e_async.errors import A2EError
from a2e_async.integrations._events import HEADERS, HEARTBEAT, MEDIA_TYPE, events, is_over
from a2e_async.integrations._problems import answer
from a2e_async.integrations._receiver import OnTask, Receiver
from a2e_async.session import A2ESession
from a2e_async.watcher import TaskWatcher

SESSION = web.AppKey("a2e", A2ESession)
"""Where the app keeps its session."""
_STOPPING = web.AppKey("a2e_stopping", asyncio.Event)


def setup(app: web.Application, session: A2ESession | None = None) -> None:
    """Have a session while the app runs, and answer each `A2EError` with problem+json.

    Without a session it makes one from A2E_API_KEY and A2E_BASE_URL; `ConfigError` where the key is missing.
    """

    async def opened(app: web.Application) -> AsyncGenerator[None]:
        async with session or A2ESession() as app[SESSION]:
            app[_STOPPING] = asyncio.Event()
            yield

    async def stop(app: web.Application) -> None:
        # The server waits for open answers before it cleans up.
        app[_STOPPING].set()

    app.cleanup_ctx.append(opened)
    app.on_shutdown.append(stop)
    app.middlewares.append(_answer_errors)


def get_session(request: web.Request) -> A2ESession:
    """Return the session of the app, or of the one it is part of; KeyError where `setup` was called for neither."""
    return request.config_dict[SESSION]


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except A2EError as error:
        status, headers, body = answer(error)
        return web.Response(status=status, headers=headers, body=body)


async def task_events(
    request: web.Request, watcher: TaskWatcher[Any], *, heartbeat: float = HEARTBEAT
) -> web.StreamResponse:
    """Tell a browser's EventSource of each transition, and go on after the one it knows; ``heartbeat`` in seconds.

    Who may see the task is for the handler to decide. A browser that leaves cancels no job.
    """
    last = request.headers.get("Last-Event-ID", "")
    if is_over(last):
        return web.Response(status=204)
    response = web.StreamResponse(headers={**HEADERS, "Content-Type": MEDIA_TYPE})
    stopping = request.config_dict[_STOPPING]

    def gone() -> bool:
        return request.transport is None or stopping.is_set()

    # A browser that leaves while something is sent to it would be logged as an error of the handler's.
    with suppress(ConnectionResetError):
        await response.prepare(request)
        async with aclosing(events(watcher, last, heartbeat=heartbeat, gone=gone)) as chunks:
            async for chunk in chunks:
                await response.write(chunk)
    return response


def webhook_route(path: str, *, token: str, on_task: OnTask | None = None) -> web.RouteDef:
    """Make the route that takes the service's callbacks; ``token`` and ``on_task`` are those of `Webhooks`."""
    receiver = Receiver(token, on_task)

    async def receive(request: web.Request) -> web.StreamResponse:
        return await receiver.of(get_session(request)).aiohttp(request)

    return web.route("*", path, receive)
