"""Avatar videos, the avatars in them, and what lies around them."""

import sys
import wave
from io import BytesIO

import av
import pytest

from a2e_async.sandbox.account import Draft
from a2e_async.sandbox.anchors import anchor_of

pytestmark = pytest.mark.anyio

GENERATE, RESULT, LIST = "/api/v1/video/generate", "/api/v1/video/awsResult", "/api/v1/video/awsList"
CHARACTERS = "/api/v1/anchor/character_list"
STRANGER = "0123456789abcdef01234567"
SEVENTEEN = {
    "_id", "msg", "result", "process", "status", "anchor_type", "anchor_id", "web_bg_width", "web_bg_height",
    "color", "result_people_url", "result_bg_url", "replace_bg_id", "custom_backs_id", "createdAt", "diff_s",
    "current_date",
}  # fmt: skip


def wav(seconds):
    held = BytesIO()
    with wave.open(held, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(2 * 8000 * seconds))
    return held.getvalue()


@pytest.fixture
def sound(remote):
    remote.files["/words.wav"] = wav(3)
    return f"{remote.url}/words.wav"


async def avatars(call, **query):
    return (await call("GET", CHARACTERS, params=query)).data


async def wish(call, sound, **fields):
    anchor = (await avatars(call, type="public"))[0]["_id"]
    return {"anchor_id": anchor, "anchor_type": 0, "audioSrc": sound, "title": "hello", **fields}


async def generate(call, sound, **fields):
    return await call("POST", GENERATE, json=await wish(call, sound, **fields))


async def result(call, video):
    [row] = (await call("POST", RESULT, json={"_id": video})).data
    return row


async def a_twin(call, account, name="me", source="image_url"):
    url = call.sandbox.face_url if source == "image_url" else call.sandbox.video_url
    body = {"name": name, "gender": "female", source: url}
    started = (await call("POST", "/api/v1/userVideoTwin/startTraining", json=body)).data
    account.advance(100)
    return started["_id"]


async def test_every_word_in_order(call, account, sound):
    for first in ("start", "init"):
        started = (await generate(call, sound)).data
        task = account.tasks[-1]
        assert started == {"_id": task.id, "status": first}
        late = task.processing + (task.ends - task.processing) * 95 // 100
        seen = []
        for at in (task.created, task.sent, task.pending, task.processing, late, task.ends):
            account.advance((at - account.clock.now()) / 1000)
            row = await result(call, task.id)
            seen.append((row["status"], row["process"]))
            assert set(row) - {"end_success_date"} == SEVENTEEN
        assert [word for word, _ in seen] == [first, "start", "pending", "process", "copy", "success"]
        assert [count for _, count in seen][:4] == [0, 0, 0, 0]
        assert seen[4][1] in {94, 95}
        assert seen[5][1] == 100
        assert (row["anchor_type"], row["diff_s"]) == ("0", (task.ends - task.created) // 1000)
        assert row["end_success_date"] <= row["current_date"]


async def test_the_result_is_a_marked_video_with_the_sound(call, account, sound, tmp_path):
    video = (await generate(call, sound)).data["_id"]
    account.advance(100)
    row = await result(call, video)
    reply = await call("GET", row["result"])
    assert (reply.status, reply.headers["Content-Type"]) == (200, "video/mp4")
    (tmp_path / "out.mp4").write_bytes(reply.body)
    with av.open(str(tmp_path / "out.mp4")) as clip:
        assert "SANDBOX" in clip.metadata["comment"]
        assert clip.duration / 1_000_000 == pytest.approx(3, abs=0.2)
        assert sum(frame.samples for frame in clip.decode(audio=0)) >= 2.9 * 48_000


async def test_without_the_media_extra_the_picture_passes_through(call, account, sound, monkeypatch):
    video = (await generate(call, sound)).data["_id"]
    account.advance(100)
    monkeypatch.setitem(sys.modules, "av", None)
    reply = await call("GET", (await result(call, video))["result"])
    assert (reply.headers["X-A2E-Sandbox"], reply.headers["Content-Type"]) == ("passthrough", "image/jpeg")


async def test_newer_detail_is_one_object(call, account, sound):
    video = (await generate(call, sound, msg="note", resolution=720)).data["_id"]
    row = (await call("GET", "/api/v1/video/detail", params={"video_id": video})).data
    assert (row["_id"], row["msg"]) == (video, "note")
    assert (await call("GET", "/api/v1/video/detail", params={"video_id": STRANGER})).status == 404
    assert (await call("GET", "/api/v1/video/detail", params={"video_id": "x"})).status == 400
    assert (await call("POST", RESULT, json={"_id": STRANGER})).status == 404


async def test_a_failure_is_refunded_once(call, account, sound):
    video = (await generate(call, sound, title="fail:no lips")).data["_id"]
    assert account.coins == 990
    account.advance(100)
    for _ in range(2):
        row = await result(call, video)
        assert (row["status"], row["error"], row["result"], row["process"]) == ("fail", "no lips", "", 0)
    assert [charge.delta for charge in account.ledger] == [1000, -10, 10]


async def test_custom_voice_stands_in_for_the_sound(call, sound):
    body = await wish(call, sound, custom_voice=sound)
    del body["audioSrc"]
    assert (await call("POST", GENERATE, json=body)).data["_id"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"anchor_id": None}, "anchor_id is required"),
        ({"anchor_type": None}, "anchor_type is required"),
        ({"anchor_type": 2}, "anchor_type must be one of 0, 1"),
        ({"anchor_type": 1}, "anchor_id: no such avatar of yours; character_list shows them"),
        ({"anchor_id": STRANGER}, "anchor_id: no such public avatar; character_list shows them"),
        ({"anchor_id": "x"}, "anchor_id must be 24 hex digits"),
        ({"audioSrc": None}, "audioSrc is required, or custom_voice"),
        ({"title": "x" * 41}, "title must have at most 40 characters"),
        ({"back_id": STRANGER}, "back_id: no such background"),
        ({"custom_back_id": STRANGER}, "custom_back_id: no such background of yours"),
        ({"color": "rgb(1,2,3)"}, "web_bg_width must be at least 1 where there is a background"),
    ],
)
async def test_videos_that_cannot_be(call, account, sound, fields, said):
    reply = await generate(call, sound, **fields)
    assert (reply.status, reply.msg) == (400, said)
    assert (account.coins, account.tasks) == (1000, [])


