"""The newer model families: their rows, served as the contract has them; what it leaves open is guessed here."""

from collections.abc import Iterable, Mapping
from functools import partial
from math import inf
from typing import cast

from a2e_async.sandbox import prices
from a2e_async.sandbox.account import Draft
from a2e_async.sandbox.anchors import TWIN
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.families import Family, Media, bounds, families, noun_of, within
from a2e_async.sandbox.family_media import count_of, render_family
from a2e_async.sandbox.inputs import Input
from a2e_async.sandbox.kinds import (
    QUOTES,
    Kind,
    Paging,
    begin,
    existing,
    fate,
    generic,
    polled,
    task_verbs,
)
from a2e_async.sandbox.life import USUAL, Task
from a2e_async.sandbox.results import LIFETIMES, RENDERERS
from a2e_async.sandbox.routing import Handler, serves
from a2e_async.sandbox.wire import MODERATED, Refusal, respond

TEXT_TO_IMAGE, NANO_BANANA, VEO = "userText2Image", "userNanoBanana", "veoVideo"
_DAY = 24 * 3600 * 1000
_LONGEST = 60.0
"""Seconds of video that can be asked for where the contract sets no bound: a guess."""
_RENDITION = 20_000
"""Milliseconds from a Veo video to its 1080p version: a guess."""
_WORDS = ("name", "prompt", "positive_prompt", "caption")
_HIDDEN = frozenset({"webhook_url", "webhook_token", "max_images"})
_NAMELESS = {NANO_BANANA: ("name",)}
"""What is called required, yet was left out by a client that got its picture."""
_POOR = {"userFlux2": 402}
"""The HTTP status of too few coins, where it is not 400."""
_LONGEST_TARGET = {"headSwap": 15}
"""Seconds of the longest video that is taken for the input that decides of the result."""


async def _start(family: Family, call: Call) -> object:
    failure = _fate(family, call)
    media = await _inputs(family, call)
    seconds = _seconds(family, call, media)
    coins = _usual(family, call, media)
    if family.noun in _POOR and call.account.cost(family.noun, coins) > call.account.coins:
        raise Refusal("insufficient credits", status=_POOR[family.noun])
    fields: dict[str, object] = {param.name: "" for param in family.start.params if param.name in _WORDS}
    fields |= {name: value for name, value in call.args.items() if name not in _HIDDEN}
    draft = Draft(
        noun=family.noun,
        coins=coins,
        # The form of 2025 could answer with finished pictures.
        span=(0, 0) if "req_key" in call.args else USUAL,
        fields=fields if seconds is None else {**fields, "seconds": seconds},
        inputs=[str(found.path) for found in media],
        suffix=_suffix(family, media),
        failure=failure,
    )
    records = [_shape(call, task) for task in begin(call, _shape, *[draft] * _copies(call))]
    # An object in 2025, an array since: that it has a record for each picture is a guess.
    return records if family.noun == TEXT_TO_IMAGE and "req_key" not in call.args else records[0]


async def _price(family: Family, call: Call) -> float:
    usual = _usual(family, call, await _inputs(family, call))
    return _copies(call) * call.account.cost(family.noun, usual)


async def _rename(call: Call) -> object:
    task = existing(call, noun_of(call.row))
    call.account.amend(task, {**task.wire_fields(), "name": call.text("name")})
    return {}


async def _rendition(call: Call) -> object:
    """Return the URL of a Veo video in 1080p: the field's name is a guess, and the picture no larger here."""
    task = polled(call, VEO)
    now = call.account.clock.now()
    if task.state(now) == "failed":
        raise Refusal("_id: this task has failed")
    if now < task.ends + _RENDITION:
        return respond({"code": 0, "data": {}}, status=202)
    return {"result_url": call.services.results.url(call.base, task, "1080p")}


async def _quick_avatar(call: Call) -> object:
    """Train an avatar on a picture, for as much as on any other: a guess. The empty answer was seen."""
    task = existing(call, TEXT_TO_IMAGE)
    if task.state(call.account.clock.now()) != "completed":
        raise Refusal("_id: this picture is not finished")
    try:
        picture, _ = await call.services.results.file(task)
    except (OSError, ValueError) as error:
        raise Refusal(f"_id: the picture cannot be made: {error}", status=500) from None
    fields: dict[str, object] = {
        "name": str(task.wire_fields().get("name", "")),
        "gender": call.text("gender"),
        "image_url": call.services.results.url(call.base, task),
        "skipPreview": False,
    }
    inputs = [str(picture)]
    draft = Draft(
        noun=TWIN, coins=prices.DIAMOND, span=USUAL, fields=fields, inputs=inputs, suffix="mp4", in_diamonds=True
    )
    call.account.start(draft)
    return {}


def _shape(call: Call, task: Task) -> dict[str, object]:
    record = generic(call, task)
    del record["result_url"]
    record.pop("seconds", None)
    done = record["current_status"] == "completed"
    urls = [call.services.results.url(call.base, task, part) for part in _parts(task)] if done else []
    for field in families()[task.noun].results:
        # Where an input has the name of a result, the result takes its place: a guess.
        record[field] = urls if field.endswith("urls") else urls[0] if urls else ""
    return record


