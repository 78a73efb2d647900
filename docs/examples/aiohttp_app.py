"""Face swaps with aiohttp.web: `python docs/examples/aiohttp_app.py`, and open what it prints."""

from aiohttp import web
from studio import FILES, KEY, LARGEST, PORT, TOO_LARGE, Swaps, service

from a2e_async import FACE_SWAP
from a2e_async.integrations.aiohttp import get_session, setup, task_events

routes = web.RouteTableDef()
swaps = Swaps()


@routes.get("/")
@routes.get("/page/{name}")
async def page(request: web.Request) -> web.StreamResponse:
    """Send the page, or what it loads."""
    name = request.match_info.get("name", "page.html")
    if name not in FILES:
        raise web.HTTPNotFound
    return web.FileResponse(FILES[name])


@routes.post("/swaps")
async def start(request: web.Request) -> web.StreamResponse:
    """Upload a face and a clip, and start their swap, which costs coins; the same form again costs none."""
    if (request.content_length or 0) > LARGEST:
        return web.json_response(TOO_LARGE, status=413)
    form, key = await request.post(), request.headers.get(KEY, "")
    task_id = await swaps.start(get_session(request), key, form.get("face"), form.get("clip"))
    return web.json_response({"id": task_id}, status=201)


@routes.get("/swaps/{task_id}/events")
async def events(request: web.Request) -> web.StreamResponse:
    """Tell of each state of a swap as it comes."""
    return await task_events(request, get_session(request).watch(FACE_SWAP, request.match_info["task_id"]))


app = web.Application(client_max_size=LARGEST)
app.add_routes(routes)
setup(app)

if __name__ == "__main__":
    with service():
        web.run_app(app, host="127.0.0.1", port=PORT, print=None)
