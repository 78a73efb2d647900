import sys
from collections.abc import Awaitable, Callable
from typing import Any

from django import setup
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import path

from a2e_async import FACE_SWAP, A2ESession
from a2e_async.integrations.django import get_session, task_events, webhook_route, with_lifespan
from tests.integrations.shared import ERRORS, HEARTBEAT, TOKEN


async def session(request: HttpRequest) -> HttpResponse:
    return JsonResponse(id(get_session()), safe=False)


async def wait(request: HttpRequest, task_id: str) -> HttpResponse:
    task = await get_session().watch(FACE_SWAP, task_id)
    return JsonResponse({"state": task.state})


async def events(request: HttpRequest, task_id: str) -> HttpResponseBase:
    return task_events(request, get_session().watch(FACE_SWAP, task_id), heartbeat=HEARTBEAT)


async def fail(request: HttpRequest, name: str) -> HttpResponse:
    raise ERRORS[name]


urlpatterns = [
    path("session", session),
    path("wait/<str:task_id>", wait),
    path("swaps/<str:task_id>/events", events),
    path("fail/<str:name>", fail),
    webhook_route("a2e", token=TOKEN),
]
MIDDLEWARE = [
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "a2e_async.integrations.django.A2EErrorMiddleware",
]


def configure() -> None:
    if not settings.configured:
        settings.configure(ROOT_URLCONF=sys.modules[__name__], MIDDLEWARE=MIDDLEWARE, ALLOWED_HOSTS=["*"])
        setup()


def app(a2e: A2ESession | None) -> Callable[[dict[str, Any], Any, Any], Awaitable[None]]:
    configure()
    get_session.cache_clear()
    config = a2e and a2e.config
    settings.A2E = (
        {} if config is None else {"api_key": str(config.api_key), "base_url": config.base_url, "poll": config.poll}
    )
    return with_lifespan(get_asgi_application())
