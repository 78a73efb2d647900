"""Whatever a body or a header holds, it is refused in words: no 500, and nothing that later answers choke on."""

import gzip
import json
import zlib

import anyio
import pytest
from yarl import URL

from a2e_async.sandbox.bodies import Hider, deeper_than

pytestmark = pytest.mark.anyio

ADD = "/api/v1/userFaceSwapTask/add"
JSON = {"Content-Type": "application/json"}
OWN = ("/sandbox/clock", "/sandbox/faults", "/sandbox/prices", "/sandbox/lag")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"name":"x","a":' + b"[" * 101 + b"]" * 101 + b"}", "nested"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested"),
        (b"[" * 1_000_000, "nested"),
        (b'{"name":"\xff"}', "UTF-8"),
    ],
)
@pytest.mark.parametrize("path", [ADD, "/api/v1/generation/quote", *OWN])
async def test_a_body_that_cannot_be_read(call, path, body, said):
    reply = await call("POST", path, data=body, headers=JSON)
    assert (reply.status, said in reply.msg) == (400, True)
    assert (await call("GET", "/sandbox/requests")).status == 200


@pytest.mark.parametrize(
    ("text", "depth", "deeper"),
    [
        (b"{}" * 1000, 1, False),
        (b'{"a":[[1]]}', 2, True),
        (b'{"a":[[1]]}', 3, False),
        (b'["[[[", "\\"[[[", "\\\\", "["]', 1, False),
        (b'["[[[", [[', 2, True),
        (b'"' * 1001, 0, False),
    ],
)
def test_brackets_within_texts_do_not_count(text, depth, deeper):
    assert deeper_than(depth, text) is deeper


@pytest.mark.parametrize("body", [b"no gzip", gzip.compress(b"{}", mtime=0)[:-9], b""])
async def test_a_body_that_is_not_compressed_as_it_says(call, body):
    reply = await call("POST", ADD, data=body, headers={**JSON, "Content-Encoding": "gzip"})
    assert reply.status == 400


@pytest.mark.parametrize(("encoding", "squeeze"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_body_that_swells(call, encoding, squeeze):
    body = squeeze(b" " * 50_000_000)
    reply = await call("POST", ADD, data=body, headers={**JSON, "Content-Encoding": encoding})
    assert reply.status in {413, 400}  # aiohttp 3.13 takes it for damaged


async def test_headers_that_are_no_text(call, account):
    url = URL(call.sandbox.url)
    for line in (b"Authorization: Bearer sk_\xff", b"x-lang: \xff", b"Content-Type: text/\xff"):
        async with await anyio.connect_tcp(url.host or "", url.port or 0) as stream:
            await stream.send(b"GET /api/v1/user/remainingCoins HTTP/1.1\r\nHost: 127.0.0.1\r\n" + line + b"\r\n\r\n")
            assert b" 400 " in (await stream.receive()).partition(b"\r\n")[0]


@pytest.mark.parametrize(
    ("path", "fields", "said"),
    [
        ("user/exchangeDiamonds", {"diamonds": 10**400}, "diamonds must be integer"),
        ("user/exchangeDiamonds", {"diamonds": 2**53 - 1}, "insufficient"),
        (
            "streaming-avatar/agora-token",
            {"avatar_id": "{avatar}", "expire_seconds": 2**53 - 1},
            "expire_seconds must be",
        ),
        ("r2/upload-presigned-url", {"key": "k", "fileSize": "inf"}, "fileSize must be number"),
        ("r2/upload-presigned-url", {"key": "k", "contentLength": "nan"}, "contentLength must be number"),
    ],
)
async def test_numbers_beyond_all_sense(call, path, fields, said):
    avatar = (await call("GET", "/api/v1/streaming-avatar/all_avatars")).data[0]["_id"]
    fields = {name: avatar if value == "{avatar}" else value for name, value in fields.items()}
    reply = await call("POST", f"/api/v1/{path}", data=json.dumps(fields), headers=JSON)
    assert (reply.status, said in reply.msg) == (400, True)


@pytest.mark.parametrize(
    ("endpoint", "body", "answer"),
    [
        ("userImage2Video/start", {"number_of_images": -1}, "number_of_images must be within 1..8"),
        ("userImage2Video/start", {"video_time": "long"}, 100),
        ("userVoice/training", {"model": "none"}, 20),
        ("userVoice/training", {}, 20),
        ("video/send_tts", {"msg": 5}, "msg must have"),
        ("video/send_tts", {"msg": "hello", "speechRate": "fast"}, "give either"),
    ],
)
async def test_quotes_read_what_can_be_read(call, endpoint, body, answer):
    wanted = {"endpoint": f"/api/v1/{endpoint}", "requestBody": body}
    reply = await call("POST", "/api/v1/generation/quote", json=wanted)
    if reply.status == 200:
        assert reply.data == {"coins": answer, "generationRequestValidated": False}
    else:
        assert (reply.status, reply.msg.startswith(answer)) == (400, True)


async def test_pages_beyond_all_records_are_empty(call):
    for path in ("video/awsList?current={n}&pageSize={n}", "userDubbing/allRecords?pageNum={n}&pageSize={n}"):
        assert (await call("GET", f"/api/v1/{path.format(n=2**53 - 1)}")).status == 200
        assert (await call("GET", f"/api/v1/{path.format(n=2**64)}")).status == 400


async def test_a_lag_beyond_all_time(call):
    assert (await call("POST", "/sandbox/lag", json={"seconds": 1e300})).status == 400
    assert (await call("GET", "/api/v1/userFaceSwapTask/status")).status == 200


async def test_a_warning_fits_into_a_header(call):
    reply = await call("POST", ADD, json=call.swap(**{f"field{at}": 1 for at in range(5000)}))
    assert reply.data["_id"]
    assert reply.headers["X-A2E-Sandbox-Warning"].startswith("unknown fields: field0, field1")


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("/a%2Fb?x=%26", "/a%2Fb?x=%26"),
        ("/sk_mine?x=sk_mine", "/***?x=***"),
        ("/a?x=%73k_mine%26", "/a?x=***&"),
    ],
)
def test_no_spelling_of_the_token_is_kept(target, kept):
    assert Hider("sk_mine").target(target) == kept
