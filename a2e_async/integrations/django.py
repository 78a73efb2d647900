"""Django under ASGI: a session of the process, errors as answers, watching from a browser, callbacks."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, TypeAlias

from a2e_async.errors import A2EError
from a2e_async.integrations._events import HEADERS, HEARTBEAT, MEDIA_TYPE, events, is_over
from a2e_async.integrations._problems import answer
from a2e_async.integrations._receiver import OnTask, Receiver
from a2e_async.session import A2ESession
from a2e_async.watcher import TaskWatcher
from a2e_async.webhooks import Receive, Send

try:
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.handlers.asgi import ASGIRequest
    from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, StreamingHttpResponse
    from django.http.response import HttpResponseBase
    from django.urls import URLPattern
    from django.urls import path as url
    from django.utils.deprecation import MiddlewareMixin
    from django.views.decorators.csrf import csrf_exempt
except ImportError as error:
    raise ImportError("this needs Django: pip install 'a2e-async[django]'") from error

_App: TypeAlias = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


@cache
def get_session() -> A2ESession:
    """Return the session of this process, made with ``settings.A2E``: a dict of what `A2ESession` takes.

    Its connections belong to the event loop that runs, so that it can be used under WSGI and in commands, too.
    """
    return A2ESession(**getattr(settings, "A2E", {}))


def with_lifespan(application: _App) -> _App:
    """Open the session when the server starts, close it when it stops: ``with_lifespan(get_asgi_application())``.

    Where a server knows no lifespan, as Daphne and ``runserver``, the session's connections end with the process.
    """

    async def wrapped(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await application(scope, receive, send)
            return
        await receive()
        try:
            a2e = get_session()
        except A2EError as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await a2e.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    return wrapped


class A2EErrorMiddleware(MiddlewareMixin):
    """Answers each `A2EError` that a view raises with problem+json: name it in ``settings.MIDDLEWARE``."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:  # noqa: ARG002 - what Django calls it with
        """Answer what is ours."""
        if not isinstance(error, A2EError):
            return None
        status, headers, body = answer(error)
        return HttpResponse(body, status=status, headers=headers)


def task_events(request: HttpRequest, watcher: TaskWatcher[Any], *, heartbeat: float = HEARTBEAT) -> HttpResponseBase:
    """Tell a browser's EventSource of each transition, and go on after the one it knows; ``heartbeat`` in seconds.

    Who may see the task is for the view to decide. A browser that leaves cancels no job. ImproperlyConfigured under
    WSGI, where nothing would be sent before the job has ended.
    """
    if not isinstance(request, ASGIRequest):
        raise ImproperlyConfigured("task_events needs an ASGI server, such as `uvicorn project.asgi:application`")
    last = request.headers.get("Last-Event-ID", "")
    if is_over(last):
        return HttpResponse(status=204)
    stream = events(watcher, last, heartbeat=heartbeat)
    return StreamingHttpResponse(stream, headers=HEADERS, content_type=MEDIA_TYPE)


def webhook_route(path: str, *, token: str, on_task: OnTask | None = None) -> URLPattern:
    """Make the item of ``urlpatterns`` that takes callbacks; ``token`` and ``on_task`` are those of `Webhooks`."""
    receiver = Receiver(token, on_task)

    @csrf_exempt
    async def take(request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
        return HttpResponse(status=await receiver.of(get_session()).receive(headers, request.body))

    return url(path, take)
