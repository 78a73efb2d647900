from aiohttp import web

from a2e_async import FACE_SWAP, A2ESession
from a2e_async.integrations.aiohttp import get_session, setup, task_events, webhook_route
from tests.integrations.shared import ERRORS, HEARTBEAT, TOKEN


async def session(request: web.Request) -> web.StreamResponse:
    return web.json_response(id(get_session(request)))


async def wait(request: web.Request) -> web.StreamResponse:
    task = await get_session(request).watch(FACE_SWAP, request.match_info["id"])
    return web.json_response({"state": task.state})


async def events(request: web.Request) -> web.StreamResponse:
    watcher = get_session(request).watch(FACE_SWAP, request.match_info["id"])
    return await task_events(request, watcher, heartbeat=HEARTBEAT)


async def fail(request: web.Request) -> web.StreamResponse:
    raise ERRORS[request.match_info["name"]]


def app(a2e: A2ESession | None) -> web.Application:
    part, whole = web.Application(), web.Application()
    part.add_routes([web.get("/{id}/events", events)])
    setup(whole, a2e)
    whole.add_subapp("/swaps", part)
    others = [web.get("/session", session), web.get("/wait/{id}", wait), web.get("/fail/{name}", fail)]
    whole.add_routes([*others, webhook_route("/a2e", token=TOKEN)])
    return whole
