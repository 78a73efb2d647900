"""The newer model families: each from its start to its result, and what is refused."""

import io
import sys

import pytest
from PIL import Image

from a2e_async.sandbox import Sandbox, prices
from a2e_async.sandbox.contract import Param
from a2e_async.sandbox.families import Bounds, bounds, families
from a2e_async.sandbox.media import probe
from tests.sandbox.test_webhooks import dealt_with

pytestmark = pytest.mark.anyio

FLUX, TEXT, WAN, VEO = "userFlux2", "userText2Image", "userWan25", "veoVideo"
BOAT = {"name": "boat", "prompt": "a red boat"}
LISTED = [noun for noun, family in families().items() if "List" in family.rows]
each = pytest.mark.parametrize("noun", LISTED)


def path_of(noun: str, row: str, task_id: str = "") -> str:
    path = families()[noun].rows[row].served_path or ""
    return path.replace("{_id}", task_id).replace("{id}", task_id)


def plain_start(sandbox: Sandbox, noun: str) -> dict[str, object]:
    """Return the least that the contract asks of a start."""
    family, found = families()[noun], {}
    for param in family.start.params:
        media = family.inputs.get(param.name)
        url = sandbox.video_url if media == ("video",) else sandbox.face_url
        if not param.required:
            continue
        if param.enum:
            found[param.name] = param.enum[0]
        elif media:
            found[param.name] = url if param.type == "string" else [url, url]
        else:
            found[param.name] = {} if param.type == "object" else "a red boat"
    return found


@pytest.fixture
def begin(call, sandbox):
    async def start(noun: str, **fields) -> dict:
        data = (await call("POST", path_of(noun, "Start"), json=plain_start(sandbox, noun) | fields)).data
        return data[0] if isinstance(data, list) else data

    return start


@pytest.fixture
def read(call):
    async def detail(noun: str, task_id: str) -> dict:
        if "Detail" in families()[noun].rows:
            return (await call("GET", path_of(noun, "Detail", task_id))).data
        page = (await call("GET", path_of(noun, "List"))).data
        return next(row for row in page["rows"] if row["_id"] == task_id)

    return detail


def urls_of(noun: str, record: dict) -> list[str]:
    held = record[families()[noun].results[0]]
    return held if isinstance(held, list) else [held] if held else []


def test_the_contract_has_thirty_two():
    assert len(families()) == 32
    assert set(families()) - set(LISTED) == {"userWan30"}


@each
async def test_from_start_to_result(call, account, begin, read, noun):
    record = await begin(noun)
    assert (record["current_status"], urls_of(noun, record), record["failed_message"]) == ("initialized", [], "")
    assert account.coins == 1000 - record["coins"]
    account.advance(3)
    assert (await read(noun, record["_id"]))["current_status"] == "processing"
    account.advance(60)
    done = await read(noun, record["_id"])
    assert done["current_status"] == "completed"
    for url in urls_of(noun, done)[:2]:
        reply = await call("GET", url.replace(str(call.sandbox.url), ""))
        assert reply.headers["X-A2E-Sandbox"] == "rendered"
        wanted = "image" if families()[noun].pictures or families()[noun].base else "video"
        assert reply.headers["Content-Type"].startswith(f"{wanted}/")
        assert b"SANDBOX" in reply.body


@each
async def test_lists_hold_it_by_their_own_parameters(call, begin, noun):
    ids = [(await begin(noun))["_id"] for _ in range(3)]
    names = [param.name for param in families()[noun].rows["List"].params]
    number, size = names[:2]
    page = (await call("GET", path_of(noun, "List"), params={number: 2, size: 2})).data
    key = "list" if "data.list" in families()[noun].rows["List"].response else "rows"
    assert ([row["_id"] for row in page[key]], page["count"]) == (ids[:1], 3)
    assert (await call("GET", path_of(noun, "List"), params={number: 0, size: 2})).status == 400
    if "By ids" in families()[noun].rows:
        rows = (await call("POST", path_of(noun, "By ids"), json={"ids": [ids[0], ids[0], "f" * 24]})).data
        assert [row["_id"] for row in rows] == ids[:1]
        assert (await call("POST", path_of(noun, "By ids"), json={"ids": []})).data == []


@each
async def test_quote_is_what_is_charged(call, sandbox, begin, noun):
    body = {"endpoint": path_of(noun, "Start"), "requestBody": plain_start(sandbox, noun)}
    quoted = (await call("POST", "/api/v1/generation/quote", json=body)).data
    assert quoted == {"coins": (await begin(noun))["coins"], "generationRequestValidated": True}


