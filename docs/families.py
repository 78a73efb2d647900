"""The newer model families: their examples, and the table of what each takes and makes, out of the declarations."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import msgspec

from a2e_async._endpoint import Endpoint, Group, subgroup
from a2e_async._wire import blueprint
from a2e_async.cli._models import literals
from a2e_async.groups.images import Images
from a2e_async.groups.videos import Videos
from a2e_async.sandbox.families import Family, families
from a2e_async.sandbox.prices import PUBLIC
from a2e_async.sandbox.results import LIFETIME
from a2e_async.tasks import KINDS
from docs.describe import MissingError, doc_of, hints_of, kind_of
from docs.markup import link, table

MARK = "<!-- the table of the models -->"
_TWO = '[Path("face.jpg"), Path("face.jpg")]'
_PROMPT = '"a red boat at dawn"'
_USUAL = {"name": '"boat"', "prompt": _PROMPT, "negative_prompt": '"blur"', "number": "2"}
_MEDIA = {"picture": 'Path("face.jpg")', "video": 'Path("clip.mp4")', "audio": 'Path("voice.wav")'}
_NEEDS = {
    "images.image_edit": {"image_urls": _TWO},
    "images.virtual_try_on": {"image_urls": _TWO},
    "images.product_avatar": {"image_urls": _TWO, "product_rect": "ProductRect(x=0, y=0, width=100, height=100)"},
    "videos.wan": {"task_type": '"text_to_video"'},
    "videos.happyhorse": {"prompt": _PROMPT},
    "videos.kling_omni": {"prompt": _PROMPT},
    "videos.grok": {"prompt": _PROMPT},
    "videos.hailuo": {"prompt": _PROMPT},
    "videos.sora": {"image_urls": '[Path("face.jpg")]'},
    "videos.wan30": {
        "input": f"Wan30Input(prompt={_PROMPT})",
        "parameters": "Wan30Parameters(seconds=5)",
    },
}
"""What a start needs that its declaration does not tell."""
_EXTRAS = {
    "rename": {"name": '"the boat"'},
    "quick_avatar": {"gender": '"female"'},
}
"""What else takes besides an id."""
_STATED = frozenset(
    {"seconds", "number", "resolution", "image_size", "quality", "quality_mode", "aspect_ratio", "size"}
)
"""Fields whose choices are limits worth knowing."""


class Model(NamedTuple):
    """A family as declared, and as the contract shows it."""

    group: type[Group]
    start: Endpoint[..., Any]
    family: Family


def models() -> Iterator[Model]:
    """Yield every newer family; MissingError for one that no group declares."""
    found = [item for group in (Images, Videos) for item in vars(group).values() if isinstance(item, subgroup)]
    left = dict(families())
    for item in found:
        group = cast("subgroup[Group]", item).group
        start = cast("Endpoint[..., Any]", vars(group)["start"])
        yield Model(group, start, left.pop(start.path.split("/")[3]))
    if left:
        raise MissingError(f"no group declares {', '.join(left)}")


def examples() -> Iterator[tuple[str, dict[str, str], str]]:
    """Yield what each example needs: the key of an endpoint, the values of its parameters, and what goes before."""
    for model in models():
        noun = model.group.noun
        one = "picture" if noun.startswith("images.") else "video"
        given = ", ".join(f"{name}={value}" for name, value in _values(noun, model.start).items())
        kind = next((kind for kind in KINDS.values() if kind.start is model.start), None)
        made = f"{one} = await a2e.run({kind.name.upper()}, {given})" if kind else ""
        for name, endpoint in vars(model.group).items():
            if not isinstance(endpoint, Endpoint):
                continue
            key, wanted = f"{noun}.{name}", {parameter.name for parameter in endpoint.parameters()}
            if name.startswith("start"):
                yield key, _values(noun, endpoint), ""
            elif "ids" in wanted:
                yield key, {"ids": f"[{one}.id]"}, made
            elif "id" in wanted:
                yield key, {"id": f"{one}.id", **_EXTRAS.get(name, {})}, made
            else:
                yield key, {}, ""


def _values(noun: str, start: Endpoint[..., Any]) -> dict[str, str]:
    media, hints, special = blueprint(start.request).media, hints_of(start.request), _NEEDS.get(noun, {})
    found: dict[str, str] = {}
    for info in msgspec.structs.fields(start.request):
        if info.name in special:
            found[info.name] = special[info.name]
        elif info.required and info.name in media:
            value = _MEDIA[media[info.name][-1]]
            found[info.name] = f"[{value}]" if "list[" in str(hints[info.name]) else value
        elif info.required:
            found[info.name] = _USUAL.get(info.name) or repr(next(literals(hints[info.name])))
    return {name: value.replace("'", '"') for name, value in found.items()}


def fill(page: Path) -> None:
    """Put the table into a page, at its mark; MissingError where there is none."""
    text = page.read_text(encoding="utf-8")
    if MARK not in text:
        raise MissingError(f"{page.name} has no {MARK}")
    page.write_text(text.replace(MARK, whole()), encoding="utf-8")


def whole() -> str:
    """Return the table, what it leaves out, and whose families need somebody's consent."""
    head = ("model", "inputs", "outputs", "limits", "price", "results last", "evidence")
    rows = [_row(model) for model in models()]
    people = ", ".join(_link(model.group) for model in models() if "consent" in doc_of(model.group).lower())
    days = LIFETIME // (24 * 3600 * 1000)
    return f"""\
{table(head, rows)}

Inputs in bold are required. Where no price is given, none is public: `a2e.account.quote` asks the service, and a task's
`coins` tell what it cost. Where no expiry is given, expect about {days} days, as for the service's other results.

People are to be seen or heard in what these make, so have their [consent](consent.md): {people}."""


