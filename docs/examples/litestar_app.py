"""Face swaps with Litestar: `python docs/examples/litestar_app.py`, and open what it prints."""

from typing import Any

import uvicorn
from litestar import Litestar, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import File
from studio import FILES, KEY, LARGEST, PORT, Swaps, bounded, service

from a2e_async import FACE_SWAP, A2ESession
from a2e_async.integrations.litestar import A2EPlugin, task_events

swaps = Swaps()


@get("/page/{name:str}")
async def page(name: FromPath[str]) -> File:
    """Send what the page loads."""
    if name not in FILES:
        raise NotFoundException
    return File(FILES[name], filename=name, content_disposition_type="inline")


@get("/")
async def start_page() -> File:
    """Send the page."""
    return File(FILES["page.html"], filename="page.html", content_disposition_type="inline")


@post("/swaps")
async def start(request: Request[Any, Any, Any], a2e: NamedDependency[A2ESession]) -> dict[str, str]:
    """Upload a face and a clip, and start their swap, which costs coins; the same form again costs none."""
    form = await request.form()
    return {"id": await swaps.start(a2e, request.headers.get(KEY, ""), form.get("face"), form.get("clip"))}


@get("/swaps/{task_id:str}/events")
async def events(
    request: Request[Any, Any, Any], a2e: NamedDependency[A2ESession], task_id: FromPath[str]
) -> Response[Any]:
    """Tell of each state of a swap as it comes."""
    return task_events(request, a2e.watch(FACE_SWAP, task_id))


app = Litestar(
    [page, start_page, start, events], plugins=[A2EPlugin()], middleware=[bounded], request_max_body_size=LARGEST
)

if __name__ == "__main__":
    with service():
        uvicorn.run(app, port=PORT, log_level="warning", timeout_graceful_shutdown=3)