@pytest.mark.parametrize("noun", [noun for noun in LISTED if "Delete" in families()[noun].rows])
async def test_removal(call, account, begin, noun):
    gone = await begin(noun)
    assert (await call("DELETE", path_of(noun, "Delete", gone["_id"]))).data == {}
    assert account.coins == 1000
    assert (await call("GET", path_of(noun, "Detail", gone["_id"]))).status == 404
    kept = await begin(noun)
    account.advance(3)
    refused = await call("DELETE", path_of(noun, "Delete", kept["_id"]))
    assert (refused.status, refused.msg) == (400, "a task that is processing cannot be deleted")
    account.advance(60)
    assert (await call("DELETE", path_of(noun, "Delete", kept["_id"]))).data == {}
    assert account.coins == 1000 - kept["coins"]


@pytest.mark.parametrize(
    ("noun", "fields", "said"),
    [
        (FLUX, {"prompt": None}, "prompt is required"),
        (FLUX, {"prompt": ""}, "prompt must not be empty"),
        (FLUX, {"resolution": "8K"}, "resolution must be one of 1K, 2K"),
        (FLUX, {"input_images": ["http://127.0.0.1:1/x.jpg"]}, "input_images[0]: http://127.0.0.1:1/x.jpg cannot be"),
        (FLUX, {"input_images": ["FACE"] * 9}, "input_images must be within 0..8 entries"),
        (FLUX, {"input_images": ["CLIP"]}, "is not a picture"),
        ("userGptImage", {"prompt": "x" * 3001}, "prompt must be within 0..3000 characters"),
        ("userImageEdit", {"image_urls": ["FACE"]}, "image_urls must be within 2.. entries"),
        ("productAvatar", {"image_urls": ["FACE"] * 3}, "image_urls must be within 2..2 entries"),
        ("userKlingImage", {"n": 10}, "n must be within 1..9"),
        ("minimaxH3Video", {"duration": "3"}, "duration must be within 4..15"),
        ("minimaxH3Video", {"duration": "soon"}, "duration must be a number"),
        ("klingVideo", {"duration": "61"}, "duration must be within 1..60 seconds"),
        ("talkingVideo", {"video_url": "FACE"}, "is not a video"),
        ("userWan30", {"input": {"media": [{"url": "http://127.0.0.1:1/x.jpg"}]}}, "input[0]: "),
    ],
)
async def test_bad_starts_cost_nothing(call, account, sandbox, noun, fields, said):
    names = {"FACE": sandbox.face_url, "CLIP": sandbox.video_url}

    def put(value):
        return [put(one) for one in value] if isinstance(value, list) else names.get(str(value), value)

    body = plain_start(sandbox, noun) | {name: put(value) for name, value in fields.items()}
    reply = await call("POST", path_of(noun, "Start"), json=body)
    assert reply.status == 400
    assert said in reply.msg
    assert account.coins == 1000
    assert not account.tasks


@pytest.mark.parametrize("field", ["name", "prompt"])
async def test_magic_words(call, account, begin, read, field):
    record = await begin(FLUX, **{field: "fail:too dark"})
    account.advance(60)
    failed = await read(FLUX, record["_id"])
    assert (failed["current_status"], failed["failed_message"], failed["image_urls"]) == ("failed", "too dark", [])
    assert account.coins == 1000
    reply = await call("POST", path_of(FLUX, "Start"), json=BOAT | {field: "moderation:not this"})
    assert (reply.status, reply.json["code"], reply.msg) == (403, 1003, "not this")
    assert len(account.tasks) == 1


async def test_nano_banana_says_by_a_success_that_moderation_stopped_it(call, account):
    reply = await call("POST", path_of("userNanoBanana", "Start"), json=BOAT | {"prompt": "moderation:not this"})
    assert (reply.status, reply.json["code"]) == (200, 1003)
    assert not account.tasks


async def test_nano_banana_has_its_own_paths(call, account, begin):
    record = await begin("userNanoBanana", name=None)
    assert record["_id"]
    assert (await call("GET", f"/api/v1/userNanoBanana/{record['_id']}")).status == 404
    assert (await call("GET", "/api/v1/userNanoBanana/allRecords")).msg == "pageNum is required"
    account.advance(60)
    await begin("userNanoBanana")
    asked = {"pageNum": 1, "pageSize": 100}
    for status, count in (("completed", 1), ("initialized", 1), ("failed", 0)):
        page = (await call("GET", "/api/v1/userNanoBanana/allRecords", params=asked | {"status": status})).data
        assert (page["count"], len(page["list"])) == (count, count)
    assert (await call("GET", "/api/v1/userNanoBanana/allRecords", params=asked | {"pageSize": 101})).status == 400


async def test_flux_is_poor_in_its_own_way(call, sandbox):
    sandbox.account("sk_poor", coins=14)
    poor = {"Authorization": "Bearer sk_poor"}
    assert (await call("POST", path_of(FLUX, "Start"), json=BOAT, headers=poor)).status == 402
    assert (await call("POST", path_of("userGptImage", "Start"), json=BOAT, headers=poor)).status == 400


