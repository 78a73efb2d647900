"""Watermarks, drawn while the caller waits."""

from uuid import uuid4

import anyio.to_thread

from a2e_async.sandbox import prices
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.kinds import QUOTES
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.watermarks import Watermark, render_watermark
from a2e_async.sandbox.wire import Refusal

_PATH = "/api/v1/watermark/start"
_LARGEST_FONT = 500


@serves("POST", _PATH)
async def start(call: Call) -> object:
    """Draw a text or a picture over a picture or a video; `to_720p` changes nothing here."""
    media = await call.input("media_url", "image", "video")
    mark = await _mark(call)
    kind = ("jpg", "image/jpeg") if media.kind.family == "image" else ("mp4", "video/mp4")
    objects, name = call.services.objects, uuid4().hex
    part = objects.scratch(f".{kind[0]}")
    try:
        await anyio.to_thread.run_sync(render_watermark, media.path, part, name, mark)
        path = f"/cdn/3days-apac/watermark/user/{call.account.user_id}/SANDBOX-{name}.{kind[0]}"
        objects.keep(path, part, kind[1])
    except ValueError as error:
        raise Refusal(f"media_url: {error}") from None
    finally:
        part.unlink(missing_ok=True)
    return {"result_url": str(call.base.with_path(path))}


async def _mark(call: Call) -> Watermark:
    wanted = "watermark_image_url" if call.text("watermark_type") == "image" else "text"
    if not call.text(wanted):
        raise Refusal(f"{wanted} is required when watermark_type is {call.text('watermark_type')}")
    size = call.integer("fontsize")
    if "fontsize" in call.args and not 1 <= size <= _LARGEST_FONT:
        raise Refusal(f"fontsize must be within 1..{_LARGEST_FONT}")
    scale = call.args.get("scale_ratio", 0.2)
    if not isinstance(scale, float) or not 0 < scale <= 1:
        raise Refusal("scale_ratio must be above 0 and at most 1")
    image = (await call.input(wanted, "image")).path if wanted != "text" else None
    return Watermark(call.text("text"), image, size, _color(call), call.text("position"), scale)


def _color(call: Call) -> tuple[int, ...]:
    if "fontcolor" not in call.args:
        return (255, 255, 255)
    color = tuple(call.value("fontcolor", list[int]))
    if len(color) not in {3, 4} or not all(0 <= part <= 255 for part in color):
        raise Refusal("fontcolor must be 3 or 4 numbers within 0..255")
    return color


async def _price(_call: Call) -> float:
    return prices.WATERMARK


QUOTES[_PATH] = _price
