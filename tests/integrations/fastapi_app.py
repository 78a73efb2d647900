from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response

from a2e_async import FACE_SWAP, A2EError, A2ESession
from a2e_async.integrations.fastapi import A2EDep, a2e_lifespan, answer_error, task_events, webhook_route
from tests.integrations.shared import ERRORS, HEARTBEAT, TOKEN

router = APIRouter()


@router.get("/session")
async def session(a2e: A2EDep) -> int:
    return id(a2e)


@router.get("/wait/{task_id}")
async def wait(a2e: A2EDep, task_id: str) -> dict[str, str]:
    return {"state": (await a2e.watch(FACE_SWAP, task_id)).state}


@router.get("/swaps/{task_id}/events")
async def events(request: Request, a2e: A2EDep, task_id: str) -> Response:
    return task_events(request, a2e.watch(FACE_SWAP, task_id), heartbeat=HEARTBEAT)


@router.get("/fail/{name}")
async def fail(name: str) -> None:
    raise ERRORS[name]


def app(a2e: A2ESession | None) -> FastAPI:
    # With a lifespan of its own, and in a sub-application: the other tests use the plain way.
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
        async with a2e_lifespan(app, a2e) as state:
            yield {**state, "more": 1}

    inner = FastAPI(exception_handlers={A2EError: answer_error})
    inner.include_router(router)
    outer = FastAPI(lifespan=lifespan, routes=[webhook_route("/a2e", token=TOKEN)])
    outer.mount("/", inner)
    return outer