async def test_text_to_image_answers_an_array(call, account):
    body = {"prompt": "a red boat", "max_images": 3}
    records = (await call("POST", path_of(TEXT, "Start"), json=body)).data
    assert len({record["_id"] for record in records}) == 3
    assert account.coins == 970
    quote = {"endpoint": path_of(TEXT, "Start"), "requestBody": body}
    assert (await call("POST", "/api/v1/generation/quote", json=quote)).data["coins"] == 30


async def test_text_to_image_of_2025_answers_one_that_is_finished(call):
    body = BOAT | {"req_key": "high_aes", "width": 640, "height": 320}
    record = (await call("POST", "/api/v1/userText2image/start", json=body)).data
    assert record["current_status"] == "completed"
    reply = await call("GET", record["image_urls"][0].replace(call.sandbox.url, ""))
    assert Image.open(io.BytesIO(reply.body)).size == (1024, 512)


async def test_an_avatar_of_a_picture(call, account, begin):
    picture = await begin(TEXT, name="anna")
    asked = {"_id": picture["_id"], "gender": "female"}
    early = await call("POST", path_of(TEXT, "Quick avatar from an image"), json=asked)
    assert (early.status, early.msg) == (400, "_id: this picture is not finished")
    account.advance(60)
    assert (await call("POST", path_of(TEXT, "Quick avatar from an image"), json=asked)).data == {}
    (avatar,) = (await call("GET", "/api/v1/userVideoTwin/userRecords")).data
    assert (avatar["name"], avatar["gender"], avatar["coins"]) == ("anna", "female", 100)
    account.advance(60)
    (avatar,) = (await call("GET", "/api/v1/userVideoTwin/userRecords")).data
    assert (await call("GET", avatar["preview_result_url"].replace(call.sandbox.url, ""))).status == 200


async def test_several_pictures_are_not_the_same(call, account, begin, read):
    record = await begin("userKlingImage", n=3)
    account.advance(60)
    urls = (await read("userKlingImage", record["_id"]))["image_urls"]
    pictures = [(await call("GET", url.replace(call.sandbox.url, ""))).body for url in urls]
    assert len(set(pictures)) == 3
    assert record["coins"] == 45
    tampered = urls[1].replace("-2.", "-9.").replace(call.sandbox.url, "")
    assert (await call("GET", tampered)).status == 403


@pytest.mark.parametrize(("noun", "days"), [(FLUX, 7), ("userGptImage", 3), ("userQwen2Image", 3)])
async def test_results_last_as_long_as_the_contract_says(call, account, begin, read, noun, days):
    record = await begin(noun)
    account.advance(60)
    (url,) = (await read(noun, record["_id"]))["image_urls"]
    path = url.replace(call.sandbox.url, "")
    account.advance(days * 24 * 3600 - 61)
    assert (await call("GET", path)).status == 200
    account.advance(61)
    assert (await call("GET", path)).status == 403


async def test_veo_in_1080p_takes_its_time(call, account, begin):
    record = await begin(VEO)
    path = path_of(VEO, "1080p version", record["_id"])
    assert (await call("GET", path)).status == 202
    account.advance(60)
    assert (await call("GET", path)).status == 202
    account.advance(20)
    url = (await call("GET", path)).data["result_url"]
    reply = await call("GET", url.replace(call.sandbox.url, ""))
    assert reply.headers["Content-Type"] == "video/mp4"
    failed = await begin(VEO, prompt="fail:too dark")
    account.advance(60)
    assert (await call("GET", path_of(VEO, "1080p version", failed["_id"]))).msg == "_id: this task has failed"


@pytest.mark.parametrize("noun", [noun for noun in LISTED if "Rename" in families()[noun].rows])
async def test_renaming(call, begin, read, noun):
    record = await begin(noun)
    assert (await call("PUT", path_of(noun, "Rename", record["_id"]), json={"name": "the boat"})).data == {}
    assert (await read(noun, record["_id"]))["name"] == "the boat"


async def test_head_swap_gives_what_its_target_is(call, account, sandbox, begin, read):
    assert (await begin("headSwap", target_image_url=sandbox.video_url))["coins"] == 80
    record = await begin("headSwap", target_image_url=sandbox.video_url)
    account.advance(60)
    url = (await read("headSwap", record["_id"]))["result_url"]
    assert (await call("GET", url.replace(sandbox.url, ""))).headers["Content-Type"] == "video/mp4"


