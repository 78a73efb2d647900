"""What a request must have at the least, read off its declaration."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec.structs import fields

from a2e_async._wire import Request, blueprint
from a2e_async.errors import RequestError

_PLAIN: dict[object, object] = {int: 1, float: 1.0, bool: True}


def least(request: type[Request], media: Mapping[str, str], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return values by attribute: those given by their wire names, the others made up.

    ``media`` has a URL for ``picture``, ``video`` and ``audio``. What the request itself then finds missing is added.
    """
    plan, hints, given = blueprint(request), get_type_hints(request, include_extras=True), given or {}

    def value(name: str) -> Any:
        if plan.names[name] in given:
            return given[plan.names[name]]
        accepted = plan.media.get(name)
        return _made(hints[name], media[accepted[0]] if accepted else "text", media)

    values = {info.name: value(info.name) for info in fields(request) if info.required}
    while problem := request(**values).problem():
        missing = next(name for name, wire in plan.names.items() if wire == problem[0])
        if missing in values:
            raise RequestError(problem[1], field=missing)
        values[missing] = value(missing)
    return values


def _made(hint: Any, text: str, media: Mapping[str, str]) -> Any:
    parts = [part for part in get_args(hint) if part is not type(None)]
    if get_origin(hint) is Annotated:
        metas = [part for part in parts[1:] if isinstance(part, msgspec.Meta)]
        low = next((int(number) for meta in metas for number in (meta.min_length, meta.ge) if number), 1)
        made: object = _made(parts[0], text, media)
        if isinstance(made, list):
            return cast("list[object]", made) * low
        return low if isinstance(made, int) else made
    if get_origin(hint) is Literal:
        return parts[0]
    if parts:
        inner = _made(parts[0], text, media)
        return [inner] if get_origin(hint) is list else inner
    if isinstance(hint, type) and issubclass(hint, Request):
        return hint(**least(hint, media))
    return _PLAIN.get(cast("object", hint), text)