def _copies(call: Call) -> int:
    return call.integer("max_images", 1)


def _parts(task: Task) -> list[str]:
    count = count_of(task.wire_fields())
    return [str(at) for at in range(1, count + 1)] if count > 1 else [""]


def _fate(family: Family, call: Call) -> str:
    texts = [call.text(word) for word in _WORDS]
    texts.append(str(within(call.args.get("input")).get("prompt", "")))
    try:
        fates = [fate(text) for text in texts]
    except Refusal as refusal:
        # A success by HTTP that says what was found, instead of a task.
        raise Refusal(refusal.msg, status=200 if family.noun == NANO_BANANA else 403, code=MODERATED) from None
    return next((failure for failure in fates if failure), "")


async def _inputs(family: Family, call: Call) -> list[Input]:
    for param in family.start.params:
        if param.bare in call.args:
            _hold(param.bare, call.args[param.bare], *bounds(param), chars="char" in param.description)
    found: list[Input] = []
    for name, media in family.inputs.items():
        value = call.args.get(name, "")
        if isinstance(value, str):
            found += [await call.input(name, *media)] if value else []
        else:
            found += await call.inputs(name, _urls(value), *media)
    return found


def _hold(name: str, value: object, low: int | None, high: int | None, *, chars: bool) -> None:
    if low is None and high is None:
        return
    if isinstance(value, list):
        size, unit = float(len(cast("list[object]", value))), " entries"
    else:
        size, unit = (float(len(str(value))), " characters") if chars else (_number(name, value), "")
    if not (low or 0) <= size <= (inf if high is None else high):
        raise Refusal(f"{name} must be within {low or 0}..{'' if high is None else high}{unit}")


def _urls(value: object) -> Iterable[str]:
    """Yield the URLs in an argument: texts, or objects that hold them below a name such as `url`."""
    match value:
        case str():
            yield value
        case list():
            for held in cast("list[object]", value):
                yield from _urls(held)
        case _:
            for name, held in within(value).items():
                if "url" in name or name == "media":
                    yield from _urls(held)


def _number(name: str, value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise Refusal(f"{name} must be a number") from None


def _seconds(family: Family, call: Call, media: Iterable[Input]) -> float | None:
    """Return how long the result runs: as asked for, else as long as what is worked on; None for a picture."""
    if _suffix(family, media) != "mp4":
        return None
    given = {**call.args, **within(call.args.get("parameters"))}
    name = next((name for name in ("duration", "duration_seconds") if given.get(name)), "")
    runs = _runs(media, "audio") if "talking" in family.noun else None
    seconds = runs or (_number(name, given[name]) if name else _runs(media, "video") or 5.0)
    if not 1 <= seconds <= _LONGEST:
        raise Refusal(f"{name or 'the input'} must be within 1..{_LONGEST:g} seconds")
    limit = _LONGEST_TARGET.get(family.noun)
    if limit and seconds > limit:
        raise Refusal(f"{family.base} must be a video of at most {limit} seconds")
    return seconds


def _runs(media: Iterable[Input], family: Media) -> float | None:
    return next((float(found.kind.seconds or 0) for found in media if found.kind.family == family), None)


def _suffix(family: Family, media: Iterable[Input]) -> str:
    found = list(media)
    picture = found[-1].kind.family == "image" if family.base and found else family.pictures
    return "mp4" if not picture else "jpg" if found else "png"


def _usual(family: Family, call: Call, media: Iterable[Input]) -> float:
    seconds = _seconds(family, call, media)
    amount = count_of(call.args) if seconds is None else seconds
    return prices.family(family.noun, call.args, amount, still=seconds is None)


def _paging(family: Family) -> Paging:
    params = {param.name: bounds(param).high for param in family.rows["List"].params}
    number, size = ("pageNum", "pageSize") if "pageNum" in params else ("page", "page_size")
    return Paging(params[size], number, size)


def _verbs(family: Family) -> Mapping[str, Handler]:
    verbs: dict[str, Handler] = {"Start": partial(_start, family)}
    if "List" in family.rows:
        key = "list" if "data.list" in family.rows["List"].response else "rows"
        shared = task_verbs(Kind(family.noun, _shape, _shape), _paging(family), key)
        verbs |= {
            "List": shared["records"],
            "By ids": shared["batch"],
            "Detail": shared["detail"],
            "Delete": shared["remove"],
        }
    return verbs | {"Rename": _rename, "1080p version": _rendition, "Quick avatar from an image": _quick_avatar}


def _serve(family: Family) -> None:
    verbs = _verbs(family)
    for name, row in family.rows.items():
        optional = _NAMELESS.get(family.noun, ()) if name == "Start" else ()
        serves(row.method, row.served_path or "", optional=optional)(verbs[name])
    QUOTES[family.start.served_path or ""] = partial(_price, family)
    RENDERERS[family.noun] = render_family
    if family.days:
        LIFETIMES[family.noun] = family.days * _DAY


for _family in families().values():
    _serve(_family)
