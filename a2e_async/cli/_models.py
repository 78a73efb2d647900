"""The newer model families by what people type: a prompt, pictures to begin with, and which model."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple, cast, get_args, get_origin, get_type_hints

import msgspec

from a2e_async._endpoint import Group, subgroup
from a2e_async._fields import Fields, did_you_mean
from a2e_async._wire import Request, blueprint
from a2e_async.errors import RequestError
from a2e_async.tasks import KINDS, Task, TaskKind

_SWITCHES = ("mode", "task_type", "model_type", "generation_type")
"""What tells a video model what it is to begin with."""
_MODELS = ("model", "model_type", "model_version", "version")
_FROM_TEXT = re.compile("t2v|text", re.IGNORECASE)
_FROM_PICTURE = re.compile("i2v|image|first", re.IGNORECASE)
_WANTED = frozenset({"name", "prompt", *_SWITCHES})
_NAME = 40


class Ask(NamedTuple):
    """What is to be made, in the words of a command line; empty where nothing is said."""

    prompt: str
    model: str
    inputs: list[str]
    more: dict[str, str]
    """Further fields of the start by name, such as `aspect_ratio`."""


def request_for(ask: Ask, group: type[Group]) -> tuple[TaskKind[..., Task], Request]:
    """Return the kind of task that the model belongs to, and its request; RequestError names what is wrong."""
    word, _, variant = ask.model.partition(":")
    found = dict(families(group))
    if word not in found:
        choices = ", ".join(found)
        raise RequestError(f"no model family {word!r}: {did_you_mean(word, found)}Families: {choices}.", field="model")
    kind = found[word]
    start = kind.start.request
    fields = Fields(start)
    given: dict[str, object] = {"prompt": ask.prompt}
    if "name" in fields.names:
        given["name"] = ask.prompt[:_NAME]
    given |= _begin(word, start, ask.inputs)
    if variant:
        given |= _variant(word, start, variant)
    for name, text in ask.more.items():
        if text and name not in fields.names:
            raise RequestError(f"{word} takes none.", field=name)
    return kind, fields.request(given | {name: text for name, text in ask.more.items() if text})


def families(group: type[Group]) -> Iterator[tuple[str, TaskKind[..., Task]]]:
    """Yield the families of a group that make something of a prompt and, perhaps, media of one kind."""
    for name, item in vars(group).items():
        if isinstance(item, subgroup):
            inner = vars(cast("subgroup[Group]", item).group)
            kind = next((kind for kind in KINDS.values() if kind.start is inner.get("start")), None)
            if kind and _takes_prompt(kind.start.request):
                yield name, kind


def _takes_prompt(start: type[Request]) -> bool:
    """Tell whether a prompt is enough, or a prompt and media for one field."""
    plan, needed = blueprint(start), _needed(start)
    return "prompt" in plan.names and len(needed) <= 1 and needed <= plan.media.keys()


def _needed(start: type[Request]) -> set[str]:
    """Return what a start needs besides a prompt and what follows from it."""
    return {info.name for info in msgspec.structs.fields(start) if info.required} - _WANTED


def _begin(family: str, start: type[Request], inputs: Sequence[str]) -> dict[str, object]:
    """Return the fields that say what to begin with."""
    given: dict[str, object] = {}
    for name, words in _words(start):
        wanted = _FROM_PICTURE if inputs else _FROM_TEXT
        if name in _SWITCHES and any(map(_FROM_TEXT.match, words)):
            given[name] = next(word for word in words if wanted.match(word))
    if not inputs and _needed(start):
        raise RequestError(f"{family} needs something to begin with.", field="input")
    if not inputs:
        return given
    places = _places(start)
    wide = [name for name in places if Fields(start).repeatable(name)]
    if len(inputs) > 1 and not wide:
        raise RequestError(f"{family} takes one, not {len(inputs)}.", field="input")
    place = wide[0] if len(inputs) > 1 else places[0]
    return given | {place: list(inputs) if place in wide else inputs[0]}


def _places(start: type[Request]) -> list[str]:
    """Return the fields for what to begin with: what is needed, or what takes pictures and is no last one or model."""
    media = blueprint(start).media
    first = [name for name in media if not name.startswith(("reference_", "last_", "end_"))]
    return [name for name in media if name in _needed(start)] or [name for name in first if "picture" in media[name]]


def _variant(family: str, start: type[Request], variant: str) -> dict[str, object]:
    """Return the field that chooses a model of a family."""
    known = {word: name for name, words in _words(start) if name in _MODELS for word in words}
    known = {word: name for word, name in known.items() if not _FROM_TEXT.match(word) and "image-to" not in word}
    if variant in known:
        return {known[variant]: variant}
    has = f"{family} has {', '.join(known)}." if known else f"{family} has only one."
    raise RequestError(f"no model {variant!r}: {did_you_mean(variant, known)}{has}", field="model")


def _words(start: type[Request]) -> Iterator[tuple[str, list[str]]]:
    """Yield the fields that take one of a few words, with those; Sora's are two that no type tells."""
    hints = get_type_hints(start)
    for info in msgspec.structs.fields(start):
        words = [word for word in literals(hints[info.name]) if isinstance(word, str)]
        if info.default == "image-to-video" and not words:
            words = ["text-to-video", "image-to-video"]
        if words:
            yield info.name, words


def literals(hint: Any) -> Iterator[object]:
    """Yield the words that a type takes, whatever else it takes."""
    if get_origin(hint) is Literal:
        yield from get_args(hint)
        return
    for part in get_args(hint):
        yield from literals(part)
