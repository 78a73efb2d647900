"""Image to video: one task or several, and longer prompts."""

import json

import pytest

from a2e_async.sandbox.media import duration_seconds

pytestmark = pytest.mark.anyio

VIDEO = "/api/v1/userImage2Video"
START = f"{VIDEO}/start"
DOCUMENTED = {
    "_id", "name", "image_url", "prompt", "negative_prompt", "current_status", "coins", "createdAt",
    "failed_message", "failed_code", "result_url",
}  # fmt: skip


async def start(call, **fields):
    return await call("POST", START, json={"image_url": call.sandbox.face_url, **fields})


async def test_one(call, account, tmp_path):
    record = (await start(call, video_time=10, prompt="waves")).data
    assert set(record) >= DOCUMENTED
    assert (record["coins"], record["prompt"], record["model_version"]) == (200, "waves", "a2e")
    account.advance(100)
    done = (await call("GET", f"{VIDEO}/{record['_id']}")).data
    result = await call("GET", done["result_url"])
    assert result.headers["Content-Type"] == "video/mp4"
    (tmp_path / "out.mp4").write_bytes(result.body)
    if result.headers["X-A2E-Sandbox"] == "rendered":
        assert duration_seconds(tmp_path / "out.mp4") == pytest.approx(10, abs=0.1)
    assert (await call("GET", f"{VIDEO}/allRecords")).data == {"rows": [done], "count": 1}
    assert (await call("POST", f"{VIDEO}/batchDetail", json={"ids": [done["_id"]]})).data == [done]


async def test_several_are_an_array_and_paid_all_or_none(call, sandbox):
    some = sandbox.account("sk_some", coins=350)
    headers = {"Authorization": "Bearer sk_some"}
    body = {"image_url": sandbox.face_url, "number_of_images": 4}
    assert (await call("POST", START, json=body, headers=headers)).status == 400
    assert (some.coins, some.tasks) == (350, [])
    tasks = (await call("POST", START, json={**body, "number_of_images": 3}, headers=headers)).data
    assert [task["coins"] for task in tasks] == [100, 100, 100]
    assert len({task["_id"] for task in tasks}) == 3
    assert some.coins == 50


@pytest.mark.parametrize("name", ["negative_prompt", "negative_prmpt"])
async def test_both_spellings_of_the_negative_prompt(call, name):
    reply = await start(call, **{name: "blur"})
    assert reply.data["negative_prompt"] == "blur"
    assert "X-A2E-Sandbox-Warning" not in reply.headers


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"number_of_images": 0}, "number_of_images must be within 1..8"),
        ({"number_of_images": 9}, "number_of_images must be within 1..8"),
        ({"video_time": 7}, "video_time must be one of 5, 10, 15, 20"),
        ({"model_type": "FLF2V"}, "end_image_url is required when model_type is FLF2V"),
        ({"model_type": "FLF2V", "end_image_url": "no"}, "end_image_url: no is not an http(s) URL"),
        ({"image_url": None}, "image_url is required"),
    ],
)
async def test_refusals(call, account, fields, said):
    reply = await start(call, **fields)
    assert (reply.status, reply.msg) == (400, said)
    assert (account.coins, account.tasks) == (1000, [])


async def test_between_two_pictures(call):
    record = (await start(call, model_type="FLF2V", end_image_url=call.sandbox.face_url)).data
    assert (record["model_type"], record["end_image_url"]) == ("FLF2V", call.sandbox.face_url)


async def test_failure_moderation_and_removal(call, account):
    tasks = (await start(call, name="fail:too dark", number_of_images=2)).data
    account.advance(100)
    record = (await call("GET", f"{VIDEO}/{tasks[1]['_id']}")).data
    assert (record["current_status"], record["failed_message"]) == ("failed", "too dark")
    assert account.coins == 1000
    assert (await start(call, name="moderation:x")).json["code"] == 1003
    id_ = (await start(call)).data["_id"]
    account.advance(5)
    assert (await call("DELETE", f"{VIDEO}/{id_}")).status == 400
    account.advance(100)
    assert (await call("DELETE", f"{VIDEO}/{id_}")).data == {}
    assert account.coins == 900


async def test_quote(call):
    body = {"image_url": call.sandbox.face_url, "video_time": 20, "number_of_images": 2}
    quote = {"endpoint": START, "requestBody": body}
    assert (await call("POST", "/api/v1/generation/quote", json=quote)).data["coins"] == 800


async def test_book_keeping(call):
    id_ = (await start(call)).data["_id"]
    for word in ("markShared", "markDownloaded", "markCopied"):
        assert (await call("POST", f"{VIDEO}/{id_}/{word}")).data == {}
        assert (await call("POST", f"{VIDEO}/{'f' * 24}/{word}")).status == 404
    assert (await call("GET", f"{VIDEO}/avgProcessingTime")).data["avgProcessingTime"] > 0
    assert (await call("GET", f"{VIDEO}/unlimitedQueueLevel")).data == {"level": 0}


async def extend(call, word="prompt_extension", **fields):
    body = {
        "reference_id": "r",
        "image_url": call.sandbox.face_url,
        "prompt": "a boat",
        "negative_prompt": "",
    }
    return await call("POST", f"{VIDEO}/{word}", json={**body, **fields})


async def test_a_longer_prompt(call):
    prompt = (await extend(call)).data["prompt"]
    assert prompt.startswith("a boat [SANDBOX")
    assert (await extend(call, max_length=10)).data["prompt"] == prompt[:10]
    assert (await extend(call, max_length=0)).status == 400
    assert (await extend(call, "flf2v_prompt_extension")).msg == "end_image_url is required"
    other = call.sandbox.video_url
    assert (await extend(call, "flf2v_prompt_extension", end_image_url=other)).status == 400
    assert (await extend(call, image_url=other)).msg.startswith("image_url: ")


async def test_a_longer_prompt_bit_by_bit(call):
    reply = await extend(call, "flf2v_prompt_extension", end_image_url=call.sandbox.face_url, stream=True)
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    events = [
        (name.removeprefix("event: "), json.loads(data.removeprefix("data: ")))
        for name, data in (event.split("\n") for event in reply.body.decode().strip().split("\n\n"))
    ]
    told = "".join(data["text"] for name, data in events if name == "delta")
    assert events[-2:] == [("result", {"prompt": told, "negative_prompt": ""}), ("done", {})]
    assert told == (await extend(call)).data["prompt"]
