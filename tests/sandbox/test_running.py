"""Starting, stopping, dying and coming back."""

import asyncio
import json
import socket
import subprocess
import sys
import threading
import urllib.request
from contextlib import suppress

import aiohttp
import pytest

from a2e_async.sandbox import Rule, Sandbox, sandbox_thread

pytestmark = pytest.mark.anyio

SERVER = """
import asyncio, sys
from a2e_async.sandbox import Sandbox

async def main():
    async with Sandbox(db=sys.argv[1], clock="stepped") as sandbox:
        print(sandbox.url, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def fetch(url, body=None, key="sk_test"):
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    with urllib.request.urlopen(request) as response:
        return json.loads(response.read())["data"]


def test_a_killed_sandbox_loses_nothing(tmp_path):
    db = str(tmp_path / "world.sqlite")
    with subprocess.Popen([sys.executable, "-c", SERVER, db], stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            body = {"name": "x", "face_url": f"{url}/sandbox/samples/face.jpg"}
            body["video_url"] = f"{url}/sandbox/samples/clip.mp4"
            task = fetch(f"{url}/api/v1/userFaceSwapTask/add", body)
        finally:
            process.kill()
    with sandbox_thread(db=db, clock="stepped") as sandbox:
        account = sandbox.account("sk_test")
        assert account.coins == 990
        assert [line.delta for line in account.ledger] == [1000, -10]
        account.advance(100)
        record = fetch(f"{sandbox.url}/api/v1/userFaceSwapTask/{task['_id']}")
        assert (record["current_status"], record["createdAt"]) == ("completed", task["createdAt"])
        with urllib.request.urlopen(record["result_url"]) as response:
            assert response.read(8)[4:] == b"ftyp"


def test_signed_urls_outlive_a_restart(tmp_path):
    db = tmp_path / "world.sqlite"
    with sandbox_thread(db=db) as sandbox:
        sign = f"{sandbox.url}/api/v1/r2/upload-presigned-url"
        signed, port = fetch(sign, {"key": "x.txt"}), int(sandbox.url.rpartition(":")[2])
    with sandbox_thread(db=db, port=port):
        request = urllib.request.Request(signed["uploadUrl"], b"kept", method="PUT")
        with urllib.request.urlopen(request) as response:
            assert response.status == 200
    with sandbox_thread(db=db, port=port), urllib.request.urlopen(signed["cdnUrl"]) as response:
        assert response.read() == b"kept"


def test_thread_takes_what_a_sandbox_takes_and_ends():
    before = set(threading.enumerate())
    with sandbox_thread(clock="stepped", coins=50, seed=3) as sandbox:
        account = sandbox.account("sk_test")
        assert fetch(f"{sandbox.url}/api/v1/user/remainingCoins") == {"coins": 50, "diamonds": 0}
        account.advance(5)
        assert account.requests[0].path == "/api/v1/user/remainingCoins"
        with urllib.request.urlopen(sandbox.video_url) as response:
            assert response.read(8)[4:] == b"ftyp"
    assert set(threading.enumerate()) <= before
    with pytest.raises(ValueError, match="allow_remote"), sandbox_thread(host="example.com"):
        raise AssertionError
    with pytest.raises(RuntimeError, match="not running"):
        assert sandbox.url


def test_a_taken_port_is_reported():
    with sandbox_thread() as sandbox, pytest.raises(OSError):  # noqa: PT011 - the text is the system's
        with sandbox_thread(port=int(sandbox.url.rpartition(":")[2])):
            raise AssertionError


async def test_closing_ends_idle_and_busy_connections():
    headers = {"Authorization": "Bearer sk_test"}
    async with aiohttp.ClientSession(headers=headers) as http:
        async with Sandbox() as sandbox:
            async with http.get(f"{sandbox.url}/sandbox/health") as response:
                assert await response.json() == {"status": "ok"}
            account = sandbox.account("sk_test")
            account.fault(Rule("delay", seconds=60))
            busy = asyncio.ensure_future(http.get(f"{sandbox.url}/api/v1/user/remainingCoins"))
            while not account.requests:
                await asyncio.sleep(0)
        with pytest.raises(aiohttp.ClientConnectionError):
            await busy
        await sandbox.aclose()
        with pytest.raises(aiohttp.ClientConnectionError):
            await http.get(response.url)


@pytest.mark.parametrize("turns", range(7))
async def test_closing_ends_a_connection_that_is_just_arriving(turns):
    sandbox = Sandbox()
    await sandbox.start()
    host, port = sandbox.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as arriving:
        for _ in range(turns):
            await asyncio.sleep(0)
        await sandbox.aclose()
        with suppress(ConnectionError):
            assert await asyncio.to_thread(arriving.recv, 1) == b""


@pytest.mark.parametrize("host", ["localhost", "::1"])
async def test_other_names_of_loopback(host):
    async with Sandbox(host=host) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        async with http.get("/sandbox/health") as response:
            assert response.status == 200
        with pytest.raises(RuntimeError, match="is running"):
            await sandbox.start()


async def test_wildcard_address_is_called_by_a_name_that_works():
    async with Sandbox(host="0.0.0.0", allow_remote=True) as sandbox:
        assert sandbox.url.startswith("http://127.0.0.1:")


async def test_admin_routes(call, account):
    await call.start(name="<b>")
    [task] = (await call("GET", "/sandbox/tasks")).json
    assert (task["_id"], task["name"], task["current_status"]) == (account.tasks[0].id, "<b>", "initialized")
    ledger = (await call("GET", "/sandbox/ledger")).json
    assert (ledger["coins"], [row["delta"] for row in ledger["rows"]]) == (990, [1000, -10])
    assert (await call("GET", "/sandbox/tasks", headers={"Authorization": ""})).status == 401
    assert account.requests == account.requests[:1]
