"""Avatars: what they cost in which currency, what training again does, and the lists."""

import pytest

from a2e_async.sandbox.anchors import anchor_of

pytestmark = pytest.mark.anyio

TWIN = "/api/v1/userVideoTwin"
START = f"{TWIN}/startTraining"
COINS = "/api/v1/user/remainingCoins"
STRANGER = "0123456789abcdef01234567"


async def start(call, kind="image", **fields):
    url = call.sandbox.face_url if kind == "image" else call.sandbox.video_url
    body = {"name": "Ada", "gender": "female", f"{kind}_url": url, **fields}
    return await call("POST", START, json=body)


async def detail(call, id_):
    return (await call("GET", f"{TWIN}/{id_}")).data


def lines(account):
    return [(line.delta, line.reason) for line in account.ledger[1:]]


async def test_from_a_video_it_is_free(call, account):
    record = (await start(call, "video")).data
    assert (record["current_status"], record["coins"], record["anchor_id"]) == ("initialized", 0, "")
    assert (record["name"], record["user_video_twin_id"]) == ("Ada", record["_id"])
    account.advance(100)
    done = await detail(call, record["_id"])
    assert (done["current_status"], done["failed_message"]) == ("completed", "")
    assert done["anchor_id"] == anchor_of(record["_id"]) != record["_id"]
    assert set(done) == set(record)
    preview = await call("GET", done["preview_result_url"])
    assert (preview.status, preview.headers["Content-Type"]) == (200, "video/mp4")
    assert account.coins == 1000


async def test_from_a_picture_it_costs_a_diamond_or_its_worth(call, account):
    await call("POST", "/api/v1/user/exchangeDiamonds", json={"diamonds": 1})
    record = (await start(call)).data
    assert record["coins"] == 100
    assert (await call("GET", COINS)).data == {"coins": 900, "diamonds": 0}
    await start(call)
    assert (await call("GET", COINS)).data == {"coins": 800, "diamonds": 0}
    assert lines(account) == [(-100, "exchange"), (100, "diamonds"), (-100, "charge"), (-100, "charge")]
    account.advance(100)
    url = (await detail(call, record["_id"]))["preview_result_url"]
    assert (await call("GET", url)).headers["X-A2E-Sandbox"] == "rendered"


async def test_too_few_coins_take_no_diamond(call, sandbox):
    poor = sandbox.account("sk_poor", coins=99)
    body = {"name": "x", "gender": "male", "image_url": sandbox.face_url}
    reply = await call("POST", START, json=body, headers={"Authorization": "Bearer sk_poor"})
    assert (reply.status, "insufficient" in reply.msg, poor.tasks) == (400, True, [])


@pytest.mark.parametrize("pair", ["none", "both"])
async def test_one_source_exactly(call, pair):
    other = call.sandbox.video_url if pair == "both" else None
    reply = await start(call, "image", video_url=other, **({"image_url": None} if pair == "none" else {}))
    assert reply.status == 400
    assert "video_url, image_url" in reply.msg


async def test_sources_are_looked_at(call):
    for fields, field in (
        ({"image_url": call.sandbox.video_url}, "image_url"),
        ({"video_background_image": call.sandbox.video_url}, "video_background_image"),
        ({"image_url": f"{call.sandbox.url}/nothing here.png"}, "image_url"),
        ({"gender": "other"}, "gender"),
    ):
        reply = await start(call, **fields)
        assert (reply.status, reply.msg.startswith(field)) == (400, True)


@pytest.mark.parametrize("word", ["backgroud", "background"])
async def test_both_spellings_of_the_background(call, word):
    fields = {f"video_{word}_color": "rgb(1,2,3)", f"video_{word}_image": call.sandbox.face_url}
    reply = await start(call, **fields)
    assert "X-A2E-Sandbox-Warning" not in reply.headers
    assert reply.data["video_backgroud_color"] == "rgb(1,2,3)"
    assert reply.data["video_backgroud_image"] == call.sandbox.face_url


async def test_skipped_preview(call, account):
    id_ = (await start(call, skipPreview=True)).data["_id"]
    account.advance(100)
    record = await detail(call, id_)
    assert (record["current_status"], record["preview_result_url"]) == ("completed", "")
    assert "skipPreview" not in record


@pytest.mark.parametrize("word", ["continueTranining", "continueTraining"])
async def test_training_further_is_another_run_of_the_same_record(call, account, word):
    id_ = (await start(call, "video")).data["_id"]
    body = {"_id": id_}
    early = await call("POST", f"{TWIN}/{word}", json=body)
    assert (early.status, early.msg) == (400, "_id: this avatar is initialized, not completed")
    for run in (1, 2):
        account.advance(100)
        again = (await call("POST", f"{TWIN}/{word}", json=body)).data
        assert (again["_id"], again["current_status"], again["anchor_id"]) == (id_, "initialized", "")
        account.advance(5)
        assert (await detail(call, id_))["current_status"] == "processing"
        assert lines(account) == [(-100, "charge")] * run
    account.advance(100)
    assert (await detail(call, id_))["anchor_id"] == anchor_of(id_)
    assert (await call("GET", f"{TWIN}/userRecords")).data == [await detail(call, id_)]


