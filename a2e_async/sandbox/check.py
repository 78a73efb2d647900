"""A request held against its row of the contract: types, ranges of words, what is missing or unknown."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import msgspec

from a2e_async.sandbox.contract import Param
from a2e_async.sandbox.wire import Refusal

Places: TypeAlias = Mapping[str, Mapping[str, object]]

_LARGEST = 2**53 - 1
"""The largest whole number that every reader of JSON takes for the same; NaN is not below it either."""
_TYPES: dict[str, type[object]] = {
    "string": str,
    "number": float,
    "integer": int,
    "boolean": bool,
    "array": list[object],
    "array[string]": list[str],
    "array[integer]": list[int],
    "object": dict[str, object],
}


def checked(
    params: Iterable[Param],
    found: Places,
    optional: frozenset[str] = frozenset(),
) -> dict[str, object]:
    """Return every parameter by name, converted and with defaults; Refusal names the first bad field.

    `found` maps a place (path, query, body) to what the request holds there.
    """
    args: dict[str, object] = {}
    for param in params:
        name = param.bare
        value = found.get(param.place, {}).get(name)
        if value == "" and param.required and name not in optional:
            raise Refusal(f"{name} must not be empty")
        if value is not None:
            args[name] = _read(param, name, value)
        elif param.default is not None:
            args[name] = param.default
        elif demanded(param, optional):
            raise Refusal(f"{name} is required")
    return args


def demanded(param: Param, optional: frozenset[str]) -> bool:
    """Tell whether a request without this parameter is refused; a guess at a name is never demanded."""
    return param.required and param.name == param.bare and param.bare not in optional


def unknown(params: Iterable[Param], found: Places) -> list[str]:
    """Return the names in query and body that the row does not have."""
    known = {(param.place, param.bare) for param in params}
    sent = ((place, name) for place in ("query", "body") for name in found.get(place, {}))
    return [name for place, name in sent if (place, name) not in known]


def _read(param: Param, name: str, value: object) -> object:
    try:
        # Not strict: old and new pages of the vendor disagree whether numbers come as text.
        read = msgspec.convert(value, _TYPES.get(param.type, object), strict=False)
        if isinstance(read, int | float) and not abs(read) <= _LARGEST:
            raise Refusal(f"{name} must be {param.type} within -{_LARGEST}..{_LARGEST}")
    except msgspec.ValidationError:
        raise Refusal(f"{name} must be {param.type}") from None
    if param.enum and read not in param.enum:
        raise Refusal(f"{name} must be one of {', '.join(map(str, param.enum))}")
    return read
