"""`a2e call`: every endpoint, by name."""

import json
import re
from types import UnionType
from typing import Annotated, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from msgspec.structs import fields

from a2e_async._wire import Request
from a2e_async.groups import endpoints
from a2e_async.sandbox import Rule
from tests.cli.conftest import KEY, SAMPLES

FACE, CLIP = SAMPLES / "face.jpg", SAMPLES / "clip.mp4"
ADD = "/api/v1/userFaceSwapTask/add"
VIDEO = ["anchor_id=x", "anchor_type=0", "audio_url=http://127.0.0.1/x.wav"]
ALTERNATIVES = {
    "voices.speak": ["tts_id=x"],
    "avatars.start": ["video_url=http://127.0.0.1/x"],
    "images.image_edit.start": ["image_urls=http://127.0.0.1/y"],
    "images.virtual_try_on.start": ["image_urls=http://127.0.0.1/y"],
    "images.product_avatar.start": ["image_urls=http://127.0.0.1/y"],
    "videos.wan.start": ["image_url=http://127.0.0.1/x"],
    "videos.happyhorse.start": ["prompt=x"],
    "videos.kling_omni.start": ["prompt=x"],
    "videos.grok.start": ["prompt=x"],
    "videos.hailuo.start": ["prompt=x"],
    "videos.sora.start": ["image_urls=http://127.0.0.1/x"],
}
"""One of several fields, where a request needs any of them, and the second entry of a list that needs two."""


def sample(hint) -> str:
    """Return a word that a field of this type takes."""
    if get_origin(hint) in {Annotated, Literal, UnionType, Union}:
        return str(get_args(hint)[0]) if get_origin(hint) is Literal else sample(get_args(hint)[0])
    if get_origin(hint) in {list, dict}:
        return sample(get_args(hint)[0]) if get_origin(hint) is list else "{}"
    if isinstance(hint, type) and issubclass(hint, Request):
        hints = get_type_hints(hint)
        return json.dumps({field.name: sample(hints[field.name]) for field in fields(hint) if field.required})
    return {bool: "true", int: "1", float: "1"}.get(hint, "http://127.0.0.1/x")


def test_a_reply_is_json(a2e, sandbox):
    ran = a2e("call", "account.coins")
    assert (ran.code, ran.err) == (0, "")
    assert ran.json == [{"coins": 1000.0, "diamonds": 0.0}]


def test_a_paid_call_with_a_local_file_and_a_url(a2e, sandbox):
    ran = a2e("call", "face_swap.tasks.add", "name={mine", f"face_url={FACE}", f"video_url={sandbox.video_url}")
    (task,) = ran.json
    assert (ran.code, task["_id"]) == (0, sandbox.account(KEY).tasks[0].id)
    assert (task["name"], task["video_url"]) == ("{mine", sandbox.video_url)
    assert task["face_url"].startswith(f"{sandbox.url}/")
    assert task["createdAt"]


def test_wire_names_are_taken_too(a2e, sandbox):
    a2e("call", "face_swap.images.add", f"face_url={FACE}")
    (face,) = a2e("call", "face_swap.images.records").json[0]
    assert a2e("call", "face_swap.images.remove", f"_id={face['_id']}").json == [None]
    assert a2e("call", "face_swap.images.records").json == [[]]
    (page,) = a2e("call", "face_swap.tasks.records", "pageNum=1", "size=5").json
    assert page == {"count": 0, "items": []}


def test_a_listing_is_one_object(a2e, sandbox):
    for name in "ab":
        a2e("call", "face_swap.tasks.add", f"name={name}", f"face_url={FACE}", f"video_url={CLIP}")
    (page,) = a2e("call", "face_swap.tasks.records", "size=1").json
    assert (page["count"], [item["name"] for item in page["items"]]) == (2, ["b"])


def test_one_word_or_a_repeated_key_makes_a_list(a2e, sandbox):
    words = [f"face_url={FACE}", f"video_url={CLIP}"]
    ids = [a2e("call", "face_swap.tasks.add", f"name={n}", *words).json[0]["_id"] for n in "ab"]
    for given in ([f"ids={one}" for one in ids], [f"ids={json.dumps(ids)}"]):
        (found,) = a2e("call", "face_swap.tasks.details", *given).json
        assert {task["_id"] for task in found} == set(ids)
    (found,) = a2e("call", "face_swap.tasks.details", f"ids={ids[0]}").json
    assert [task["_id"] for task in found] == ids[:1]


def test_an_object_is_json(a2e, sandbox):
    body = json.dumps({"name": "n", "face_url": sandbox.face_url, "video_url": sandbox.video_url})
    (quote,) = a2e("call", "account.quote", f"endpoint={ADD}", f"body={body}").json
    assert quote["coins"] == 10.0


def test_fields_of_an_object_have_both_names_too(a2e, sandbox):
    a2e("call", "avatar_videos.start", *VIDEO, 'caption_style={"Fontsize": 20, "font_name": "Arial"}')
    (entry,) = sandbox.account(KEY).requests
    assert entry.body["captionAlign"] == {"Fontsize": 20, "FontName": "Arial"}