async def test_retry_pays_again_and_succeeds(call, account):
    id_ = (await start(call, name="fail:two faces")).data["_id"]
    account.advance(100)
    failed = await detail(call, id_)
    assert (failed["current_status"], failed["failed_message"]) == ("failed", "two faces")
    assert (await call("POST", f"{TWIN}/continueTranining", json={"_id": id_})).status == 400
    assert (await call("POST", f"{TWIN}/retry", json={"_id": id_})).data["current_status"] == "initialized"
    account.advance(100)
    assert (await detail(call, id_))["current_status"] == "completed"
    assert (await call("POST", f"{TWIN}/retry", json={"_id": id_})).status == 400
    assert (await call("POST", f"{TWIN}/retry", json={})).status == 400
    assert lines(account) == [(-100, "charge"), (100, "refund"), (-100, "charge")]


async def test_a_retry_removed_early_is_refunded_once_more(call, account):
    id_ = (await start(call, name="fail:x")).data["_id"]
    account.advance(100)
    await call("POST", f"{TWIN}/retry", json={"_id": id_})
    assert (await call("POST", f"{TWIN}/remove", json={"_id": id_})).data == {}
    assert lines(account) == [(-100, "charge"), (100, "refund")] * 2
    assert account.coins == 1000


async def test_a_run_that_cannot_be_paid_leaves_the_record_as_it_was(call, sandbox):
    poor, token = sandbox.account("sk_poor", coins=99), {"Authorization": "Bearer sk_poor"}
    body = {"name": "x", "gender": "male", "video_url": sandbox.video_url}
    id_ = (await call("POST", START, json=body, headers=token)).data["_id"]
    poor.advance(100)
    before = (await call("GET", f"{TWIN}/{id_}", headers=token)).data
    assert (await call("POST", f"{TWIN}/continueTraining", json={"_id": id_}, headers=token)).status == 400
    assert (await call("GET", f"{TWIN}/{id_}", headers=token)).data == before
    assert poor.coins == 99


async def test_removal_follows_the_rules_for_tasks(call, account):
    id_ = (await start(call)).data["_id"]
    account.advance(5)
    assert (await call("POST", f"{TWIN}/remove", json={"_id": id_})).status == 400
    account.advance(100)
    assert (await call("POST", f"{TWIN}/remove", json={"_id": id_})).data == {}
    assert (await call("POST", f"{TWIN}/remove", json={"_id": id_})).status == 404
    assert (await call("POST", f"{TWIN}/remove", json={"_id": "x"})).status == 400
    assert account.coins == 900


async def test_lists(call, account):
    first = (await start(call, "video", name="fail:x")).data["_id"]
    account.advance(100)
    second = (await start(call, "video")).data["_id"]
    third = (await start(call, "video")).data["_id"]
    page = (await call("GET", f"{TWIN}/records", params={"pageNum": 2, "pageSize": 2})).data
    assert ([row["_id"] for row in page["rows"]], page["count"]) == ([first], 3)
    for status, ids in (("failed", [first]), ("completed", []), ("pending", [])):
        page = (await call("GET", f"{TWIN}/records", params={"status": status})).data
        assert ([row["_id"] for row in page["rows"]], page["count"]) == (ids, len(ids))
    assert (await call("GET", f"{TWIN}/records", params={"status": "sent"})).status == 400
    assert (await call("GET", f"{TWIN}/records", params={"pageSize": 101})).status == 400
    assert [row["_id"] for row in (await call("GET", f"{TWIN}/userRecords")).data] == [third, second, first]
    assert [row["_id"] for row in (await call("GET", f"{TWIN}/trainingRecords")).data] == [third, second]
    batch = (await call("POST", f"{TWIN}/batchDetail", json={"ids": [first, STRANGER, first]})).data
    assert batch == [await detail(call, first)]
    assert (await call("GET", f"{TWIN}/{STRANGER}")).status == 404


async def test_the_voice_of_a_video(call, account):
    video, picture = (await start(call, "video")).data["_id"], (await start(call)).data["_id"]
    clone = f"{TWIN}/addVoiceClone"
    assert "not finished" in (await call("POST", clone, json={"_id": video})).msg
    account.advance(100)
    assert "picture" in (await call("POST", clone, json={"_id": picture})).msg
    before = account.coins
    made = (await call("POST", clone, json={"_id": video})).data
    voices = (await call("GET", "/api/v1/userVoice/completedRecord")).data
    assert [(voice["_id"], voice["name"]) for voice in voices] == [(made["_id"], "Ada")]
    assert account.coins == before - made["coins"] < before


async def test_moderation_and_quotes(call, account):
    reply = await start(call, name="moderation:a celebrity")
    assert (reply.status, reply.json["code"], reply.msg) == (403, 1003, "a celebrity")
    quoted = []
    for path, body in ((START, {"image_url": "x"}), (START, {}), (f"{TWIN}/continueTranining", {})):
        quote = {"endpoint": f"POST {path}", "requestBody": body}
        quoted.append((await call("POST", "/api/v1/generation/quote", json=quote)).data["coins"])
    assert quoted == [100, 0, 100]
    assert (account.coins, account.tasks) == (1000, [])


async def test_custom_avatars_are_empty(call):
    assert (await call("POST", "/api/v1/custom_avatar/list", json={})).data == []
    assert (await call("GET", "/api/v1/custom_avatar/all_tags")).data == []
    assert (await call("POST", "/api/v1/custom_avatar/add", json={})).status == 501
