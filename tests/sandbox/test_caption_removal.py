"""Caption removal and its second try."""

import pytest

pytestmark = pytest.mark.anyio

REMOVAL = "/api/v1/userCaptionRemoval"


async def start(call, **fields):
    body = {"name": "clip", "source_url": call.sandbox.video_url, **fields}
    return await call("POST", f"{REMOVAL}/start", json=body)


async def test_a_clip(call, account):
    record = (await start(call)).data
    assert (record["current_status"], record["coins"]) == ("initialized", 10)
    assert (await call("GET", f"{REMOVAL}/allProcessing")).data == [record]
    account.advance(100)
    done = (await call("GET", f"{REMOVAL}/{record['_id']}")).data
    assert set(done) == set(record)
    assert (await call("GET", f"{REMOVAL}/allRecords", params={"pageSize": 500})).data["rows"] == [done]
    assert (await call("POST", f"{REMOVAL}/batchDetail", json={"ids": [done["_id"]]})).data == [done]
    assert (await call("GET", done["result_url"])).headers["Content-Type"] == "video/mp4"


async def test_a_second_try(call, account):
    id_ = (await start(call, name="fail:no captions")).data["_id"]
    early = await call("POST", f"{REMOVAL}/retry", json={"_id": id_})
    assert (early.status, early.msg) == (400, "_id: this task is initialized, not failed")
    account.advance(100)
    again = (await call("POST", f"{REMOVAL}/retry", json={"_id": id_})).data
    assert (again["_id"], again["current_status"]) == (id_, "initialized")
    account.advance(100)
    assert (await call("GET", f"{REMOVAL}/{id_}")).data["current_status"] == "completed"
    assert [line.delta for line in account.ledger[1:]] == [-10, 10, -10]
    assert (await call("POST", f"{REMOVAL}/retry", json={"_id": "f" * 24})).status == 404


async def test_refusals_and_quote(call, account):
    assert (await start(call, source_url=call.sandbox.face_url)).msg.startswith("source_url: ")
    assert (await start(call, name="moderation:x")).json["code"] == 1003
    assert (await start(call, name=None)).msg == "name is required"
    quote = {"endpoint": f"{REMOVAL}/start", "requestBody": {"source_url": call.sandbox.video_url}}
    assert (await call("POST", "/api/v1/generation/quote", json=quote)).data["coins"] == 10
    assert (account.coins, account.tasks) == (1000, [])


async def test_removal(call, account):
    id_ = (await start(call)).data["_id"]
    assert (await call("DELETE", f"{REMOVAL}/{id_}")).data == {}
    assert (await call("DELETE", f"{REMOVAL}/{id_}")).status == 404
    assert account.coins == 1000
