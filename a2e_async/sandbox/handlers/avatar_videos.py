"""Avatar videos and the avatars in them; the words of their tasks are a family of their own."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from a2e_async.sandbox import prices
from a2e_async.sandbox.account import Draft
from a2e_async.sandbox.anchors import (
    LIP_SYNC,
    TWIN_ID,
    anchor_of,
    is_public,
    own_rows,
    own_twins,
    public_rows,
)
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.handlers.backgrounds import is_own, is_system
from a2e_async.sandbox.inputs import Input
from a2e_async.sandbox.kinds import QUOTES, Paging, begin, document_row, existing, fate, page_of
from a2e_async.sandbox.life import USUAL, Task
from a2e_async.sandbox.objects import SAMPLES
from a2e_async.sandbox.results import RENDERERS, How
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.sniff import sniff
from a2e_async.sandbox.wire import Refusal, iso

if TYPE_CHECKING:
    from PIL.Image import Image

VIDEO, CLIP = "video", "userImage2Video"
BOTH_BACKGROUNDS = 30005
_TITLE_LIMIT = 40
_COPYING = 90
"""From this per cent on, the result is being saved."""
_WORDS = {"sent": "start", "completed": "success", "failed": "fail"}
_SIZES = ("web_bg_width", "web_bg_height", "web_people_width", "web_people_height")
_SCRIPTS = {
    "CJK": "zh",
    "HIRAGANA": "ja",
    "HANGUL": "ko",
    "CYRILLIC": "ru",
    "ARABIC": "ar",
    "HEBREW": "he",
    "GREEK": "el",
    "DEVANAGARI": "hi",
    "THAI": "th",
}
_KEPT = ("title", "msg", "color", "back_id", "custom_back_id")


@serves("POST", "/api/v1/video/generate", optional=("audioSrc",))
async def generate(call: Call) -> object:
    """Start a video and charge for it by the length of its sound."""
    failure = fate(call.text("title"))
    if len(call.text("title")) > _TITLE_LIMIT:
        raise Refusal(f"title must have at most {_TITLE_LIMIT} characters")
    _check_backgrounds(call)
    sound = await _sound(call)
    fields: dict[str, object] = {name: call.text(name) for name in _KEPT}
    fields |= {name: call.integer(name) for name in _SIZES}
    draft = Draft(
        noun=VIDEO,
        coins=prices.avatar_video(sound.kind.seconds or 0),
        span=USUAL,
        fields=fields | {"anchor_id": call.id("anchor_id"), "anchor_type": call.integer("anchor_type")},
        inputs=(str(_cover(call)), str(sound.path)),
        suffix="mp4",
        failure=failure,
    )
    [task] = begin(call, _row, draft)
    return {"_id": task.id, "status": _status(task, call.account.clock.now())}


@serves("POST", "/api/v1/video/awsResult")
async def result(call: Call) -> object:
    """Return one video, in an array."""
    return [_polled(call, "_id")]


@serves("GET", "/api/v1/video/detail")
async def detail(call: Call) -> object:
    """Return one video; its fields are taken to be those of awsResult."""
    return _polled(call, "video_id")


@serves("GET", "/api/v1/video/awsList")
async def records(call: Call) -> object:
    """Return one page of videos, image-to-video tasks among them in the words of this family."""
    call.account.polled()
    tasks, total = call.account.page(VIDEO, *page_of(call, Paging(None, "current")), CLIP)
    return {"data": [{**_row(call, task), "title": _title(task)} for task in tasks], "total": total}


@serves("DELETE", "/api/v1/video/{_id}")
async def remove(call: Call) -> object:
    """Delete a video that does not run; one that has not begun is refunded."""
    call.account.remove(existing(call, VIDEO))
    return {}


@serves("GET", "/api/v1/anchor/character_list")
async def characters(call: Call) -> object:
    """Return the account's own avatars, then the public ones."""
    kind = call.text("type")
    own = [] if kind in {"public", "default"} else own_rows(call)
    if call.text(TWIN_ID):
        twin = call.id(TWIN_ID)
        return [row for row in own if row[TWIN_ID] == twin]
    return own if kind == "custom" else [*own, *public_rows(call)]


@serves("POST", "/api/v1/anchor/list")
async def anchors(call: Call) -> object:
    """Return the account's own avatars; `web_type` adds the public ones."""
    return [*own_rows(call), *(public_rows(call) if call.text("web_type") else [])]


@serves("GET", "/api/v1/userVideoTwin/allCustomLipsync")
async def lip_sync_models(call: Call) -> object:
    """Return what further training has made, newest first; path and fields are guesses."""
    finished = {twin.id for twin in own_twins(call.account)}
    return [document_row(model) for model in call.account.saved(LIP_SYNC) if model.fields[TWIN_ID] in finished]


@serves("POST", "/api/v1/video/lang_classify")
async def classify(call: Call) -> object:
    """Return the language code of a text, guessed by its letters; Latin ones count as English."""
    names = [unicodedata.name(letter, "") for letter in call.text("msg") if letter.isalpha()]
    counts = Counter(name.partition(" ")[0] for name in names)
    # Japanese mixes its own letters with Chinese ones, Chinese never the other way round.
    kana = counts["HIRAGANA"] + counts["KATAKANA"] + counts["KATAKANA-HIRAGANA"]
    script = "HIRAGANA" if kana else counts.most_common(1)[0][0] if counts else ""
    return _SCRIPTS.get(script, "en")


