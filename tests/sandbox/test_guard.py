"""No page of another site drives the sandbox through its visitor's browser; what storage allows pages, they may."""

import aiohttp
import pytest

pytestmark = pytest.mark.anyio

QUOTE = "/api/v1/custom_back/randomBackground"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "{own}"}, 200),
        ({"Origin": "{own}", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://localhost:{port}"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "nonsense:"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "{own}"}, 403),
    ],
)
async def test_only_its_own_pages_change_anything(call, account, headers, status):
    place = {"own": call.sandbox.url, "port": call.sandbox.url.rpartition(":")[2]}
    headers = {name: value.format(**place) for name, value in headers.items()}
    for method, path in (("POST", QUOTE), ("POST", "/sandbox/lag"), ("DELETE", "/sandbox/faults")):
        reply = await call(method, path, json={"seconds": 0} if path == "/sandbox/lag" else None, headers=headers)
        assert reply.status == status, path
        assert status == 200 or "another site" in reply.msg
    assert (await call("GET", "/api/v1/user/remainingCoins", headers=headers)).status == 200


async def test_a_page_that_asks_first_is_told_nothing(call):
    asks = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    for path in ("/api/v1/user/remainingCoins", "/sandbox/requests", "/openapi.json", "/"):
        asked, got = await call("OPTIONS", path, headers=asks), await call("GET", path, headers=asks)
        assert not [name for name in (*asked.headers, *got.headers) if name.startswith("Access-Control")], path


async def test_a_page_may_put_and_get_files(call, account):
    body = {"key": "me.jpg", "contentType": "image/jpeg"}
    signed = (await call("POST", "/api/v1/r2/upload-presigned-url", json=body)).data
    page = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
    asks = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
    async with aiohttp.ClientSession(headers=page) as http:
        async with http.options(signed["uploadUrl"], headers=asks) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")
            assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
            assert answer.headers["Access-Control-Allow-Headers"] == "*"
        async with http.put(signed["uploadUrl"], data=b"\xff\xd8\xff", headers={"Content-Type": "image/jpeg"}) as put:
            assert (put.status, put.headers["Access-Control-Allow-Origin"]) == (200, "*")
            assert "ETag" in put.headers
            assert put.headers["Access-Control-Expose-Headers"] == "*"
        await call.start()
        account.advance(100)
        result = (await call.detail(account.tasks[0].id))["result_url"]
        for url in (signed["cdnUrl"], result, call.sandbox.face_url, f"{call.sandbox.url}/cdn/nothing"):
            async with http.get(url) as got:
                assert got.status in {200, 404}
                assert got.headers["Access-Control-Allow-Origin"] == "*"
        forged = signed["uploadUrl"].replace("me.jpg", "you.jpg")
        async with http.put(forged, data=b"x", headers={"Content-Type": "image/jpeg"}) as put:
            assert (put.status, put.headers["Access-Control-Allow-Origin"]) == (403, "*")


async def test_other_names_for_this_machine_are_refused(call):
    for host in ("evil.example", "127.0.0.1.evil.example", "a b", "127.0.0.1:99999", "xn--"):
        assert (await call("GET", "/sandbox/health", headers={"Host": host})).status == 403
