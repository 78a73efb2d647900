"""Watermarks: drawn at once, where and as asked."""

from io import BytesIO

import av
import pytest
from PIL import Image, ImageChops

from a2e_async.sandbox.media import MediaError
from a2e_async.sandbox.watermarks import Watermark, render_watermark

pytestmark = pytest.mark.anyio

PATH = "/api/v1/watermark/start"


async def start(call, **fields):
    body = {"media_url": call.sandbox.face_url, "watermark_type": "text", "text": "mine", **fields}
    return await call("POST", PATH, json={name: value for name, value in body.items() if value is not None})


async def test_text_on_a_picture(call, account):
    url = (await start(call, fontcolor=[255, 0, 0], fontsize=40)).data["result_url"]
    result = await call("GET", url)
    assert (result.status, result.headers["Content-Type"]) == (200, "image/jpeg")
    assert b"SANDBOX" in result.body
    with Image.open(BytesIO(result.body)) as image:
        assert image.size == (512, 512)
    assert account.coins == 1000


async def test_a_picture_on_a_clip(call):
    fields = {"media_url": call.sandbox.video_url, "watermark_type": "image", "scale_ratio": 0.5}
    url = (await start(call, **fields, watermark_image_url=call.sandbox.face_url)).data["result_url"]
    result = await call("GET", url)
    assert result.headers["Content-Type"] == "video/mp4"
    with av.open(BytesIO(result.body)) as source:
        assert [stream.type for stream in source.streams] == ["video", "audio"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"text": None}, "text is required when watermark_type is text"),
        ({"watermark_type": "image"}, "watermark_image_url is required when watermark_type is image"),
        ({"fontsize": 0}, "fontsize must be within 1..500"),
        ({"fontsize": 501}, "fontsize must be within 1..500"),
        ({"scale_ratio": 0}, "scale_ratio must be above 0 and at most 1"),
        ({"scale_ratio": 1.5}, "scale_ratio must be above 0 and at most 1"),
        ({"fontcolor": [1, 2]}, "fontcolor must be 3 or 4 numbers within 0..255"),
        ({"fontcolor": [1, 2, 256]}, "fontcolor must be 3 or 4 numbers within 0..255"),
    ],
)
async def test_refusals(call, fields, said):
    reply = await start(call, **fields)
    assert (reply.status, reply.msg) == (400, said)


async def test_unreadable_media_is_refused_and_leaves_nothing(call, remote):
    remote.files["/cut.jpg"] = b"\xff\xd8\xff\xe0" + bytes(500)
    reply = await start(call, media_url=f"{remote.url}/cut.jpg")
    assert (reply.status, reply.msg.startswith("media_url: ")) == (400, True)


async def test_quote(call):
    quote = {"endpoint": PATH, "requestBody": {}}
    assert (await call("POST", "/api/v1/generation/quote", json=quote)).data["coins"] == 0


@pytest.mark.parametrize("position", ["top left", "top-right", "bottom_left", "", "TOP", "right"])
@pytest.mark.parametrize("kind", ["text", "image"])
def test_the_mark_lies_where_it_was_asked_for(tmp_path, position, kind):
    Image.new("RGB", (400, 300), "black").save(tmp_path / "in.png")
    Image.new("RGB", (40, 20), "red").save(tmp_path / "mark.png")
    mark = Watermark("mine", tmp_path / "mark.png" if kind == "image" else None, 0, (255, 0, 0), position, 0.2)
    assert render_watermark(tmp_path / "in.png", tmp_path / "out.jpg", "x", mark) == "rendered"
    with Image.open(tmp_path / "out.jpg") as image:
        above = image.convert("RGB").crop((0, 0, 400, 260))
    left, top, right, bottom = ImageChops.multiply(above, Image.new("RGB", above.size, "red")).point(
        lambda value: 255 * (value > 128)
    ).getbbox()  # fmt: skip
    words = (position or "bottom right").lower()
    sideways = 0 if "left" in words else 1 if "right" in words else 0.5
    upwards = 0 if "top" in words else 1 if "bottom" in words else 0.5
    assert left == pytest.approx((400 - (right - left)) * sideways, abs=14)
    assert top == pytest.approx((260 - (bottom - top)) * upwards, abs=24)


def test_a_mark_that_is_no_picture(tmp_path):
    Image.new("RGB", (40, 30)).save(tmp_path / "in.png")
    (tmp_path / "mark.png").write_text("no picture")
    mark = Watermark("", tmp_path / "mark.png", 0, (255, 255, 255), "", 0.2)
    with pytest.raises(MediaError, match=r"mark\.png is not a picture"):
        render_watermark(tmp_path / "in.png", tmp_path / "out.jpg", "x", mark)
    assert not (tmp_path / "out.jpg").exists()