def _row(model: Model) -> tuple[str, ...]:
    family = model.family
    days = f"{family.days} days" if family.days else ""
    return (
        f"{_link(model.group)}: {family.title}{_names(model.start)}",
        "; ".join(_inputs(model.start)),
        _output(family),
        "; ".join(_limits(model.start)),
        PUBLIC.get(family.noun, ""),
        days,
        _evidence(family),
    )


def _link(group: type[Group]) -> str:
    return link(group.noun, f"reference/{group.noun.partition('.')[0]}.md")


def _names(start: Endpoint[..., Any]) -> str:
    hint = hints_of(start.request).get("model")
    words = [f"`{word}`" for word in literals(hint)] if hint else []
    return f" ({', '.join(words)})" if words else ""


def _inputs(start: Endpoint[..., Any]) -> Iterator[str]:
    media, hints = blueprint(start.request).media, hints_of(start.request)
    for info in msgspec.structs.fields(start.request):
        if info.name in {"prompt", "input", *media} and media.get(info.name, ("",)):
            what = kind_of(hints[info.name])
            name = f"**`{info.name}`**" if info.required else f"`{info.name}`"
            words = re.sub(r"URL or `Path` \((.*?)\)", r"\1", what.words) if info.name in media else ""
            yield " ".join(filter(None, (name, words, f"({what.limits})" if "entries" in what.limits else "")))


def _limits(start: Endpoint[..., Any]) -> Iterator[str]:
    media, hints = blueprint(start.request).media, hints_of(start.request)
    for info in msgspec.structs.fields(start.request):
        limits = kind_of(hints[info.name]).limits
        choices = [str(word) for word in literals(hints[info.name])] if info.name in _STATED else []
        told = limits if limits not in {"", "not empty"} else ", ".join(choices)
        if told and info.name not in {*media, "webhook_token", "timeout"}:
            yield f"`{info.name}` {told}"


def _output(family: Family) -> str:
    if family.base:
        return f"picture or video, as `{family.base}` is"
    if not family.pictures:
        return "video"
    return "pictures" if "image_urls" in family.results else "picture"


def _evidence(family: Family) -> str:
    row = family.start
    shown = row.task.result_field if row.task else ""
    doubt = re.search(r"\((.*?)\)", shown)
    field = f"`{family.results[0]}`" + (f", {doubt[1].partition(':')[0]}" if doubt else "")
    return f"{row.confidence} ({row.evidence}); result in {field if shown else 'no known field'}"
