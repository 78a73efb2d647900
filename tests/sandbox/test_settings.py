"""What can be changed under way: prices, and how late lists show new tasks."""

import pytest

pytestmark = pytest.mark.anyio

TASKS = "/api/v1/userFaceSwapTask"


async def quoted(call, path, **body):
    return (await call("POST", "/api/v1/generation/quote", json={"endpoint": path, "requestBody": body})).data["coins"]


async def test_a_price_changes_and_quotes_follow(call, account):
    await call.start()
    account.price("face_swap", 12.5)
    assert await quoted(call, f"{TASKS}/add", **call.swap()) == 12.5
    assert (await call("POST", f"{TASKS}/add", json=call.swap())).data["coins"] == 12.5
    account.price("face_swap", None)
    await call.start()
    assert await quoted(call, f"{TASKS}/add", **call.swap()) == 10
    assert [charge.delta for charge in account.ledger] == [1000, -10, -12.5, -10]


async def test_a_failed_task_gives_back_what_it_cost(call, account):
    account.price("face_swap", 30)
    await call.start(name="fail:x")
    account.price("face_swap", 1)
    account.advance(100)
    assert account.coins == 1000


async def test_prices_over_http(call, account):
    wanted = {"kind": "image_to_video", "coins": 7}
    assert (await call("POST", "/sandbox/prices", json=wanted)).json == wanted
    start = "/api/v1/userImage2Video/start"
    body = {
        "name": "x",
        "image_url": call.sandbox.face_url,
        "prompt": "p",
        "negative_prompt": "n",
        "number_of_images": 3,
    }
    assert await quoted(call, start, **body) == 21
    assert [task["coins"] for task in (await call("POST", start, json=body)).data] == [7, 7, 7]
    assert (await call("POST", "/sandbox/prices", json=wanted | {"coins": None})).status == 200
    assert await quoted(call, start, **body) == 300
    for bad in ({"kind": "gold", "coins": 1}, {"kind": "avatar", "coins": -1}, {"kind": "avatar"}, []):
        assert (await call("POST", "/sandbox/prices", json=bad)).status == 400
    assert account.coins == 979


@pytest.mark.parametrize(
    ("kind", "path", "body"),
    [
        ("face_swap_preview", "/api/v1/userFaceSwapPreview/add", {"face_url": "face", "video_url": "video"}),
        (
            "dubbing",
            "/api/v1/userDubbing/startDubbing",
            {"name": "x", "source_url": "video", "source_lang": "en", "target_lang": "fr"},
        ),
        ("caption_removal", "/api/v1/userCaptionRemoval/start", {"name": "x", "source_url": "video"}),
        ("avatar", "/api/v1/userVideoTwin/startTraining", {"name": "x", "gender": "female", "video_url": "video"}),
    ],
)
async def test_each_kind_has_a_price_that_can_be_changed(call, account, kind, path, body):
    urls = {"face": call.sandbox.face_url, "video": call.sandbox.video_url}
    body = {name: urls.get(value, value) for name, value in body.items()}
    account.price(kind, 33)
    assert await quoted(call, path, **body) == 33
    assert (await call("POST", path, json=body)).status == 200
    assert account.coins == 967


async def test_new_tasks_are_shown_late(call, account):
    older = await call.start()
    account.lag(3)
    record = (await call("POST", f"{TASKS}/add", json=call.swap())).data
    newer = record["_id"]
    assert (record["current_status"], account.coins, len(account.tasks)) == ("initialized", 980, 2)
    assert await shown(call, newer) == [[older]] * 3 + [404]
    account.advance(2.999)
    assert await shown(call, newer) == [[older]] * 3 + [404]
    account.advance(0.001)
    assert await shown(call, newer) == [[newer, older]] * 3 + [200]


async def shown(call, task_id):
    """Return the ids in each of the lists, and the status of a task's detail."""
    page = (await call("GET", f"{TASKS}/records")).data
    running = (await call("GET", f"{TASKS}/status")).data
    batch = (
        await call("POST", f"{TASKS}/batchDetail", json={"ids": [row["_id"] for row in page["rows"]] + [task_id]})
    ).data
    assert page["count"] == len(page["rows"])
    lists = [[row["_id"] for row in rows] for rows in (page["rows"], running, batch)]
    return [*lists, (await call("GET", f"{TASKS}/{task_id}")).status]


async def test_lag_over_http(call):
    assert (await call("POST", "/sandbox/lag", json={"seconds": 60})).json == {"seconds": 60}
    task_id = await call.start()
    assert (await shown(call, task_id))[-1] == 404
    assert (await call("POST", "/sandbox/lag", json={"seconds": 0})).status == 200
    assert (await shown(call, task_id))[-1] == 200
    for bad in ({"seconds": -1}, {"seconds": "long"}, {}):
        assert (await call("POST", "/sandbox/lag", json=bad)).status == 400


async def test_a_voice_in_training_counts_though_no_list_shows_it(call, account):
    account.lag(60)
    sound = "/api/v1/video/send_tts"
    voice = (await call("GET", "/api/v1/anchor/voice_list", params={"country": "en", "region": "US"})).data[0]
    body = {"msg": "hello", "speechRate": 1, "tts_id": voice["children"][0]["value"]}
    url = (await call("POST", sound, json=body)).data
    clone = {"name": "me", "voice_urls": [url], "gender": "female", "model": "a2e"}
    assert (await call("POST", "/api/v1/userVoice/training", json=clone)).status == 200
    assert (await call("GET", "/api/v1/userVoice/trainingRecord")).data == []
    assert (await call("POST", "/api/v1/userVoice/training", json=clone)).status == 403
