"""Face swaps with FastAPI: `python docs/examples/fastapi_app.py`, and open what it prints."""

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import FileResponse, Response
from studio import FILES, KEY, PORT, Swaps, bounded, service

from a2e_async import FACE_SWAP, A2EError
from a2e_async.integrations.fastapi import A2EDep, a2e_lifespan, answer_error, task_events

app = FastAPI(lifespan=a2e_lifespan, exception_handlers={A2EError: answer_error})
app.add_middleware(bounded)
swaps = Swaps()


@app.get("/")
@app.get("/page/{name}")
def page(name: str = "page.html") -> FileResponse:
    """Send the page, or what it loads."""
    if name not in FILES:
        raise HTTPException(404)
    return FileResponse(FILES[name])


@app.post("/swaps", status_code=201)
async def start(request: Request, a2e: A2EDep) -> dict[str, str]:
    """Upload a face and a clip, and start their swap, which costs coins; the same form again costs none."""
    async with request.form() as form:
        return {"id": await swaps.start(a2e, request.headers.get(KEY, ""), form.get("face"), form.get("clip"))}


@app.get("/swaps/{task_id}/events")
def events(request: Request, a2e: A2EDep, task_id: str) -> Response:
    """Tell of each state of a swap as it comes."""
    return task_events(request, a2e.watch(FACE_SWAP, task_id))


if __name__ == "__main__":
    with service():
        uvicorn.run(app, port=PORT, log_level="warning", timeout_graceful_shutdown=3)
