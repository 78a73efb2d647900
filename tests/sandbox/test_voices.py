"""Public voices, clones and speech."""

import wave
from io import BytesIO

import pytest

pytestmark = pytest.mark.anyio

TRAINING, TTS = "/api/v1/userVoice/training", "/api/v1/video/send_tts"
VOICES, TRAINED = "/api/v1/userVoice", "/api/v1/userVoice/completedRecord"
STRANGER = "0123456789abcdef01234567"
ROW = {
    "_id", "name", "voice_urls", "gender", "model", "lang", "language", "current_status", "speaker_id",
    "coins", "denoise", "enhance_voice_similarity", "ttsRate", "hasRefundCoin", "user_id", "createdAt",
    "updatedAt",
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_engine(monkeypatch, tmp_path):
    """Let all speech be tones, whose length is known."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.fixture
def sample(remote):
    held = BytesIO()
    with wave.open(held, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16_000))
    remote.files["/voice.wav"] = held.getvalue()
    return f"{remote.url}/voice.wav"


async def train(call, sample, **fields):
    return await call("POST", TRAINING, json={"name": "me", "voice_urls": [sample], **fields})


async def a_voice(call, account, sample, **fields):
    started = (await train(call, sample, **fields)).data
    account.advance(100)
    return started["_id"]


async def public(call):
    return (await call("GET", "/api/v1/anchor/voice_list")).data


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_public_voices(call, method):
    place = "params" if method == "GET" else "json"
    groups = (await call(method, "/api/v1/anchor/voice_list")).data
    assert [group["value"] for group in groups] == ["female", "male"]
    assert [len(group["children"]) for group in groups] == [12, 12]
    voice = groups[0]["children"][0]
    assert set(voice) == {"value", "label", "ttsRate", "language"}
    assert (len(voice["value"]), voice["language"]) == (24, "en-US")
    chinese = {place: {"country": "zh", "region": "CN"}}
    other = (await call(method, "/api/v1/anchor/voice_list", **chinese)).data
    assert other[1]["children"][0]["language"] == "zh-CN"
    assert other[0]["children"][0]["value"] != voice["value"]
    nowhere = (await call(method, "/api/v1/anchor/voice_list", **{place: {"country": "xx"}})).data
    assert [group["children"] for group in nowhere] == [[], []]


async def test_presets(call):
    presets = (await call("POST", "/api/v1/anchor/tts_list", json={})).data
    assert len(presets) == len({voice["value"] for voice in presets}) == 192
    assert presets[0]["gender"] == "female"


async def test_the_life_of_a_clone(call, account, sample):
    started = (await train(call, sample, language="de-DE", denoise=True)).data
    assert set(started) == ROW
    assert (started["lang"], started["denoise"], started["gender"]) == ("de", True, "female")
    [task] = account.tasks
    seen = []
    for at in (task.created, task.sent, task.pending, task.processing, task.ends):
        account.advance((at - account.clock.now()) / 1000)
        row = (await call("GET", f"{VOICES}/{task.id}")).data
        seen.append(row["current_status"])
        done = (await call("GET", TRAINED)).data
        assert done == ([row] if row["current_status"] == "completed" else [])
        assert (await call("GET", f"{VOICES}/trainingRecord")).data == [row]
    assert seen == ["sent", "sent", "pendding", "processing", "completed"]
    assert row["speaker_id"] == f"a2e-voice-{task.id}"
    assert account.coins == 980


async def test_the_language_comes_from_the_header(call, sample):
    headers = {"x-lang": "fr-FR"}
    body = {"name": "me", "voice_urls": [sample]}
    row = (await call("POST", TRAINING, json=body, headers=headers)).data
    assert (row["language"], row["lang"]) == ("fr-FR", "fr")


async def test_one_training_at_a_time(call, account, sample):
    await train(call, sample)
    refused = await train(call, sample)
    assert (refused.status, refused.json["code"]) == (403, 1001)
    assert "in training" in refused.msg
    other = {"Authorization": "Bearer sk_other"}
    assert (await call("POST", TRAINING, json={"name": "x", "voice_urls": [sample]}, headers=other)).data
    account.advance(100)
    assert (await train(call, sample, model="elevenlabs")).data["coins"] == 100
    assert account.coins == 880


async def test_a_failed_training_is_refunded_once(call, account, sample):
    voice = await a_voice(call, account, sample, name="fail:too noisy")
    for _ in range(2):
        row = (await call("GET", f"{VOICES}/{voice}")).data
        assert (row["current_status"], row["hasRefundCoin"]) == ("failed", True)
    assert (await call("GET", TRAINED)).data == []
    assert [charge.delta for charge in account.ledger] == [1000, -20, 20]
    assert (await call("DELETE", f"{VOICES}/{voice}")).data == {}
    assert account.coins == 1000


async def test_samples_are_looked_at(call, account, sample, remote):
    for urls, said in [
        ([], "voice_urls must hold at least one URL"),
        ([sample, f"{remote.url}/gone.wav"], "voice_urls[1]: "),
        ([call.sandbox.video_url], "is not a sound (WAV, MP3, M4A, OGG, FLAC)"),
        ("x", "voice_urls must be array[string]"),
    ]:
        reply = await call("POST", TRAINING, json={"name": "me", "voice_urls": urls})
        assert reply.status == 400
        assert said in reply.msg
    assert (await train(call, sample, name="moderation:not you")).json["code"] == 1003
    assert account.tasks == []


async def test_rename_and_delete(call, account, sample):
    voice = await a_voice(call, account, sample)
    assert (await call("PUT", f"{VOICES}/{voice}", json={"name": "I"})).data == {}
    assert (await call("GET", f"{VOICES}/{voice}")).data["name"] == "I"
    assert (await call("PUT", f"{VOICES}/{voice}", json={})).msg == "name is required"
    assert (await call("PUT", f"{VOICES}/{STRANGER}", json={"name": "I"})).status == 404
    assert (await call("DELETE", f"{VOICES}/{voice}")).data == {}
    assert (await call("DELETE", f"{VOICES}/{voice}")).status == 404
    assert (await call("GET", f"{VOICES}/x")).status == 400


async def test_speech_is_a_bare_url_of_a_sound(call, account):
    voice = (await public(call))[0]["children"][2]
    url = (await call("POST", TTS, json={"msg": "word " * 60, "tts_id": voice["value"]})).data
    assert url.endswith(".wav")
    assert "SANDBOX" in url
    reply = await call("GET", url)
    assert reply.headers["Content-Type"] == "audio/wav"
    with wave.open(BytesIO(reply.body)) as sound:
        assert sound.getnframes() / sound.getframerate() == pytest.approx(300 / 14, abs=0.01)
    assert account.coins == 1000 - 3 * voice["ttsRate"]
    part = await call("GET", url, headers={"Range": "bytes=0-3"})
    assert (part.status, part.body) == (206, b"RIFF")


async def test_speed_changes_length_and_price(call, account):
    voice = (await public(call))[0]["children"][0]["value"]
    for speed in (1, 0.5, 2):
        await call("POST", TTS, json={"msg": "x" * 280, "tts_id": voice, "speechRate": speed})
    assert [charge.delta for charge in account.ledger[1:]] == [-2, -4, -1]


async def test_speech_with_a_clone(call, account, sample):
    started = (await train(call, sample, model="minimax")).data
    reply = await call("POST", TTS, json={"msg": "hello", "user_voice_id": started["_id"]})
    assert (reply.status, reply.msg) == (400, "user_voice_id: the voice is sent")
    account.advance(100)
    assert (await call("POST", TTS, json={"msg": "hello", "user_voice_id": started["_id"]})).data
    assert account.ledger[-1].delta == -2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"msg": "x" * 1001}, "msg must have 1 to 1000 characters"),
        ({"msg": " "}, "msg must have 1 to 1000 characters"),
        ({"speechRate": 2.1}, "speechRate must be within 0.5..2"),
        ({"speechRate": "nan"}, f"speechRate must be number within -{2**53 - 1}..{2**53 - 1}"),
        ({"tts_id": None}, "give either tts_id or user_voice_id"),
        ({"user_voice_id": STRANGER}, "give either tts_id or user_voice_id"),
        ({"tts_id": "nova"}, "tts_id must be 24 hex digits"),
        ({"tts_id": STRANGER}, "tts_id: no such voice; voice_list shows them"),
        ({"tts_id": None, "user_voice_id": STRANGER}, "user_voice_id: no such voice"),
        ({"tts_id": None, "user_voice_id": "a2e-voice-1"}, "user_voice_id must be 24 hex digits"),
    ],
)
async def test_speech_that_cannot_be(call, account, fields, said):
    voice = (await public(call))[1]["children"][0]["value"]
    reply = await call("POST", TTS, json={"msg": "hello", "tts_id": voice, **fields})
    assert (reply.status, reply.msg) == (400, said)
    assert account.coins == 1000


async def test_no_coins_no_speech(call, sandbox):
    poor, headers = sandbox.account("sk_poor", coins=0), {"Authorization": "Bearer sk_poor"}
    voice = (await public(call))[0]["children"][0]["value"]
    reply = await call("POST", TTS, json={"msg": "hello", "tts_id": voice}, headers=headers)
    assert "insufficient credits" in reply.msg
    assert poor.ledger == []
    assert (await call("GET", "/api/v1/tts/preview/list", headers=headers)).data == {"data": [], "total": 0}


async def test_recent_speech(call, account):
    voice = (await public(call))[0]["children"][0]["value"]
    urls = []
    for text in "abc":
        urls.append((await call("POST", TTS, json={"msg": text, "tts_id": voice})).data)
        account.advance(10 * 3600)
    listed = (await call("GET", "/api/v1/tts/preview/list", params={"pageSize": 1})).data
    assert (listed["total"], [row["url"] for row in listed["data"]]) == (2, urls[2:])
    listed = (await call("GET", "/api/v1/tts/preview/list", params={"pageSize": 1, "current": 2})).data
    assert [row["msg"] for row in listed["data"]] == ["b"]
    for page, said in [({"pageSize": 101}, "pageSize"), ({"current": 0}, "current must be at least 1")]:
        assert said in (await call("GET", "/api/v1/tts/preview/list", params=page)).msg
    path = f"/api/v1/tts/preview/{listed['data'][0]['_id']}"
    assert (await call("DELETE", path)).data == {}
    assert (await call("DELETE", path)).status == 404
    assert (await call("GET", "/api/v1/tts/preview/list")).data["total"] == 1


async def test_quotes(call, account, sample):
    voice = (await public(call))[0]["children"][0]["value"]
    for path, body, coins in [
        (TRAINING, {"name": "x", "voice_urls": [sample], "model": "cartesia"}, 40),
        (TTS, {"msg": "x" * 141, "tts_id": voice}, 2),
    ]:
        quote = (await call("POST", "/api/v1/generation/quote", json={"endpoint": path, "requestBody": body})).data
        assert quote == {"coins": coins, "generationRequestValidated": True}
    assert account.coins == 1000