async def test_shape_and_length_of_a_video(call, account, begin, read, tmp_path):
    record = await begin(WAN, duration="7", ratio="9:16")
    account.advance(60)
    url = (await read(WAN, record["_id"]))["result_url"]
    file = tmp_path / "boat.mp4"
    file.write_bytes((await call("GET", url.replace(call.sandbox.url, ""))).body)
    found = probe(file)
    assert (found.width, found.height, found.frames, record["coins"]) == (576, 1024, 175, 140)


async def test_talking_lasts_as_long_as_what_is_said(call, begin):
    voice = (await call("GET", "/api/v1/anchor/voice_list", params={"country": "en", "region": "US"})).data[0]
    said = {"msg": "Hello there, how are you today? " * 6, "tts_id": voice["children"][0]["value"]}
    sound = (await call("POST", "/api/v1/video/send_tts", json=said)).data
    silent, talking = await begin("talkingVideo", duration=5), await begin("talkingVideo", audio_url=sound)
    assert silent["coins"] == 13
    assert talking["coins"] > silent["coins"]


async def test_wan_3_tells_of_its_start_alone(call, account, sandbox):
    body = {"model": "wan3.0-video", "input": {"prompt": "a red boat"}, "parameters": {"duration": 6}}
    record = (await call("POST", path_of("userWan30", "Start"), json=body)).data
    (task,) = account.tasks
    assert (record["_id"], record["coins"]) == (task.id, 120)
    failing = body | {"input": {"prompt": "fail:too dark", "media": [{"type": "image", "url": sandbox.face_url}]}}
    assert (await call("POST", path_of("userWan30", "Start"), json=failing)).data["_id"]
    account.advance(60)
    assert account.coins == 880


async def test_a_kind_goes_by_its_noun_where_it_is_priced(call, account, begin):
    account.price(FLUX, 2)
    assert (await begin(FLUX))["coins"] == 2
    quote = {"endpoint": path_of(FLUX, "Start"), "requestBody": BOAT}
    assert (await call("POST", "/api/v1/generation/quote", json=quote)).data["coins"] == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("max 10; the a2e model takes 2", Bounds(None, 10)),
        ("at least 2", Bounds(2, None)),
        ("exactly 2: product, person", Bounds(2, 2)),
        ("seconds, 1..20", Bounds(1, 20)),
        ("<=3000 characters", Bounds(None, 3000)),
        ("task label", Bounds()),
    ],
)
def test_bounds_are_read_off_the_contract(text, found):
    assert bounds(Param("x", "body", "string", required=False, description=text)) == found


def test_public_prices_are_among_those_charged():
    for model, quality, coins in (("gpt-image-1.5", "medium", 20), ("gpt-image-1.5", "high", 35)):
        assert prices.family("userGptImage", {"model": model, "quality": quality}, 1, still=True) == coins
    sizes = [prices.family("userGptImage", {"resolution": size}, 1, still=True) for size in ("1K", "2K", "4K")]
    assert sizes == [25, 35, 45]
    assert prices.family("talkingVideo", {}, 5, still=False) == 13
    told = " ".join(prices.PUBLIC.values())
    assert all(str(coins) in told for coins in (10, 13, 15, 20, 25, 35, 45))


@pytest.mark.parametrize(
    ("noun", "how", "mime"),
    [
        (FLUX, "rendered", "image/png"),
        (WAN, "passthrough", "video/mp4"),
        ("userUpscale", "passthrough", "image/jpeg"),
        ("virtualTryOn", "passthrough", "image/jpeg"),
        ("motionTransfer", "passthrough", "video/mp4"),
        ("talkingPhoto", "passthrough", "image/jpeg"),
    ],
)
async def test_without_the_media_extra(call, account, begin, read, monkeypatch, noun, how, mime):
    monkeypatch.setitem(sys.modules, "av", None)
    record = await begin(noun)
    account.advance(60)
    (url,) = urls_of(noun, await read(noun, record["_id"]))
    reply = await call("GET", url.replace(call.sandbox.url, ""))
    assert (reply.status, reply.headers["X-A2E-Sandbox"], reply.headers["Content-Type"]) == (200, how, mime)


async def test_the_dashboard_shows_pictures(call, account, begin):
    await begin("userKlingImage", n=2)
    account.advance(60)
    [row] = (await call("GET", f"/sandbox/accounts/{account.label}/tasks?media=true")).json
    assert row["kind"] == "userKlingImage"
    assert row["media"]["result"]["family"] == "image"
    assert (await call("GET", row["media"]["result"]["url"])).headers["Content-Type"] == "image/png"


async def test_a_webhook_tells_of_the_end(call, account, begin, remote):
    await begin(FLUX, webhook_url=f"{remote.url}/hook", webhook_token="secret")
    account.advance(60)
    await dealt_with(account)
    (callback,) = account.webhooks
    assert callback.body["data"]["image_urls"][0].startswith(f"{call.sandbox.url}/results/")
    assert "webhook_url" not in callback.body["data"]
