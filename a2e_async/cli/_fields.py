"""From `key=value` words to a request, by the types that the request declares."""

from collections.abc import Sequence
from typing import Any, cast, get_args, get_origin, get_type_hints

import msgspec

from a2e_async._endpoint import Endpoint
from a2e_async._wire import Request, blueprint
from a2e_async.cli._inputs import media
from a2e_async.cli._terminal import did_you_mean
from a2e_async.errors import RequestError


def request_of(endpoint: Endpoint[..., Any], words: Sequence[str]) -> Request:
    """Build the request of an endpoint; raise RequestError for what it does not take or still needs."""
    try:
        return _request(endpoint.request, words)
    except msgspec.ValidationError as error:
        raise RequestError(str(error), endpoint=f"{endpoint.noun}.{endpoint.name}") from None


def _request(cls: type[Request], words: Sequence[str]) -> Request:
    plan = blueprint(cls)
    hints = get_type_hints(cls, include_extras=True)
    given = _given(words, plan.names)
    missing = [info.name for info in msgspec.structs.fields(cls) if info.required and info.name not in given]
    if missing:
        raise msgspec.ValidationError(f"missing: {', '.join(missing)}.")
    values: dict[str, object] = {}
    for name, texts in given.items():
        try:
            values[name] = _value(texts, hints[name], plan.media.get(name))
        except (msgspec.DecodeError, RecursionError) as error:
            raise msgspec.ValidationError(f"{name}: {str(error).rstrip('.')}.") from None
    return cls(**values)


def _given(words: Sequence[str], names: dict[str, str]) -> dict[str, list[str]]:
    given: dict[str, list[str]] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise msgspec.ValidationError(f"{word!r} is no key=value.")
        given.setdefault(_attribute(key, names), []).append(text)
    return given


def _attribute(key: str, names: dict[str, str]) -> str:
    """Return the attribute that a key means: by its own name, or by that on the wire."""
    known = {wire: name for name, wire in names.items()} | {name: name for name in names}
    if key in known:
        return known[key]
    takes = f"It takes {', '.join(names)}." if names else "It takes none."
    raise msgspec.ValidationError(f"no field {key!r}: {did_you_mean(key, known)}{takes}")


def _value(texts: list[str], hint: Any, accepted: tuple[str, ...] | None) -> object:
    listed = _lists(hint)
    if accepted is None:
        return _convert(texts, hint, listed=listed)
    found: Any = _convert(texts, list[str] if listed else str, listed=listed)
    if not accepted:
        return found
    return [media(one) for one in found] if listed else media(found)


def _convert(texts: list[str], hint: Any, *, listed: bool) -> object:
    if len(texts) > 1 and not listed:
        raise msgspec.ValidationError("given more than once, but it is no list")
    first = texts[0]
    if len(texts) == 1 and first.startswith(("{", "[")):
        try:
            return msgspec.convert(first, hint, strict=False)
        except msgspec.ValidationError:  # it is no text, then
            return msgspec.convert(_wired(msgspec.json.decode(first), hint), hint, strict=False)
    return msgspec.convert(texts if listed else first, hint, strict=False)


def _wired(data: Any, hint: Any) -> object:
    """Give the fields of an object within a request the names that they have on the wire."""
    inner = [part for part in get_args(hint) if isinstance(part, type) and issubclass(part, Request)]
    if not inner or not isinstance(data, dict):
        return data
    names = blueprint(inner[0]).names
    return {names[_attribute(key, names)]: value for key, value in cast("dict[str, object]", data).items()}


def _lists(hint: Any) -> bool:
    return get_origin(hint) is list or any(_lists(part) for part in get_args(hint))
