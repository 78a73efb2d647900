"""Requests: Structs that check themselves, find their local files and become the bytes to send. Pure."""

from collections.abc import Callable
from math import isfinite
from os import PathLike
from pathlib import PurePath
from typing import Annotated, Any, Literal, cast, dataclass_transform, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import field
from msgspec.json import Decoder, Encoder

from a2e_async._secret import Secret
from a2e_async.errors import RequestError

Picture = Annotated[str | PathLike[str], msgspec.Meta(extra={"media": ("picture",)})]
"""A public URL of a picture, or a local file as a Path, which is uploaded first."""
Clip = Annotated[str | PathLike[str], msgspec.Meta(extra={"media": ("video", "picture")})]
"""A public URL of a video or a picture, or a local file as a Path, which is uploaded first."""
Video = Annotated[str | PathLike[str], msgspec.Meta(extra={"media": ("video",)})]
"""A public URL of a video, or a local file as a Path, which is uploaded first."""
Sound = Annotated[str | PathLike[str], msgspec.Meta(extra={"media": ("audio",)})]
"""A public URL of a recording, or a local file as a Path, which is uploaded first."""
Footage = Annotated[str | PathLike[str], msgspec.Meta(extra={"media": ("video", "audio")})]
"""A public URL of a video or a recording, or a local file as a Path, which is uploaded first."""
Link = Annotated[str, msgspec.Meta(extra={"media": ()})]
"""A public http(s) URL."""
AS_TEXT = msgspec.Meta(extra={"text": True})
"""Marks a number that the service takes as text only."""


_SECRETS = frozenset({"token", "password", "webhook_token"})
# A deep nest of brackets is no malformed JSON to the decoder: it runs out of stack.
UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)
"""What a decoder raises for bytes that are not what they should be."""


class _WireMeta(msgspec.StructMeta):
    # msgspec does not inherit kw_only.
    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **options: Any) -> Any:
        every: dict[str, Any] = {"kw_only": True, "frozen": True} | options
        return super().__new__(cls, name, bases, namespace, **every)


class _Discreet(msgspec.Struct, metaclass=_WireMeta, frozen=True, kw_only=True):
    # What is shown of a record or a request, by whatever, shows no secret in it.
    def __rich_repr__(self) -> list[tuple[str, Any]]:
        shown = super().__rich_repr__()
        return [(name, Secret(value) if value and name in _SECRETS else value) for name, value in shown]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


# Type checkers see neither option through a base class; mypy heeds the marks of classes before a metaclass's.
@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Request(_Discreet, frozen=True, kw_only=True, omit_defaults=True):
    """What a call sends: keyword-only, frozen, defaults left out."""

    def problem(self) -> tuple[str, str] | None:
        """Return the field and the reason, where fields do not go together."""
        return None


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(field,))
class Reply(_Discreet, frozen=True, kw_only=True):
    """What a call returns: unknown fields are ignored."""


class Nothing(Request):
    """A call without parameters."""


class ById(Request):
    """One record."""

    id: str = field(name="_id")
    """Record id, 24 hex digits."""

    def problem(self) -> tuple[str, str] | None:
        """Refuse what would lead to another path, like ``..`` does."""
        return None if any(map(str.isalnum, str(self.id))) else ("_id", "holds no letter and no digit.")


class Rename(ById):
    """A new name for a record."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    """The new name."""


class ByIds(Request):
    """Many records in one request."""

    ids: Annotated[list[str], msgspec.Meta(max_length=200)]
    """Record ids, at most 200; duplicates are dropped, unknown ones are left out of the answer."""


class PageQuery(Request):
    """One page of a listing, newest first."""

    page: Annotated[int, msgspec.Meta(ge=1)] = field(default=1, name="pageNum")
    """Page number, from 1."""
    size: Annotated[int, msgspec.Meta(ge=1, le=100)] = field(default=100, name="pageSize")
    """Rows per page, 1 to 100."""


class CurrentQuery(Request):
    """One page of a listing, newest first."""

    page: Annotated[int, msgspec.Meta(ge=1)] = field(default=1, name="current")
    """Page number, from 1."""
    size: Annotated[int, msgspec.Meta(ge=1, le=100)] = field(default=100, name="pageSize")
    """Rows per page, 1 to 100."""


def _placeholder(value: object) -> str:
    if isinstance(value, PathLike):
        return PurePath(cast("PathLike[str]", value)).name
    raise TypeError(f"a value of type {type(value).__name__} cannot be sent")


_plainly = Encoder(enc_hook=_placeholder).encode


def encode(value: object) -> bytes:
    """Return the bytes to send: numbers that the service takes as text only are written as such."""
    texts = blueprint(type(value)).texts if isinstance(value, Request) else ()
    if not texts:
        return _plainly(value)
    members: dict[str, Any] = msgspec.to_builtins(value, enc_hook=_placeholder)
    return _plainly(members | {name: str(members[name]) for name in texts if name in members})


class Blueprint(msgspec.Struct, frozen=True):
    """What is known of a request class once its annotations are read."""

    media: dict[str, tuple[str, ...]]
    """Attribute -> accepted media; a plain link accepts none."""
    names: dict[str, str]
    """Attribute -> wire name."""
    parts: dict[str, type[Request]]
    """Attribute -> what it holds one or many of, where that is a request's part with names of its own."""
    texts: tuple[str, ...]
    """Wire names of the numbers that go as text."""
    check: Callable[[bytes], object]
    """Decoder that raises where the request, plainly encoded, breaks its own declaration."""


_blueprints: dict[type[Request], Blueprint] = {}


