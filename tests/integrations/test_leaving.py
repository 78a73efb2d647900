"""A browser that leaves while aiohttp answers it is no error of the server's."""

import asyncio

import pytest
from aiohttp import web

from a2e_async import FACE_SWAP, A2ESession, TaskWatcher
from a2e_async.integrations.aiohttp import get_session, setup, task_events
from a2e_async.sandbox import Sandbox
from tests.integrations.serving import served
from tests.service import KEY


async def left(request: web.Request) -> None:
    while request.transport is not None:
        await asyncio.sleep(0.01)


class Late(TaskWatcher):
    """Reads a task when nobody listens any more."""

    request: web.Request

    async def __anext__(self):
        await left(self.request)
        return await super().__anext__()


@pytest.mark.anyio
@pytest.mark.parametrize("answered", [False, True], ids=["before the answer", "before the first event"])
async def test_a_browser_that_leaves_leaves_no_error(caplog, answered):
    async def handler(request: web.Request) -> web.StreamResponse:
        watcher = Late(get_session(request), FACE_SWAP, request.query["id"])
        watcher.request = request
        arrived.set()
        if not answered:
            await left(request)
        try:
            return await task_events(request, watcher)
        finally:
            over.set()

    arrived, over, app = asyncio.Event(), asyncio.Event(), web.Application()
    app.router.add_get("/", handler)
    async with Sandbox() as sandbox, A2ESession(KEY, base_url=sandbox.url) as a2e:
        setup(app, a2e)
        task = await a2e.face_swap.tasks.add(name="n", face_url=sandbox.face_url, video_url=sandbox.video_url)
        async with served(app) as server:
            _, browser = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
            browser.write(f"GET /?id={task.id} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            await arrived.wait()
            browser.close()
            await browser.wait_closed()
            await over.wait()
    assert [record.message for record in caplog.records if record.name == "aiohttp.server"] == []
