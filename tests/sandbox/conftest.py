import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDictProxy

from a2e_async.sandbox import Account, Sandbox

KEY = "sk_test"
ADD = "/api/v1/userFaceSwapTask/add"


@dataclass(frozen=True)
class Reply:
    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def data(self):
        assert self.status == 200, self.body
        assert self.json["code"] == 0
        return self.json["data"]

    @property
    def msg(self):
        assert self.json["code"] != 0
        return self.json["msg"]


class Caller:
    """A plain client of one account, with shorthands for the calls that most tests make."""

    def __init__(self, http: aiohttp.ClientSession, sandbox: Sandbox) -> None:
        self.http, self.sandbox = http, sandbox

    async def __call__(self, method: str, path: str, **options) -> Reply:
        async with self.http.request(method, path, **options) as response:
            return Reply(response.status, response.headers, await response.read())

    def swap(self, **fields) -> dict:
        return {
            "name": "clip",
            "face_url": self.sandbox.face_url,
            "video_url": self.sandbox.video_url,
            **fields,
        }

    async def start(self, **fields) -> str:
        return (await self("POST", ADD, json=self.swap(**fields))).data["_id"]

    async def detail(self, task_id: str) -> dict:
        return (await self("GET", f"/api/v1/userFaceSwapTask/{task_id}")).data


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(clock="stepped") as running:
        yield running


@pytest.fixture
def account(sandbox: Sandbox) -> Account:
    return sandbox.account(KEY)


@pytest.fixture
async def call(sandbox: Sandbox) -> AsyncIterator[Caller]:
    async with aiohttp.ClientSession(sandbox.url, headers={"Authorization": f"Bearer {KEY}"}) as http:
        yield Caller(http, sandbox)


class Remote:
    """A web server of somebody else; `hits` counts what reached it."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.hits = 0
        self.url = ""

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.hits += 1
        if request.path == "/moved":
            return web.Response(status=302, headers={"Location": "/face.jpg"})
        body = self.files.get(request.path)
        return web.Response(body=body) if body is not None else web.Response(status=404)


@pytest.fixture
async def remote() -> AsyncIterator[Remote]:
    server = Remote()
    runner = web.ServerRunner(web.Server(server.handle), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield server
    await runner.cleanup()