def blueprint(cls: type[Request]) -> Blueprint:
    """Read the annotations of a request class, once."""
    known = _blueprints.get(cls)
    if known is None:
        known = _blueprints[cls] = _draw(cls)
    return known


def _draw(cls: type[Request]) -> Blueprint:
    hints = get_type_hints(cls, include_extras=True)
    fields = msgspec.structs.fields(cls)
    media: dict[str, tuple[str, ...]] = {}
    texts: list[str] = []
    plain: list[tuple[str, Any, Any]] = []
    for info in fields:
        hint, extras = hints[info.name], _extras(hints[info.name])
        marks = [extra["media"] for extra in extras if "media" in extra]
        if marks:
            media[info.name], hint = marks[0], _without_paths(hint)
        if any("text" in extra for extra in extras):
            texts.append(info.encode_name)
        if info.required:
            plain.append((info.name, hint, field(name=info.encode_name)))
        else:
            plain.append((info.name, hint | None, field(name=info.encode_name, default=None)))
    # Paths have no place in a decoder; a twin with plain types checks the very bytes that would be sent.
    twin = msgspec.defstruct(cls.__name__, plain, kw_only=True)
    names = {info.name: info.encode_name for info in fields}
    parts = {name: part for name in names if (part := part_in(hints[name]))}
    return Blueprint(media, names, parts, tuple(texts), Decoder(twin).decode)


def part_in(hint: Any) -> type[Request] | None:
    """Return the class of a part that an annotation speaks of, by itself or in a list."""
    if isinstance(hint, type) and issubclass(hint, Request):
        return hint
    return next(filter(None, map(part_in, get_args(hint))), None)


def _without_paths(hint: Any) -> Any:
    for part in (hint, *get_args(hint)):
        if get_origin(getattr(part, "__origin__", None)) is list:
            return Annotated[list[str], *part.__metadata__]
        if get_origin(part) is list:
            return list[str]
    return str


def _extras(hint: Any) -> list[dict[str, Any]]:
    found = [meta.extra for meta in getattr(hint, "__metadata__", ()) if isinstance(meta, msgspec.Meta) and meta.extra]
    return found + [extra for part in get_args(hint) for extra in _extras(part)]


def media_of(request: Request, name: str) -> list[str | PathLike[str]]:
    """Return the URLs and files that a field holds: none, one, or a list."""
    value: Any = getattr(request, name)
    return list(cast("list[str]", value)) if isinstance(value, list) else [] if value is None else [value]


def has_files(request: Request) -> bool:
    """Tell whether a request names local files, which have to be uploaded."""
    names = blueprint(type(request)).media
    return any(not isinstance(value, str) for name in names for value in media_of(request, name))


def refuse(request: Request, plan: Blueprint, endpoint: str) -> bool:
    """Raise RequestError, naming the wire field, for what the service is known not to take.

    Return whether there are local files, which have to be uploaded.
    """
    files = False
    for name, accepted in plan.media.items():
        for value in cast("list[object]", media_of(request, name)):
            if not isinstance(value, str):
                files = True
                reason = "" if isinstance(value, PathLike) else f"is no URL and no path, but {type(value).__name__}."
            else:
                reason = url_problem(value, local=bool(accepted))
            if reason:
                raise RequestError(reason, field=plan.names[name], endpoint=endpoint)
    for name, part in plan.parts.items():
        odd = [one for one in cast("list[object]", media_of(request, name)) if not isinstance(one, part)]
        if odd:
            reason = f"is no {part.__name__}, but {type(odd[0]).__name__}."
            raise RequestError(reason, field=plan.names[name], endpoint=endpoint)
    try:
        plan.check(_finite(request, plan, endpoint))
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at `$")
        where = where.strip("`.")
        hints = get_type_hints(type(request), include_extras=True)
        hint = next((hints[name] for name, wire in plan.names.items() if wire == where), None)
        raise RequestError(text + choice(hint), field=where, endpoint=endpoint) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestError(str(error), endpoint=endpoint) from None
    if problem := request.problem():
        raise RequestError(problem[1], field=problem[0], endpoint=endpoint)
    return files


def _finite(request: Request, plan: Blueprint, endpoint: str) -> bytes:
    sent = _plainly(request)
    if b"null" in sent:  # what JSON has for a number that is none
        for name, wire in plan.names.items():
            if isinstance(value := getattr(request, name), float) and not isfinite(value):
                raise RequestError(f"is no number that can be sent: {value}.", field=wire, endpoint=endpoint)
    return sent


def choice(hint: Any) -> str:
    """Say which words or numbers an annotation allows, where they are few."""
    words = _literals(hint)
    return f": it takes {', '.join(map(str, words))}." if words else ""


def _literals(hint: Any) -> list[Any]:
    parts = get_args(hint)
    return list(parts) if get_origin(hint) is Literal else [word for part in parts for word in _literals(part)]


def url_problem(url: str, *, local: bool) -> str:
    """Say why the service would not take this media URL ('' where it would): contract 1.5."""
    if not url[:8].lower().startswith(("http://", "https://")):
        hint = " A local file is given as pathlib.Path(...) and uploaded first." if local else ""
        return f"{url[:80]!r} is no http(s) URL.{hint}"
    if url.split() != [url]:
        return f"{url[:80]!r} holds a space, which the service refuses: write %20, or rename the file."
    if len(url) > 2048:
        return f"the URL is {len(url)} characters long; 2048 is the most."
    if "[" in url or "]" in url or not url.isascii():
        try:
            urlsplit(url)
        except ValueError as error:
            return f"{url[:80]!r} is no URL ({error})."
    return ""
