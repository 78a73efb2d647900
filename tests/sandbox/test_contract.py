"""Routes come from the contract file; what it demands of a request is demanded."""

from io import BytesIO

import aiohttp
import pytest

from a2e_async.sandbox import Sandbox, contract, routing
from a2e_async.sandbox.handlers import HANDLERS

pytestmark = pytest.mark.anyio


def test_every_handler_names_a_real_row():
    rows = {(row.method, row.served_path) for row in contract.rows()}
    assert HANDLERS
    assert set(HANDLERS) <= rows


def test_a_second_handler_of_a_row_is_refused():
    with pytest.raises(ValueError, match="two handlers"):
        routing.serves("POST", "/api/v1/userFaceSwapTask/add")(next(iter(HANDLERS.values())).handler)


def test_every_row_with_a_path_is_reached():
    for row in contract.rows():
        if row.served_path:
            match = routing.find_route(row.method, row.served_path.replace("{_id}", "1").replace("{id}", "1"))
            assert match
            assert match.route.row is row
        for other in row.alternatives:
            assert routing.find_route(other.method, other.path)


def test_paths_that_hold_an_id():
    match = routing.find_route("GET", "/api/v1/veoVideo/abc/1080p")
    assert match
    assert match.in_path == {"_id": "abc"}
    assert routing.find_route("GET", "/api/v1/userFaceSwapTask/") is None


def test_the_source_document_is_in_the_contract():
    assert len([row for row in contract.rows() if row.in_seed]) == 66
    assert len(contract.rows()) == 260


async def test_unknown_path_is_an_html_page(call):
    for method, path in [("GET", "/api/v1/nowhere"), ("PUT", "/api/v1/userFaceSwapTask/add"), ("GET", "/x")]:
        reply = await call(method, path)
        assert reply.status == 404
        assert reply.headers["Content-Type"].startswith("text/html")


async def test_row_without_handler_says_so(call):
    served = set(HANDLERS)
    row = next((r for r in contract.rows() if r.served_path and (r.method, r.served_path) not in served), None)
    if row is None:
        pytest.skip("every row has a handler")
    reply = await call(row.method, row.served_path.replace("{_id}", "a" * 24))
    assert reply.status == 501
    assert "does not serve this row yet" in reply.msg


async def test_alternative_methods_reach_the_same_row(call):
    by_post = await call("POST", "/api/v1/anchor/language_list", json={"voice_map_type": "en-US"})
    by_get = await call("GET", "/api/v1/anchor/language_list?lang=en")
    assert by_post.data == by_get.data
    assert by_post.data[0]["children"][0]["value"] == "US"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": None}, "name is required"),
        ({"name": ""}, "name must not be empty"),
        ({"name": 5}, "name must be string"),
        ({"model_version": "v9"}, "model_version must be one of v1, v2"),
    ],
)
async def test_bad_fields_are_named(call, account, change, said):
    reply = await call("POST", "/api/v1/userFaceSwapTask/add", json=call.swap(**change))
    assert (reply.status, reply.msg) == (400, said)
    assert account.coins == 1000


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": b"{"}, 400),
        ({"data": b"[]"}, 400),
        ({"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 400),
        ({"data": BytesIO(b" " * (1 << 20) + b"{}")}, 413),
    ],
)
async def test_bad_bodies(call, options, status):
    options = {"headers": {"Content-Type": "application/json"}, **options}
    reply = await call("POST", "/api/v1/userFaceSwapTask/add", **options)
    assert reply.status == status
    assert reply.msg


async def test_numbers_may_come_as_text(call):
    assert (await call("POST", "/api/v1/user/exchangeDiamonds", json={"diamonds": "2"})).data == {}
    assert (await call("POST", "/api/v1/user/exchangeDiamonds", json={"diamonds": "two"})).status == 400


async def test_unknown_fields_warn(call):
    reply = await call("POST", "/api/v1/userFaceSwapTask/add", json=call.swap(**{"colour\n": "red"}))
    assert reply.data["_id"]
    assert reply.headers["X-A2E-Sandbox-Warning"] == "unknown fields: colour%0A"


async def test_unknown_fields_are_refused_when_strict():
    headers = {"Authorization": "Bearer sk_strict"}
    async with Sandbox(strict=True) as sandbox, aiohttp.ClientSession(sandbox.url, headers=headers) as http:
        body = {"name": "x", "face_url": sandbox.face_url, "video_url": sandbox.video_url, "colour": "red"}
        async with http.post("/api/v1/userFaceSwapTask/add", json=body) as response:
            assert response.status == 400
            assert "colour" in (await response.json())["msg"]
        assert sandbox.account("sk_strict").coins == 1000