async def test_only_sound_is_spoken(call, account, remote):
    for url, said in [(call.sandbox.face_url, "is not a sound"), (f"{remote.url}/none.wav", "HTTP 404")]:
        reply = await generate(call, url)
        assert reply.status == 400
        assert reply.msg.startswith("audioSrc: ")
        assert said in reply.msg
    assert account.tasks == []


async def test_backgrounds(call, sound):
    add = {"img_url": call.sandbox.face_url}
    own = (await call("POST", "/api/v1/custom_back/add", json=add)).data["_id"]
    system = (await call("POST", "/api/v1/custom_back/randomBackground")).data["_id"]
    both = await generate(call, sound, back_id=system, custom_back_id=own)
    assert (both.status, both.json["code"]) == (400, 30005)
    sizes = dict.fromkeys(("web_bg_width", "web_bg_height", "web_people_width", "web_people_height"), 600)
    one = await result(call, (await generate(call, sound, back_id=system, **sizes)).data["_id"])
    assert (one["replace_bg_id"], one["custom_backs_id"], one["web_bg_width"]) == (system, None, 600)
    two = await result(call, (await generate(call, sound, custom_back_id=own, **sizes)).data["_id"])
    assert (two["replace_bg_id"], two["custom_backs_id"]) == ("", own)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_list_mixes_clips_in(call, account, sound, method):
    place = "params" if method == "GET" else "json"
    video = (await generate(call, sound)).data["_id"]
    draft = Draft(noun="userImage2Video", coins=0, span=(5, 6), fields={"name": "clip"}, inputs=(), suffix="mp4")
    clip = account.start(draft).id
    await call.start()
    account.advance(10)
    listed = (await call(method, LIST)).data
    assert ([row["_id"] for row in listed["data"]], listed["total"]) == ([clip, video], 2)
    assert [row["title"] for row in listed["data"]] == ["clip", "hello"]
    assert [row["status"] for row in listed["data"]] == ["success", "process"]
    assert f"/results/{clip}.mp4?" in listed["data"][0]["result"]
    page = (await call(method, LIST, **{place: {"current": 2, "pageSize": 1}})).data
    assert [row["_id"] for row in page["data"]] == [video]
    assert (await call(method, LIST, **{place: {"current": 0}})).msg == "current must be at least 1"


async def test_deleting(call, account, sound):
    video = (await generate(call, sound)).data["_id"]
    assert (await call("DELETE", f"/api/v1/video/{video}")).data == {}
    assert account.coins == 1000
    video = (await generate(call, sound)).data["_id"]
    account.advance(5)
    assert (await call("DELETE", f"/api/v1/video/{video}")).status == 400
    account.advance(100)
    assert (await call("DELETE", f"/api/v1/video/{video}")).data == {}
    assert account.coins == 990
    assert (await call("DELETE", f"/api/v1/video/{video}")).status == 404


