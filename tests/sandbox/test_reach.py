"""What the sandbox fetches and calls is judged by the address it connects to, whatever the name says."""

import socket

import aiohttp
import anyio
import pytest

from a2e_async.sandbox import Sandbox
from a2e_async.sandbox.reach import barred

pytestmark = pytest.mark.anyio

ADD = "/api/v1/userFaceSwapTask/add"
HEADERS = {"Authorization": "Bearer sk_test"}


@pytest.mark.parametrize(
    ("address", "loopback", "any_"),
    [
        ("127.0.0.1", True, True),
        ("127.9.9.9", True, True),
        ("::1", True, True),
        ("::ffff:127.0.0.1", True, True),
        ("10.0.0.1", False, True),
        ("192.168.1.1", False, True),
        ("93.184.216.34", False, True),
        ("2606:2800:220:1::1", False, True),
        ("::ffff:93.184.216.34", False, True),
        ("169.254.169.254", False, False),
        ("::ffff:169.254.169.254", False, False),
        ("::ffff:a9fe:a9fe", False, False),
        ("64:ff9b::a9fe:a9fe", False, False),
        ("2002:a9fe:a9fe::1", False, False),
        ("fe80::1", False, False),
        ("fe80::1%eth0", False, False),
        ("fd00:ec2::254", False, False),
        ("100.100.100.200", False, False),
        ("168.63.129.16", False, False),
        ("192.0.0.192", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("255.255.255.255", False, False),
    ],
)
def test_addresses(address, loopback, any_):
    assert (not barred(address, "loopback"), not barred(address, "any")) == (loopback, any_)


async def start(fetch, monkeypatch, answers, face, **fields):
    """Start a swap while some names stand for other addresses; return why it was refused, and the callbacks."""
    real = socket.getaddrinfo

    def resolve(host, port, *args, **options):
        return real(answers.get(host, host), port, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    async with Sandbox(clock="stepped", fetch=fetch) as sandbox, aiohttp.ClientSession(sandbox.url) as http:
        body = {"name": "x", "face_url": face or sandbox.face_url, "video_url": sandbox.video_url, **fields}
        async with http.post(ADD, json=body, headers=HEADERS) as response:
            answer = await response.json()
        account = sandbox.account("sk_test")
        if fields:
            account.advance(100)
            with anyio.fail_after(10):
                while not any(callback.error for callback in account.webhooks):
                    await anyio.sleep(0.005)
        return answer.get("msg", ""), list(account.webhooks)


@pytest.mark.parametrize(
    ("fetch", "name", "address"),
    [
        ("any", "harmless.example", "169.254.169.254"),
        ("loopback", "localhost", "192.0.2.1"),
        ("loopback", "localhost", "169.254.169.254"),
    ],
)
async def test_a_name_that_stands_for_a_barred_address(monkeypatch, fetch, name, address):
    said, _ = await start(fetch, monkeypatch, {name: address}, f"http://{name}:9/latest/meta-data")
    assert "cannot be fetched" in said
    assert f"{address} is" in said


async def test_an_address_written_as_such(monkeypatch):
    said, _ = await start("any", monkeypatch, {}, "http://[::ffff:a9fe:a9fe]:9/latest/meta-data")
    assert "is link-local" in said


async def test_callbacks_too(monkeypatch):
    hook = "http://harmless.example:9/hook"
    answers = {"harmless.example": "169.254.169.254"}
    _, [callback] = await start("any", monkeypatch, answers, None, webhook_url=hook)
    assert (callback.status, "169.254.169.254 is" in callback.error) == (0, True)


@pytest.mark.parametrize("url", ["http://xn--/", "http://[::1", "http://127.0.0.1:99999/", "http:///x"])
async def test_urls_that_are_none(call, url):
    reply = await call("POST", ADD, json=call.swap(face_url=url))
    assert (reply.status, "is not an http(s) URL" in reply.msg) == (400, True)
    reply = await call("POST", ADD, json=call.swap(webhook_url=url))
    assert (reply.status, "is not an http(s) URL" in reply.msg) == (400, True)
