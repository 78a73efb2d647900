from functools import partial

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from a2e_async import FACE_SWAP, A2EError, A2ESession
from a2e_async.integrations.starlette import a2e_lifespan, answer_error, get_session, task_events, webhook_route
from tests.integrations.shared import ERRORS, HEARTBEAT, TOKEN


async def session(request: Request) -> Response:
    return JSONResponse(id(get_session(request)))


async def wait(request: Request) -> Response:
    task = await get_session(request).watch(FACE_SWAP, request.path_params["id"])
    return JSONResponse({"state": task.state})


async def events(request: Request) -> Response:
    watcher = get_session(request).watch(FACE_SWAP, request.path_params["id"])
    return task_events(request, watcher, heartbeat=HEARTBEAT)


async def fail(request: Request) -> Response:
    raise ERRORS[request.path_params["name"]]


def app(a2e: A2ESession | None) -> Starlette:
    return Starlette(
        lifespan=partial(a2e_lifespan, session=a2e),
        exception_handlers={A2EError: answer_error},
        routes=[
            Route("/session", session),
            Route("/wait/{id}", wait),
            Route("/swaps/{id}/events", events),
            Route("/fail/{name}", fail),
            webhook_route("/a2e", token=TOKEN),
        ],
    )
