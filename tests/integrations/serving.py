"""Serves an app for real, on a loop whose time jumps, beside the sandbox and the browser that asks it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from importlib import import_module
from typing import Any, NamedTuple, TypeVar, cast

import aiohttp
import pytest
from aiohttp import web

from a2e_async import A2ESession, PollPolicy
from a2e_async.sandbox import Account, Sandbox
from tests.leaping import MOMENT, PATIENCE, LeapingLoop
from tests.service import KEY

T = TypeVar("T")
FRAMEWORKS = ["aiohttp", "starlette", "fastapi", "litestar", "django"]


def made(framework: str, a2e: A2ESession | None) -> Any:
    """Make the app; skip where its framework, or the server for it, is missing."""
    pytest.importorskip(framework)
    return import_module(f"tests.integrations.{framework}_app").app(a2e)


class Served(NamedTuple):
    url: str
    stop: Callable[[], None]
    """Tell the server to stop; it has stopped when the block is left."""


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[Served]:
    """Serve an app; RuntimeError where it does not start."""
    async with _by_aiohttp(app) if isinstance(app, web.Application) else _by_uvicorn(app) as server:
        yield server


@asynccontextmanager
async def _by_aiohttp(app: web.Application) -> AsyncIterator[Served]:
    runner, stopped = web.AppRunner(app), asyncio.Event()
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()

    async def clean() -> None:
        await stopped.wait()
        await runner.cleanup()

    cleaning = asyncio.create_task(clean())
    try:
        yield Served(f"http://127.0.0.1:{runner.addresses[0][1]}", stopped.set)
    finally:
        stopped.set()
        await cleaning


@asynccontextmanager
async def _by_uvicorn(app: Any) -> AsyncIterator[Served]:
    uvicorn = pytest.importorskip("uvicorn")

    class Server(uvicorn.Server):
        async def main_loop(self) -> None:  # ten looks a second would keep time from jumping
            while not self.should_exit:
                await asyncio.sleep(1)

    server = Server(uvicorn.Config(app, port=0, log_config=None, lifespan="on", http="h11", ws="none"))

    async def serve() -> None:
        with suppress(SystemExit):  # where the app does not start
            await server.serve()

    serving = asyncio.create_task(serve())
    while not server.started and not serving.done():
        await asyncio.sleep(0.01)

    def stop() -> None:
        server.should_exit = True

    try:
        if not server.started:
            raise RuntimeError("the app did not start")
        yield Served(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", stop)
    finally:
        stop()
        await serving


class Told(NamedTuple):
    """An event; a comment has no name."""

    event: str
    id: str = ""
    data: Any = None


async def read(response: aiohttp.ClientResponse) -> AsyncIterator[Told]:
    """Yield what an event stream tells, until it ends."""
    fields: dict[str, str] = {}
    async for raw in response.content:
        line = raw.decode().removesuffix("\n")
        if line.startswith(":"):
            yield Told("")
        elif line:
            name, _, value = line.partition(": ")
            fields[name] = value
        else:
            if "event" in fields:
                yield Told(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
            fields = {}


class Stage(NamedTuple):
    """An app that is served, the service behind it, and a browser's connections to it."""

    sandbox: Sandbox
    account: Account
    server: Served
    http: aiohttp.ClientSession

    async def add(self, **fields: str) -> str:
        """Start a task and return its id."""
        fields = {"name": "clip", "face_url": self.sandbox.face_url, "video_url": self.sandbox.video_url, **fields}
        loop = cast("LeapingLoop", asyncio.get_running_loop())
        loop.moment = PATIENCE  # a thread looks into the inputs
        async with A2ESession(KEY, base_url=self.sandbox.url) as a2e:
            task = await a2e.face_swap.tasks.add(**fields)
        loop.moment = MOMENT
        return task.id

    async def get(self, path: str) -> Any:
        async with self.http.get(f"{self.server.url}{path}") as response:
            assert response.status == 200
            return await response.json(content_type=None)

    @asynccontextmanager
    async def stream(self, task_id: str, last: str = "") -> AsyncIterator[AsyncIterator[Told]]:
        headers = {"Last-Event-ID": last} if last else {}
        async with self.http.get(f"{self.server.url}/swaps/{task_id}/events", headers=headers) as response:
            assert response.status == 200
            assert response.headers["Content-Type"].startswith("text/event-stream")
            assert response.headers["Cache-Control"] == "no-cache"
            assert response.headers["X-Accel-Buffering"] == "no"
            yield read(response)

    async def told(self, task_id: str, last: str = "") -> list[Told]:
        """All events until the stream ends, without the comments."""
        async with self.stream(task_id, last) as events:
            return [told async for told in events if told.event]

    def looks(self) -> int:
        """How many readings of tasks reached the service."""
        return len([entry for entry in self.account.requests if not entry.path.endswith("/add")])


def lasting() -> list[str]:
    """Names of the tasks that a stream or a watcher lives in."""
    return [name for task in asyncio.all_tasks() if (name := task.get_name()).startswith("a2e-")]


@asynccontextmanager
async def staged(
    framework: str,
    clock: str = "per-poll:1",
    poll: PollPolicy | None = None,
    make: Callable[[str, A2ESession], Any] = made,
) -> AsyncIterator[Stage]:
    """Serve the framework's app before a sandbox."""
    async with Sandbox(clock=clock) as sandbox:
        app = make(framework, A2ESession(KEY, base_url=sandbox.url, poll=poll))
        # What jumps is no time in which an answer would be late.
        patient = aiohttp.ClientTimeout(total=None)
        async with served(app) as server, aiohttp.ClientSession(timeout=patient) as http:
            yield Stage(sandbox, sandbox.account(KEY), server, http)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a leaping loop; fail if a task is left behind."""
    with asyncio.Runner(loop_factory=LeapingLoop) as runner:

        async def checked() -> T:
            result = await main
            await asyncio.sleep(1)  # for the ends of connections
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"left behind: {left}"
            return result

        return runner.run(checked())
