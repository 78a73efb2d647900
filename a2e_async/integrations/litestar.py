"""Litestar: a session for the app's lifetime, errors as answers, watching from a browser, callbacks."""
# pyright: reportUnknownMemberType=false
# Litestar leaves out the type arguments of what an app is configured with.

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from a2e_async.errors import A2EError
from a2e_async.integrations._events import HEADERS, HEARTBEAT, MEDIA_TYPE, events, is_over
from a2e_async.integrations._problems import answer
from a2e_async.integrations._receiver import OnTask, Receiver
from a2e_async.session import A2ESession
from a2e_async.watcher import TaskWatcher

try:
    from litestar import Litestar, Request, Response
    from litestar.config.app import AppConfig
    from litestar.datastructures import State
    from litestar.di import Provide
    from litestar.handlers import ASGIRouteHandler, asgi
    from litestar.plugins import InitPlugin
    from litestar.response import Stream
    from litestar.types import Receive, Scope, Send
except ImportError as error:
    raise ImportError("this needs Litestar: pip install 'a2e-async[litestar]'") from error

_STATE = "a2e"


class A2EPlugin(InitPlugin):
    """A session while the app runs, as the dependency ``a2e``, and problem+json for each `A2EError`.

    Without a session it makes one from A2E_API_KEY and A2E_BASE_URL; `ConfigError` where the key is missing.
    """

    def __init__(self, session: A2ESession | None = None) -> None:
        self._session = session

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add what the app needs; handlers and dependencies of its own stay."""
        app_config.lifespan.append(self._lifespan)
        app_config.dependencies.setdefault("a2e", Provide(_session, sync_to_thread=False))
        app_config.exception_handlers.setdefault(A2EError, answer_error)
        return app_config

    @asynccontextmanager
    async def _lifespan(self, app: Litestar) -> AsyncGenerator[None]:
        async with self._session or A2ESession() as a2e:
            app.state[_STATE] = a2e
            yield


def _session(state: State) -> A2ESession:
    found = state.get(_STATE)
    if not isinstance(found, A2ESession):
        raise RuntimeError("this app has no A2E session: pass plugins=[A2EPlugin()]")  # noqa: TRY004 - as nothing was passed wrongly
    return found


def answer_error(request: Request[Any, Any, Any], error: A2EError) -> Response[bytes]:  # noqa: ARG001 - what handlers are called with
    """Answer with problem+json."""
    status, headers, body = answer(error)
    return Response(body, status_code=status, headers=headers)


def task_events(
    request: Request[Any, Any, Any], watcher: TaskWatcher[Any], *, heartbeat: float = HEARTBEAT
) -> Response[Any]:
    """Tell a browser's EventSource of each transition, and go on after the one it knows; ``heartbeat`` in seconds.

    Who may see the task is for the handler to decide. A browser that leaves cancels no job.
    """
    last = request.headers.get("last-event-id", "")
    if is_over(last):
        return Response(None, status_code=204)
    return Stream(events(watcher, last, heartbeat=heartbeat), headers=HEADERS, media_type=MEDIA_TYPE)


def webhook_route(path: str, *, token: str, on_task: OnTask | None = None) -> ASGIRouteHandler:
    """Make the route that takes the service's callbacks; ``token`` and ``on_task`` are those of `Webhooks`."""
    receiver = Receiver(token, on_task)

    @asgi(path, copy_scope=False)
    async def take(scope: Scope, receive: Receive, send: Send) -> None:
        await receiver.of(_session(Litestar.from_scope(scope).state))(scope, receive, send)

    return take
