"""What type checkers promise to whoever writes a web app: checked, never run."""

from functools import partial
from typing import Any

from aiohttp import web
from django.core.asgi import get_asgi_application
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import path
from fastapi import FastAPI
from litestar import Litestar, Request, Response, get
from litestar.di import NamedDependency
from starlette.applications import Starlette

from a2e_async import FACE_SWAP, A2EError, A2ESession
from a2e_async.integrations import aiohttp, django, fastapi, litestar, starlette

TOKEN = "at-least-16-characters"

Starlette(
    lifespan=starlette.a2e_lifespan,
    exception_handlers={A2EError: starlette.answer_error},
    routes=[starlette.webhook_route("/a2e", token=TOKEN, on_task=print)],
)
Starlette(lifespan=partial(starlette.a2e_lifespan, session=A2ESession()))

app = FastAPI(lifespan=fastapi.a2e_lifespan, exception_handlers={A2EError: fastapi.answer_error})


@app.get("/coins")
async def coins(a2e: fastapi.A2EDep) -> float:
    return (await a2e.account.coins()).coins


async def events(request: web.Request) -> web.StreamResponse:
    return await aiohttp.task_events(request, aiohttp.get_session(request).watch(FACE_SWAP, "id"), heartbeat=5)


aiohttp.setup(application := web.Application())
application.add_routes([web.get("/events", events), aiohttp.webhook_route("/a2e", token=TOKEN)])


@get("/events/{task_id:str}")
async def stream(request: Request[Any, Any, Any], a2e: NamedDependency[A2ESession], task_id: str) -> Response[Any]:
    return litestar.task_events(request, a2e.watch(FACE_SWAP, task_id))


Litestar([stream, litestar.webhook_route("/a2e", token=TOKEN)], plugins=[litestar.A2EPlugin()])


async def view(request: HttpRequest) -> HttpResponseBase:
    return django.task_events(request, django.get_session().watch(FACE_SWAP, "id"))


urlpatterns = [path("events", view), django.webhook_route("a2e", token=TOKEN)]
asgi = django.with_lifespan(get_asgi_application())
