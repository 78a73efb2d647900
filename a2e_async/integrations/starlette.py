"""Starlette, and FastAPI: a session for the app's lifetime, errors as answers, watching from a browser, callbacks."""

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
    from starlette.requests import HTTPConnection, Request
    from starlette.responses import Response, StreamingResponse
    from starlette.routing import Route
    from starlette.types import Receive, Scope, Send
except ImportError as error:
    raise ImportError("this needs Starlette: pip install 'a2e-async[starlette]'") from error

_STATE = "a2e"


@asynccontextmanager
async def a2e_lifespan(app: object, session: A2ESession | None = None) -> AsyncGenerator[dict[str, A2ESession]]:  # noqa: ARG001 - what a lifespan is called with
    """Have a session while the app runs: ``Starlette(lifespan=a2e_lifespan)``.

    In a lifespan of your own, enter it and yield on what it yields: ``async with a2e_lifespan(app) as state``. Without
    a session it makes one from A2E_API_KEY and A2E_BASE_URL; `ConfigError` where the key is missing.
    """
    async with session or A2ESession() as a2e:
        yield {_STATE: a2e}


def get_session(connection: HTTPConnection) -> A2ESession:
    """Return the app's session; RuntimeError where no lifespan has brought one."""
    found = connection.scope.get("state", {}).get(_STATE)
    if not isinstance(found, A2ESession):
        raise RuntimeError(  # noqa: TRY004 - nothing was passed wrongly: the app is set up wrongly
            "this app has no A2E session: pass lifespan=a2e_lifespan, or let your own lifespan yield what it yields"
        )
    return found


async def answer_error(request: Request, error: Exception) -> Response:  # noqa: ARG001 - what handlers are called with
    """Answer with problem+json: ``Starlette(exception_handlers={A2EError: answer_error})``."""
    if not isinstance(error, A2EError):
        raise error
    status, headers, body = answer(error)
    return Response(body, status, headers)


def task_events(request: Request, watcher: TaskWatcher[Any], *, heartbeat: float = HEARTBEAT) -> Response:
    """Tell a browser's EventSource of each transition, and go on after the one it knows; ``heartbeat`` in seconds.

    Who may see the task is for the route to decide. A browser that leaves cancels no job.
    """
    last = request.headers.get("last-event-id", "")
    if is_over(last):
        return Response(status_code=204)
    return StreamingResponse(events(watcher, last, heartbeat=heartbeat), headers=HEADERS, media_type=MEDIA_TYPE)


def webhook_route(path: str, *, token: str, on_task: OnTask | None = None) -> Route:
    """Make the route that takes the service's callbacks; ``token`` and ``on_task`` are those of `Webhooks`."""
    return Route(path, _Endpoint(Receiver(token, on_task)))


class _Endpoint:
    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._receiver.of(get_session(HTTPConnection(scope)))(scope, receive, send)
