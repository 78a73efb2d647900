"""The life of face-swap tasks and previews, and the lists that show it."""

import aiohttp
import pytest

from a2e_async.sandbox import Sandbox

pytestmark = pytest.mark.anyio

TASKS = "/api/v1/userFaceSwapTask"
STARTED = {
    "name", "video_url", "duration", "face_url", "current_status", "result_url", "error_code",
    "faild_message", "_id", "createdAt", "updatedAt", "coins",
}  # fmt: skip
TIMES = {"initialized_time", "processing_time", "completed_time"}
STRANGER = "0123456789abcdef01234567"


async def test_every_word_in_order(call, account):
    task_id = await call.start()
    [task] = account.tasks
    seen = []
    for at in (task.created, task.sent, task.pending, task.processing, task.ends):
        account.advance((at - account.clock.now()) / 1000)
        record = await call.detail(task_id)
        assert set(record) == STARTED
        seen.append((record["current_status"], record["error_code"], record["faild_message"]))
    assert seen == [(word, "", "") for word in ("initialized", "sent", "pending", "processing")] + [
        ("completed", "0", None)
    ]
    assert record["result_url"].startswith(f"{call.sandbox.url}/results/{task_id}.mp4?")
    assert 20_000 <= task.ends - task.created <= 60_000


async def test_start_answer(call):
    record = (await call("POST", f"{TASKS}/add", json=call.swap())).data
    assert set(record) == STARTED
    assert (record["current_status"], record["result_url"], record["coins"]) == ("initialized", "", 10)
    assert record["duration"] == 4


async def test_failure(call, account):
    task_id = await call.start(name="fail:no face found")
    account.advance(100)
    record = await call.detail(task_id)
    assert (record["current_status"], record["faild_message"]) == ("failed", "no face found")
    assert (record["result_url"], record["error_code"] in {"", "0"}) == ("", False)


async def test_a_picture_costs_less_and_gives_a_picture(call, account):
    task_id = await call.start(video_url=call.sandbox.face_url, model_version="v2")
    account.advance(100)
    record = await call.detail(task_id)
    assert (record["coins"], record["duration"]) == (5, 0)
    assert ".jpg?" in record["result_url"]
    reply = await call("POST", f"{TASKS}/add", json=call.swap(model_version="v2"))
    assert reply.status == 400


async def test_ids_follow_from_seed_account_and_ordinal(call, account):
    for _ in range(2):
        await call.start()
    first, second = account.tasks
    assert int(first.id[:8], 16) == first.created // 1000
    assert first.id[8:] != second.id[8:]
    async with Sandbox(clock="stepped") as again, Sandbox(clock="stepped", seed=1) as other:
        same, different = [await started(sandbox) for sandbox in (again, other)]
    assert (same.id[8:], same.ends - same.created) == (first.id[8:], first.ends - first.created)
    assert different.id[8:] != first.id[8:]


async def started(sandbox):
    headers = {"Authorization": "Bearer sk_test"}
    body = {"name": "x", "face_url": sandbox.face_url, "video_url": sandbox.video_url}
    async with (
        aiohttp.ClientSession(sandbox.url, headers=headers) as http,
        http.post(f"{TASKS}/add", json=body),
    ):
        return sandbox.account("sk_test").tasks[0]


async def test_records(call, account):
    ids = [await call.start(name=f"clip {number}") for number in range(3)]
    page = (await call("GET", f"{TASKS}/records", params={"pageNum": 1, "pageSize": 2})).data
    assert ([row["_id"] for row in page["rows"]], page["count"]) == ([ids[2], ids[1]], 3)
    assert set(page["rows"][0]) == STARTED | {"initialized_time"}
    account.advance(100)
    page = (await call("GET", f"{TASKS}/records", params={"pageNum": 2, "pageSize": 2})).data
    [row] = page["rows"]
    assert (row["_id"], set(row)) == (ids[0], STARTED | TIMES)
    assert row["initialized_time"] < row["processing_time"] < row["completed_time"]


@pytest.mark.parametrize("page", [{"pageNum": 0}, {"pageSize": 0}, {"pageSize": 101}, {"pageSize": "many"}])
async def test_pages_out_of_range(call, page):
    reply = await call("GET", f"{TASKS}/records", params=page)
    assert reply.status == 400
    assert next(iter(page)) in reply.msg


