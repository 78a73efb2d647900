from typing import Any

from litestar import Litestar, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from a2e_async import FACE_SWAP, A2ESession
from a2e_async.integrations.litestar import A2EPlugin, task_events, webhook_route
from tests.integrations.shared import ERRORS, HEARTBEAT, TOKEN


@get("/session")
async def session(a2e: NamedDependency[A2ESession]) -> int:
    return id(a2e)


@get("/wait/{task_id:str}")
async def wait(a2e: NamedDependency[A2ESession], task_id: FromPath[str]) -> dict[str, str]:
    return {"state": (await a2e.watch(FACE_SWAP, task_id)).state}


@get("/swaps/{task_id:str}/events")
async def events(
    request: Request[Any, Any, Any], a2e: NamedDependency[A2ESession], task_id: FromPath[str]
) -> Response[Any]:
    return task_events(request, a2e.watch(FACE_SWAP, task_id), heartbeat=HEARTBEAT)


@get("/fail/{name:str}")
async def fail(name: FromPath[str]) -> None:
    raise ERRORS[name]


def app(a2e: A2ESession | None) -> Litestar:
    handlers = [session, wait, events, fail, webhook_route("/a2e", token=TOKEN)]
    return Litestar(handlers, plugins=[A2EPlugin(a2e)], openapi_config=None, logging_config=None)
