"""From text and JSON to a request, by the types that the request declares."""

from collections.abc import Container, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast, get_args, get_origin, get_type_hints

import msgspec

from a2e_async._wire import UNREADABLE, Request, blueprint, choice, part_in
from a2e_async.errors import RequestError


class Fields:
    """The fields of a request, by their own names and those on the wire; ``also`` are names that mean no field.

    Local files are relative to ``folder``. What is wrong raises RequestError.
    """

    def __init__(self, request: type[Request], *, folder: Path = Path(), also: Iterable[str] = ()) -> None:
        plan = blueprint(request)
        self._make, self._folder, self._media = request, folder, plan.media
        self._hints = get_type_hints(request, include_extras=True)
        self._required = [info.name for info in msgspec.structs.fields(request) if info.required]
        self.names = plan.names | {name: name for name in also}
        """Attribute -> wire name."""

    def attribute(self, key: str, word: str = "field") -> str:
        """Return the attribute that a key means; the word says what a wrong one is."""
        return _attribute(key, self.names, word)

    def missing(self, given: Container[str]) -> list[str]:
        """Return the required attributes that are not among those given."""
        return [name for name in self._required if name not in given]

    def repeatable(self, name: str) -> bool:
        """Tell whether an attribute is a list."""
        return _lists(self._hints[name])

    def request(self, given: Mapping[str, object]) -> Request:
        """Build the request from text, or lists and objects as JSON has them, by attribute."""
        if missing := self.missing(given):
            raise RequestError(f"missing: {', '.join(missing)}.")
        values: dict[str, object] = {}
        for name, value in given.items():
            try:
                values[name] = self._value(name, value)
            except (*UNREADABLE, RequestError, RuntimeError) as error:  # RuntimeError: no home
                allowed = choice(self._hints[name]) if isinstance(error, msgspec.ValidationError) else ""
                raise RequestError(f"{str(error).rstrip('.')}{allowed or '.'}", field=name) from None
        return self._make(**values)

    def _value(self, name: str, given: object) -> object:
        hint, accepted = self._hints[name], self._media.get(name)
        if accepted is None:
            return _convert(given, hint)
        listed = _lists(hint)
        found: Any = _convert(given, list[str] if listed else str)
        if not accepted:
            return found
        return [self._place(one) for one in found] if listed else self._place(found)

    def _place(self, text: str) -> str | Path:
        if "\0" in text:
            raise RequestError("holds a NUL character.")
        return text if is_url(text) else self._folder / Path(text).expanduser()


def is_url(text: str) -> bool:
    """Tell a URL from the path of a local file."""
    return text.lower().startswith(("http://", "https://"))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question that names the nearest of the known words; '' where none is near."""
    near = get_close_matches(word, known, 1)
    return f"did you mean {near[0]!r}? " if near else ""


def _attribute(key: str, names: Mapping[str, str], word: str = "field") -> str:
    known = {wire: name for name, wire in names.items()} | {name: name for name in names}
    if key in known:
        return known[key]
    takes = f"It takes {', '.join(names)}." if names else "It takes none."
    raise RequestError(f"no {word} {key!r}: {did_you_mean(key, known)}{takes}")


def _convert(given: object, hint: Any) -> object:
    if isinstance(given, str):
        if given.startswith(("{", "[")):
            try:
                return msgspec.convert(given, hint, strict=False)
            except msgspec.ValidationError:  # it is no text, then
                given = msgspec.json.decode(given)
        elif _lists(hint):
            given = [given]
    return msgspec.convert(_wired(given, hint), hint, strict=False)


def _wired(data: object, hint: Any) -> object:
    """Give the fields of an object within a request the names that they have on the wire."""
    part = part_in(hint)
    if part and isinstance(data, list):
        return [_wired(one, hint) for one in cast("list[object]", data)]
    if not part or not isinstance(data, dict):
        return data
    names = blueprint(part).names
    return {names[_attribute(key, names)]: value for key, value in cast("dict[str, object]", data).items()}


def _lists(hint: Any) -> bool:
    return get_origin(hint) is list or any(_lists(part) for part in get_args(hint))