async def test_status_lists_what_runs(call, account):
    assert (await call("GET", f"{TASKS}/status")).data == []
    first, second = await call.start(), await call.start()
    running = (await call("GET", f"{TASKS}/status")).data
    assert [task["_id"] for task in running] == [second, first]
    assert set(running[0]) == {"current_status", "result_url", "error_code", "faild_message", "_id"}
    assert len((await call("GET", f"{TASKS}/status", params={"_id": first})).data) == 1
    account.advance(100)
    assert (await call("GET", f"{TASKS}/status")).data == []


async def test_batch_detail(call):
    ids = [await call.start() for _ in range(2)]
    found = (await call("POST", f"{TASKS}/batchDetail", json={"ids": [*ids, *ids, STRANGER, "junk"]})).data
    assert sorted(row["_id"] for row in found) == sorted(ids)
    assert set(found[0]) == STARTED | {"initialized_time"}
    assert (await call("POST", f"{TASKS}/batchDetail", json={"ids": []})).data == []
    assert (await call("POST", f"{TASKS}/batchDetail", json={"ids": [str(n) for n in range(201)]})).status == 400
    assert (await call("POST", f"{TASKS}/batchDetail", json={"ids": "x"})).status == 400


async def test_detail_of_strange_ids(call):
    assert (await call("GET", f"{TASKS}/nonsense")).status == 400
    assert (await call("GET", f"{TASKS}/{STRANGER}")).status == 404
    task_id = await call.start()
    headers = {"Authorization": "Bearer sk_other"}
    assert (await call("GET", f"{TASKS}/{task_id}", headers=headers)).status == 404
    assert (await call("DELETE", f"{TASKS}/{task_id}", headers=headers)).status == 404


async def test_deleting_before_work_began_is_refunded(call, account):
    task_id = await call.start()
    assert (await call("DELETE", f"{TASKS}/{task_id}")).data == {}
    assert (account.coins, account.tasks) == (1000, [])
    assert (await call("DELETE", f"{TASKS}/{task_id}")).status == 404
    assert account.coins == 1000


async def test_deleting_a_running_task_is_refused(call, account):
    task_id = await call.start()
    [task] = account.tasks
    for at in (task.sent, task.pending, task.processing):
        account.advance((at - account.clock.now()) / 1000)
        assert (await call("DELETE", f"{TASKS}/{task_id}")).status == 400
    assert len(account.tasks) == 1


async def test_deleting_a_finished_task_costs_what_it_cost(call, account):
    task_id = await call.start()
    account.advance(100)
    assert (await call("DELETE", f"{TASKS}/{task_id}")).data == {}
    assert (account.coins, account.tasks) == (990, [])
    assert (await call("GET", f"{TASKS}/{task_id}")).status == 404


async def test_faces(call):
    add = "/api/v1/userFaceSwapImage/add"
    one = (await call("POST", add, json={"face_url": call.sandbox.face_url})).data
    two = (await call("POST", add, json={"face_url": call.sandbox.face_url + "?2"})).data
    assert [len(one), len(two)] == [1, 2]
    assert two[1] == one[0]
    assert set(one[0]) == {"face_url", "_id", "createdAt", "updatedAt"}
    assert (await call("GET", "/api/v1/userFaceSwapImage/records")).data == two
    path = f"/api/v1/userFaceSwapImage/{one[0]['_id']}"
    assert (await call("DELETE", path)).data == {}
    assert (await call("DELETE", path)).status == 404
    assert (await call("DELETE", "/api/v1/userFaceSwapImage/x")).status == 400
    assert (await call("GET", "/api/v1/userFaceSwapImage/records")).data == two[:1]
    assert (await call("POST", add, json={"face_url": call.sandbox.video_url})).status == 400


async def test_preview(call, account):
    status = "/api/v1/userFaceSwapPreview/status"
    assert (await call("GET", status)).status == 404
    body = {"face_url": call.sandbox.face_url, "video_url": call.sandbox.video_url}
    first = (await call("POST", "/api/v1/userFaceSwapPreview/add", json=body)).data
    second = (await call("POST", "/api/v1/userFaceSwapPreview/add", json=body)).data
    assert first["current_status"] == "initialized"
    assert account.coins == 1000
    assert (await call("GET", status)).data["_id"] == second["_id"]
    account.advance(10)
    done = (await call("GET", status, params={"_id": first["_id"]})).data
    assert (done["_id"], done["current_status"], done["error_code"]) == (first["_id"], "completed", "0")
    assert (await call("GET", done["result_url"])).status == 200
    assert (await call("GET", status, params={"_id": STRANGER})).status == 404