@serves("POST", "/api/v1/video/auto-public-pool")
async def public_pool(call: Call) -> object:
    """Set the account-wide switch; nothing reads it, as no account here has lines of its own."""
    return {"isAutoToPublicPool": call.value("isAutoToPublicPool", bool)}


def _check_backgrounds(call: Call) -> None:
    system, own = call.text("back_id"), call.text("custom_back_id")
    if system and own:
        raise Refusal("back_id and custom_back_id exclude each other", code=BOTH_BACKGROUNDS)
    if system and not is_system(call.id("back_id")):
        raise Refusal("back_id: no such background")
    if own and not is_own(call.account, call.id("custom_back_id")):
        raise Refusal("custom_back_id: no such background of yours")
    wants = system or own or call.text("color")
    for name in _SIZES if wants else ():
        if call.integer(name) < 1:
            raise Refusal(f"{name} must be at least 1 where there is a background")


async def _sound(call: Call) -> Input:
    name = "custom_voice" if call.text("custom_voice") else "audioSrc"
    if not call.text(name):
        raise Refusal("audioSrc is required, or custom_voice")
    return await call.input(name, "audio")


def _cover(call: Call) -> Path:
    """Return the picture or clip that the avatar was made of, or Refusal when there is no such avatar."""
    wanted = call.id("anchor_id")
    if call.integer("anchor_type") == 0:
        if not is_public(wanted):
            raise Refusal("anchor_id: no such public avatar; character_list shows them")
        return SAMPLES / "face.jpg"
    for twin in own_twins(call.account):
        if anchor_of(twin.id) == wanted:
            return twin.input_files()[0]
    raise Refusal("anchor_id: no such avatar of yours; character_list shows them")


def _title(task: Task) -> object:
    fields = task.wire_fields()
    return fields.get("title") or fields.get("name") or ""


def _progress(task: Task, now: int) -> int:
    if now >= task.ends:
        return 0 if task.failure else 100
    return max(0, 100 * (now - task.processing) // (task.ends - task.processing))


def _status(task: Task, now: int) -> str:
    state = task.state(now)
    if state == "initialized":
        # The vendor's page shows init in the first answer, a client's log start: here both come up.
        return "start" if task.ordinal % 2 else "init"
    if state == "processing":
        return "copy" if _progress(task, now) >= _COPYING else "process"
    return _WORDS.get(state, state)


def _polled(call: Call, name: str) -> dict[str, object]:
    call.account.polled()
    found = call.account.find(VIDEO, call.id(name))
    if not found:
        raise Refusal("no such video", status=404)
    return _row(call, found[0])


def _row(call: Call, task: Task) -> dict[str, object]:
    now, fields = call.account.clock.now(), task.wire_fields()
    status = _status(task, now)
    url = call.services.results.url(call.base, task) if status == "success" else ""
    row: dict[str, object] = {
        "_id": task.id,
        "status": status,
        "process": _progress(task, now),
        "result": url,
        "createdAt": iso(task.created),
        "diff_s": (min(now, task.ends) - task.created) // 1000,
        "current_date": iso(now),
        **_scene(fields),
    }
    if status == "fail":
        row["error"] = task.failure
    if status == "success":
        row["end_success_date"] = iso(task.ends)
    return row


def _scene(fields: Mapping[str, object]) -> dict[str, object]:
    return {
        "msg": fields.get("msg", ""),
        "anchor_id": fields.get("anchor_id", ""),
        "anchor_type": str(fields.get("anchor_type", "")),
        "web_bg_width": fields.get("web_bg_width", 0),
        "web_bg_height": fields.get("web_bg_height", 0),
        "color": fields.get("color", ""),
        "replace_bg_id": fields.get("back_id", ""),
        "custom_backs_id": fields.get("custom_back_id") or None,
        "result_people_url": "",
        "result_bg_url": "",
    }


async def _price(call: Call) -> float:
    return call.account.cost(VIDEO, prices.avatar_video((await _sound(call)).kind.seconds or 0))


def _render(task: Task, out: Path) -> How:
    from a2e_async.sandbox.clips import open_sound
    from a2e_async.sandbox.frames import first_frame, have_media
    from a2e_async.sandbox.media_more import render_still

    cover, sound = task.input_files()
    if not have_media():
        return render_still(cover, out, task.id, seconds=0)
    with open_sound(sound) as source:
        seconds = (source.duration or 0) / 1_000_000
    if sniff(cover).family == "image":
        return render_still(cover, out, task.id, seconds=seconds, audio=sound)
    still = out.with_suffix(".png")
    try:
        first = first_frame(cover)
        picture = cast("Callable[[], Image]", first.to_image)()  # pyright: ignore[reportUnknownMemberType]
        picture.save(still)
        return render_still(still, out, task.id, seconds=seconds, audio=sound)
    finally:
        still.unlink(missing_ok=True)


QUOTES["/api/v1/video/generate"] = _price
RENDERERS[VIDEO] = _render
