"""From `key=value` words to a request, by the types that the request declares."""

from collections.abc import Sequence
from typing import Any, get_args, get_origin, get_type_hints

import msgspec

from a2e_async._endpoint import Endpoint
from a2e_async._wire import Request, blueprint
from a2e_async.cli._inputs import media
from a2e_async.cli._terminal import did_you_mean
from a2e_async.errors import RequestError


def request_of(endpoint: Endpoint[..., Any], words: Sequence[str]) -> Request:
    """Build the request of an endpoint; raise RequestError for what it does not take or still needs."""
    where = f"{endpoint.noun}.{endpoint.name}"
    plan = blueprint(endpoint.request)
    hints = get_type_hints(endpoint.request, include_extras=True)
    given = _given(words, plan.names, where)
    missing = [info.name for info in msgspec.structs.fields(endpoint.request) if info.required]
    if missing := [name for name in missing if name not in given]:
        raise RequestError(f"missing: {', '.join(missing)}.", endpoint=where)
    values: dict[str, object] = {}
    for name, texts in given.items():
        try:
            values[name] = _value(texts, hints[name], plan.media.get(name))
        except (msgspec.DecodeError, RecursionError) as error:
            raise RequestError(f"{error}.", field=name, endpoint=where) from None
    return endpoint.request(**values)


def _given(words: Sequence[str], names: dict[str, str], where: str) -> dict[str, list[str]]:
    known = {wire: name for name, wire in names.items()} | {name: name for name in names}
    given: dict[str, list[str]] = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals:
            raise RequestError(f"{word!r} is no key=value.", endpoint=where)
        if key not in known:
            takes = f"It takes {', '.join(names)}." if names else "It takes none."
            raise RequestError(f"no field {key!r}: {did_you_mean(key, known)}{takes}", endpoint=where)
        given.setdefault(known[key], []).append(text)
    return given


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
            return msgspec.json.decode(first, type=hint, strict=False)
    return msgspec.convert(texts if listed else first, hint, strict=False)


def _lists(hint: Any) -> bool:
    return get_origin(hint) is list or any(_lists(part) for part in get_args(hint))