def test_numbers_booleans_and_lists_reach_the_service_as_such(a2e, sandbox):
    ran = a2e(
        "call", "image_to_video.watermark", f"media_url={FACE}", "watermark_type=text", "text=[5]",
        "fontsize=20", "fontcolor=255", "fontcolor=0", "fontcolor=0", "scale_ratio=1", "to_720p=false",
    )  # fmt: skip
    assert ran.code == 0
    assert ran.json[0]["result_url"].startswith("http")


def test_text_is_plain_unless_json_is_wanted(a2e, sandbox):
    assert a2e("call", "avatar_videos.detect_language", "text=hello").out == "en\n"
    assert a2e("call", "avatar_videos.detect_language", "text=hello", "--json").out == '"en"\n'


def test_a_streamed_answer_is_its_text(a2e, sandbox):
    words = ["reference_id=r", f"image_url={FACE}", "prompt=smile", "negative_prompt="]
    whole = a2e("call", "image_to_video.prompt_extension", *words).json[0]
    ran = a2e("call", "image_to_video.prompt_extension", *words, "stream=true")
    assert ran.out == whole["prompt"] + "\n"


def test_what_was_never_documented_warns_in_one_line(a2e, sandbox):
    ran = a2e("call", "account.add_user", "username=x")
    assert (ran.code, ran.out) == (0, "null\n")
    (line,) = ran.err.splitlines()
    assert line.startswith("a2e: warning: POST /api/v1/user/add was never publicly documented")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["acount.coins"], "no group 'acount': did you mean 'account.coins'? Groups: tokens, voices,"),
        (["account.coin"], "no endpoint 'account.coin': did you mean 'account.coins'? account has "),
        (["face_swap.tasks.ad"], "did you mean 'face_swap.tasks.add'?"),
        (["dubbing"], "dubbing has dubbing.start, dubbing.records"),
        (["zzz"], "no group 'zzz': Groups: tokens"),
        (["face_swap.tasks.add"], "face_swap.tasks.add: missing: name, face_url, video_url."),
        (["face_swap.tasks.add", "name=n", "nam=n"], "no field 'nam': did you mean 'name'? It takes "),
        (["account.coins", "x=1"], "account.coins: no field 'x': It takes none."),
        (["account.coins", "x"], "'x' is no key=value"),
        (["avatars.details", "ids={\udcff"], "ids: "),
        (["account.exchange_diamonds", "diamonds=\udcff"], "diamonds: "),
        (["face_swap.tasks.records", "size=many"], "size: Expected `int`, got `str`."),
        (["face_swap.tasks.records", "size=5", "pageSize=6"], "size: given more than once, but it is no list"),
        (["face_swap.tasks.records", "size=0"], "size: Expected `int` >= 1"),
        (["account.quote", "endpoint=/x", "body={x"], "body: JSON is malformed"),
        (["avatar_videos.start", *VIDEO, "caption_style={}", "captions=maybe"], "captions: Expected `bool | null`"),
        (["avatar_videos.start", *VIDEO, 'caption_style={"titel":"x"}'], "no field 'titel': did you mean 'title'?"),
        (["avatar_videos.start", *VIDEO, 'caption_style={"Fontsize":"x"}'], "Expected `int | null`, got `str`"),
        (["avatar_videos.start", *VIDEO, "caption_style=[1]"], "caption_style: Expected `object | null`"),
        (["account.store_url", "url=clip.mp4"], "url: 'clip.mp4' is no http(s) URL"),
        (["face_swap.images.add", "face_url=gone.jpg"], "face_url: gone.jpg cannot be read"),
    ],
)
def test_bad_use_is_said_in_one_line_and_sends_nothing(a2e, sandbox, words, said):
    ran = a2e("call", *words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == ran.error + "\n"
    assert said in ran.error
    assert not sandbox.account(KEY).requests


def test_a_refusal_is_one_line(a2e, sandbox):
    ran = a2e("call", "face_swap.tasks.detail", "id=" + 24 * "0")
    assert (ran.code, ran.out) == (1, "")
    assert "HTTP 404" in ran.error


def test_a_paid_call_whose_answer_was_lost(a2e, sandbox):
    sandbox.account(KEY).fault(Rule("reset_after", path=ADD))
    ran = a2e("call", "face_swap.tasks.add", "name=n", f"face_url={FACE}", f"video_url={CLIP}")
    assert ran.code == 1
    assert "may have cost coins" in ran.error
    assert len(sandbox.account(KEY).tasks) == 1


@pytest.mark.parametrize("endpoint", list(endpoints()), ids=lambda endpoint: f"{endpoint.noun}.{endpoint.name}")
def test_every_endpoint_is_within_reach(a2e, sandbox, endpoint):
    name = f"{endpoint.noun}.{endpoint.name}"
    needed = {key: one for key, one in endpoint.signature().parameters.items() if one.default is one.empty}
    in_path = {one.name for one in endpoint.parameters() if one.place == "path"}
    words = [f"{key}={24 * '0' if key in in_path else sample(one.annotation)}" for key, one in needed.items()]
    ran = a2e("call", name, *words, *ALTERNATIVES.get(name, ()))
    assert ran.code in {0, 1}
    assert "Traceback" not in ran.err
    path = re.sub(r"\\{\w+\\}", "[^/]+", re.escape(endpoint.path))
    assert any(
        entry.method == endpoint.method and re.fullmatch(path, entry.path) for entry in sandbox.account(KEY).requests
    )
