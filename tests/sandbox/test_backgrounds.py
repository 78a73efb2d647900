"""Backgrounds: the sandbox's own and those of the account."""

from io import BytesIO

import aiohttp
import pytest
from PIL import Image

pytestmark = pytest.mark.anyio

BASE = "/api/v1/custom_back"


async def test_own_ones_come_first(call):
    system = (await call("POST", f"{BASE}/allBackground", json={})).data
    body = {"img_url": call.sandbox.face_url}
    first, second = [(await call("POST", f"{BASE}/add", json=body)).data for _ in range(2)]
    assert first["img_url"] == call.sandbox.face_url
    assert (await call("POST", f"{BASE}/list")).data == [second, first]
    assert (await call("POST", f"{BASE}/allBackground", data="")).data == [second, first, *system]


async def test_system_pictures_are_there(call):
    shown = (await call("POST", f"{BASE}/allBackground")).data
    for row in shown:
        reply = await call("GET", row["img_url"])
        assert reply.headers["Content-Type"] == "image/png"
        with Image.open(BytesIO(reply.body)) as picture:
            picture.load()
            assert picture.size == (1280, 720)
            assert picture.info["Comment"] == "SANDBOX"
            assert picture.getpixel((5, 5)) != picture.getpixel((5, 700))
    assert len({row["_id"] for row in shown}) == 5


async def test_a_random_one_needs_no_token(call):
    shown = (await call("POST", f"{BASE}/allBackground")).data
    async with (
        aiohttp.ClientSession(call.sandbox.url) as http,
        http.post(f"{BASE}/randomBackground") as response,
    ):
        assert (await response.json())["data"] in shown
    async with aiohttp.ClientSession(call.sandbox.url) as http, http.post(f"{BASE}/list") as response:
        assert response.status == 401


async def test_deleting(call):
    [one] = [(await call("POST", f"{BASE}/add", json={"img_url": call.sandbox.face_url})).data]
    system = (await call("POST", f"{BASE}/randomBackground")).data
    headers = {"Authorization": "Bearer sk_other"}
    assert (await call("POST", f"{BASE}/del", json={"_id": one["_id"]}, headers=headers)).status == 404
    assert (await call("POST", f"{BASE}/del", json={"_id": one["_id"]})).data == {}
    assert (await call("POST", f"{BASE}/del", json={"_id": one["_id"]})).status == 404
    assert (await call("POST", f"{BASE}/del", json={"_id": system["_id"]})).status == 404
    assert (await call("POST", f"{BASE}/del", json={"_id": "x"})).msg == "_id must be 24 hex digits"
    assert (await call("POST", f"{BASE}/list")).data == []


async def test_only_pictures_are_added(call):
    reply = await call("POST", f"{BASE}/add", json={"img_url": call.sandbox.video_url})
    assert reply.status == 400
    assert reply.msg.startswith("img_url: ")
    assert (await call("POST", f"{BASE}/add", json={})).msg == "img_url is required"
