"""Dubbing of clips and recordings."""

import io
import wave

import pytest

pytestmark = pytest.mark.anyio

DUB = "/api/v1/userDubbing"
FIELDS = {
    "_id", "name", "source_url", "source_lang", "target_lang", "num_speakers", "drop_background_audio",
    "current_status", "result_url", "failed_message", "failed_code", "coins", "createdAt", "updatedAt",
}  # fmt: skip


def recording(seconds):
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(b"\x80" * 8000 * seconds)
    return held.getvalue()


async def start(call, **fields):
    body = {"name": "talk", "source_url": call.sandbox.video_url, "source_lang": "auto", "target_lang": "fr"}
    return await call("POST", f"{DUB}/startDubbing", json={**body, **fields})


async def test_a_clip(call, account):
    record = (await start(call)).data
    assert set(record) == FIELDS
    assert (record["current_status"], record["result_url"], record["coins"]) == ("initialized", "", 60)
    assert (await call("GET", f"{DUB}/allProcessing")).data == [record]
    account.advance(100)
    done = (await call("GET", f"{DUB}/{record['_id']}")).data
    assert (done["current_status"], done["failed_message"], done["failed_code"]) == ("completed", "", "")
    assert (await call("GET", f"{DUB}/allProcessing")).data == []
    assert (await call("GET", f"{DUB}/allRecords")).data == {"rows": [done], "count": 1}
    result = await call("GET", done["result_url"])
    assert (result.status, result.headers["Content-Type"]) == (200, "video/mp4")
    assert account.coins == 940


async def test_a_recording(call, account, remote):
    remote.files["/talk.wav"] = recording(61)
    record = (await start(call, source_url=f"{remote.url}/talk.wav")).data
    assert record["coins"] == 120
    account.advance(100)
    done = (await call("GET", f"{DUB}/{record['_id']}")).data
    result = await call("GET", done["result_url"])
    assert (result.status, result.headers["Content-Type"]) == (200, "audio/mp4")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"num_speakers": 0}, "num_speakers must be at least 1"),
        ({"target_lang": ""}, "target_lang must not be empty"),
        ({"source_lang": None}, "source_lang is required"),
        ({"source_url": "ftp://x/y"}, "source_url: ftp://x/y is not an http(s) URL"),
    ],
)
async def test_refusals(call, account, fields, said):
    reply = await start(call, **fields)
    assert (reply.status, reply.msg) == (400, said)
    assert account.coins == 1000


async def test_a_picture_is_refused(call):
    reply = await start(call, source_url=call.sandbox.face_url)
    assert reply.status == 400
    assert reply.msg.startswith("source_url: ")
    assert "or a sound" in reply.msg


async def test_failure_moderation_and_removal(call, account):
    id_ = (await start(call, name="fail:no speech")).data["_id"]
    account.advance(100)
    record = (await call("GET", f"{DUB}/{id_}")).data
    assert (record["failed_message"], record["failed_code"] != "") == ("no speech", True)
    assert account.coins == 1000
    assert (await start(call, name="moderation:x")).status == 403
    early = (await start(call)).data["_id"]
    assert (await call("DELETE", f"{DUB}/{early}")).data == {}
    running = (await start(call)).data["_id"]
    account.advance(5)
    assert (await call("DELETE", f"{DUB}/{running}")).status == 400
    assert (await call("DELETE", f"{DUB}/x")).status == 400
    assert account.coins == 940


async def test_pages_have_no_longest(call):
    assert (await call("GET", f"{DUB}/allRecords", params={"pageSize": 1000})).data["rows"] == []
    assert (await call("GET", f"{DUB}/allRecords", params={"pageSize": 0})).status == 400
    assert (await call("POST", f"{DUB}/batchDetail", json={"ids": []})).status == 404


async def test_quote(call):
    quote = {"endpoint": f"POST {DUB}/startDubbing", "requestBody": {"source_url": call.sandbox.video_url}}
    assert (await call("POST", "/api/v1/generation/quote", json=quote)).data["coins"] == 60
