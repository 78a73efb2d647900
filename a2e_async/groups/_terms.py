"""Words and checks that several of the newer families share."""

from collections.abc import Iterable, Mapping
from mimetypes import guess_type
from os import PathLike, fspath
from pathlib import PurePath
from typing import Annotated, Literal, NamedTuple, cast
from urllib.parse import urlsplit

from msgspec import Meta

from a2e_async._wire import AS_TEXT, Request, blueprint

Seconds = Annotated[int, Meta(ge=1), AS_TEXT]
"""Length of a video in whole seconds."""
FiveOrTen = Annotated[Literal[5, 10], AS_TEXT]
"""Length of a video in seconds."""
SixOrTen = Annotated[Literal[6, 10], AS_TEXT]
"""Length of a video in seconds."""
Patience = Annotated[float, Meta(gt=0)]
"""Seconds after which the service gives up."""
Source = Literal["text-to-video", "image-to-video"]
"""What a video is made from."""
Material = dict[str, str | float | bool] | str
"""Media in a form that is not public; local files are not found in it, so `Files.upload` has to come first."""


class Way(NamedTuple):
    """What one way of working takes besides what all of them take."""

    needs: tuple[str, ...] = ()
    """All of these fields."""
    one_of: tuple[str, ...] = ()
    """At least one of these."""
    takes: tuple[str, ...] = ()
    """Any of these."""


def unfit(request: Request, switch: str, ways: Mapping[str, Way]) -> tuple[str, str] | None:
    """Say which field does not go with the way that ``switch`` chooses; None, too, where the service chooses."""
    names = blueprint(type(request)).names
    chosen = getattr(request, switch)
    way = ways.get(chosen)
    if way is None:
        return None
    told = f"{names[switch]}={chosen}"
    for name in way.needs:
        if not getattr(request, name):
            return names[name], f"{told} needs it."
    if way.one_of and not given(request, way.one_of):
        return names[way.one_of[0]], f"{told} needs {_or(names[name] for name in way.one_of)}."
    mine = {*way.needs, *way.one_of, *way.takes}
    for name in dict.fromkeys(name for other in ways.values() for name in (*other.needs, *other.one_of, *other.takes)):
        if name not in mine and getattr(request, name):
            others = _or(word for word, other in ways.items() if name in {*other.needs, *other.one_of, *other.takes})
            return names[name], f"belongs to {names[switch]} {others}, not to {chosen}."
    return None


def given(request: Request, names: Iterable[str]) -> list[str]:
    """Return those of the fields that hold something."""
    return [name for name in names if getattr(request, name)]


def twice(request: Request, one: str, other: str) -> tuple[str, str] | None:
    """Refuse two fields that say the same."""
    if given(request, (one, other)) != [one, other]:
        return None
    names = blueprint(type(request)).names
    return names[other], f"is given beside {names[one]}: give one of them."


def lonely(request: Request, name: str, beside: Iterable[str]) -> tuple[str, str] | None:
    """Refuse a field without any of those that it belongs to."""
    if not getattr(request, name) or given(request, beside):
        return None
    names = blueprint(type(request)).names
    return names[name], f"belongs to {_or(names[other] for other in beside)}, which is missing."


def empty(request: Request, names: Iterable[str]) -> tuple[str, str] | None:
    """Refuse a request that gives the model nothing to go by."""
    if given(request, names):
        return None
    wires = [blueprint(type(request)).names[name] for name in names]
    return wires[0], f"give {_or(wires)}: there is nothing to go by."


def unsent(media: Iterable[object] | None) -> str:
    """Say that a local file would not be uploaded, as it stands where none is looked for; '' if none does."""
    for one in media or ():
        parts = cast("dict[str, object]", one).values() if isinstance(one, dict) else (one,)
        if any(isinstance(part, PathLike) for part in parts):
            return "local files are not uploaded from here: give the URL that a2e.files.upload(path) returns."
    return ""


def misnamed(video: str | PathLike[str], suffixes: Iterable[str]) -> str:
    """Say of a video whose name tells another format that it is not taken; '' where it is, or nothing tells."""
    path = PurePath(urlsplit(video).path if isinstance(video, str) else fspath(video))
    suffix = path.suffix.lower()
    medium = (guess_type(path.name, strict=False)[0] or "").partition("/")[0]
    if suffix in suffixes or medium not in {"video", "audio", "image"}:
        return ""
    return f"{suffix} is not taken: {_or(suffixes)}."


def _or(words: Iterable[str]) -> str:
    return " or ".join(words)
