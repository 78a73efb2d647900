"""What two answers differ in, if only their shape counts: fields, types, status words, never values."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import msgspec

from a2e_async.tasks import WORDS

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | float | bool | None"

_HOLDERS = frozenset({"object", "array"})
_DEEPEST = 60
_NAMED = 60
_STATUS = frozenset({"current_status", "status"})


class Difference(msgspec.Struct, frozen=True):
    """One difference: where it is, and what stands there on either side; "-" is nothing."""

    where: str
    live: str
    sandbox: str


Shape: TypeAlias = Mapping[str, set[str]]
"""Path, such as data.rows[].name -> the types that were seen there."""


def differences(live: JSON, ours: JSON) -> Iterator[Difference]:
    """Yield what two answers, decoded from JSON, differ in: the uppermost place of each difference.

    All entries of a list count as one. What is null or an empty list says nothing of what it might hold.
    """
    theirs, own = shape(live), shape(ours)
    for where in sorted(theirs.keys() | own.keys()):
        left, right = theirs.get(where), own.get(where)
        if where and not _alike(theirs, own, where):
            continue
        if left is None or right is None:
            differ = not where.endswith("[]")
        else:
            differ = left.isdisjoint(right) and "null" not in left | right
        if differ:
            yield Difference(where or "body", _named(left), _named(right))
    yield from _unknown_words(live, ours)


def _alike(theirs: Shape, own: Shape, where: str) -> bool:
    """Tell whether what holds a place is there on both sides, as the same kind of thing."""
    holder = where.removesuffix("[]") if where.endswith("[]") else where.rpartition(".")[0]
    return not _HOLDERS.isdisjoint(theirs.get(holder, set()) & own.get(holder, set()))


def shape(value: JSON) -> Shape:
    """Return the types of everything in a value."""
    found: dict[str, set[str]] = {}
    for where, one in walk(value):
        found.setdefault(where, set()).add(_kind(one))
    return found


def walk(value: JSON, where: str = "", depth: int = 0) -> Iterator[tuple[str, JSON]]:
    """Yield a value and all within it, each with its path; what is nested deeper than sixty levels is left out."""
    yield where, value
    if depth == _DEEPEST:
        return
    if isinstance(value, dict):
        for name, one in value.items():
            yield from walk(one, f"{where}.{name[:_NAMED]}".removeprefix("."), depth + 1)
    elif isinstance(value, list):
        for one in value:
            yield from walk(one, f"{where}[]", depth + 1)


def words(value: JSON) -> Iterator[tuple[str, str]]:
    """Yield the status words in an answer, each with its path."""
    for where, one in walk(value):
        if where.rpartition(".")[2] in _STATUS and isinstance(one, str) and one:
            yield where, one


def is_known(word: str) -> bool:
    """Tell whether a status word is one of those that were ever seen."""
    return word.strip().casefold() in WORDS


def refusal(answer: JSON) -> bool:
    """Tell whether the envelope of an answer says that it is a refusal."""
    return isinstance(answer, dict) and bool(answer.get("code"))


def _unknown_words(live: JSON, ours: JSON) -> Iterator[Difference]:
    # Other things have a status, too: it is a task's where the sandbox has a task's there.
    tasks = {where for where, word in words(ours) if is_known(word)}
    for where, word in words(live):
        if where in tasks and not is_known(word):
            yield Difference(where, f"unknown word {word[:_NAMED]!r}", "-")


def _kind(value: JSON) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def _named(kinds: set[str] | None) -> str:
    return " or ".join(sorted(kinds)) if kinds else "-"