async def test_avatars(call, account):
    public = await avatars(call)
    assert len(public) == 10
    assert {"_id", "name", "lang", "video_cover", "anchor_type", "background_img", "background_color"} == set(public[0])
    assert (await call("GET", public[0]["video_cover"])).headers["Content-Type"] == "image/jpeg"
    await a_twin(call, account, "fail:no face")
    twin, other = await a_twin(call, account), await a_twin(call, account)
    assert [row["_id"] for row in await avatars(call, type="custom")] == [anchor_of(other), anchor_of(twin)]
    [own] = await avatars(call, user_video_twin_id=twin, type="custom")
    assert (own["_id"], own["user_video_twin_id"], own["anchor_type"]) == (anchor_of(twin), twin, 1)
    assert own["_id"] != twin
    assert await avatars(call, user_video_twin_id=STRANGER) == []
    assert await avatars(call, type="default") == await avatars(call, type="public") == public
    assert len(await avatars(call)) == 12
    assert (await call("POST", CHARACTERS, json={"type": "custom"})).data == await avatars(call, type="custom")
    assert (await call("GET", CHARACTERS, params={"user_video_twin_id": "x"})).status == 400
    assert (await call("GET", CHARACTERS, params={"type": "x"})).status == 400
    newer = (await call("POST", "/api/v1/anchor/list", json={})).data
    assert newer == await avatars(call, type="custom")
    assert len((await call("POST", "/api/v1/anchor/list", json={"web_type": "a2e"})).data) == 12


@pytest.mark.parametrize("source", ["image_url", "video_url"])
async def test_an_avatar_of_ones_own_speaks(call, account, sound, source):
    anchor = anchor_of(await a_twin(call, account, source=source))
    video = (await generate(call, sound, anchor_id=anchor, anchor_type=1)).data["_id"]
    assert (await result(call, video))["anchor_type"] == "1"
    account.advance(100)
    reply = await call("GET", (await result(call, video))["result"])
    assert (reply.status, reply.headers["X-A2E-Sandbox"]) == (200, "rendered")
    stranger = {"headers": {"Authorization": "Bearer sk_other"}}
    body = await wish(call, sound, anchor_id=anchor, anchor_type=1)
    assert (await call("POST", GENERATE, json=body, **stranger)).status == 400


async def test_lip_sync_models_come_from_further_training(call, account):
    twin, other = await a_twin(call, account), await a_twin(call, account)
    path = "/api/v1/userVideoTwin/allCustomLipsync"
    assert (await call("GET", path)).data == []
    assert (await call("POST", "/api/v1/userVideoTwin/continueTranining", json={"_id": twin})).data
    assert (await call("GET", path)).data == []
    account.advance(100)
    [model] = (await call("GET", path)).data
    assert (model["user_video_twin_id"], model["name"]) == (twin, "me")
    assert model["_id"] not in {twin, other}


async def test_a_voice_taken_from_an_avatar_speaks(call, account):
    twin = await a_twin(call, account, source="video_url")
    voice = (await call("POST", "/api/v1/userVideoTwin/addVoiceClone", json={"_id": twin})).data["_id"]
    assert [row["_id"] for row in (await call("GET", "/api/v1/userVoice/completedRecord")).data] == [voice]
    speech = {"msg": "hello", "user_voice_id": voice}
    assert (await call("POST", "/api/v1/video/send_tts", json=speech)).data.endswith(".wav")
    [own] = await avatars(call, type="custom")
    assert (own["name"], own["video_cover"]) == ("me", call.sandbox.video_url)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Hello there", "en"),
        ("你好世界 ok", "zh"),
        ("東京は大きい", "ja"),
        ("안녕하세요", "ko"),
        ("Привет, мир", "ru"),
        ("مرحبا", "ar"),
        ("12 + 3", "en"),
    ],
)
async def test_languages(call, text, code):
    assert (await call("POST", "/api/v1/video/lang_classify", json={"msg": text})).data == code


async def test_public_pool(call):
    path = "/api/v1/video/auto-public-pool"
    for on in (True, False):
        assert (await call("POST", path, json={"isAutoToPublicPool": on})).data == {"isAutoToPublicPool": on}
    assert (await call("POST", path, json={})).msg == "isAutoToPublicPool is required"


async def test_quote_follows_the_length(call, account, remote, sound):
    remote.files["/long.wav"] = wav(11)
    body = await wish(call, f"{remote.url}/long.wav")
    ask = {"endpoint": GENERATE, "requestBody": body}
    assert (await call("POST", "/api/v1/generation/quote", json=ask)).data["coins"] == 20
    assert (await call("POST", GENERATE, json=body)).data
    assert account.coins == 980
