"""What the contract says of types, as JSON Schema: its prose is read as far as it names one."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

Schema: TypeAlias = dict[str, object]

_KIND = re.compile(r"\b(string|integer|number|boolean|array|object|null)\b")
_WORDS = re.compile(r"\w+(\|\w+)+")
_ENTRY = re.compile(r"array\[(\w+)\]")
_SPAN = re.compile(r"integer (\d+)\.\.(\d+)")
_STEP = re.compile(r"\[\]|[^.\[\]?]+")
_OPEN = re.compile(r"unspecified|not stated|not settled|a single OBJECT")
"""Where the contract names types without deciding between them."""


def data_schema(response: Mapping[str, str]) -> Schema:
    """Return the schema of a row's `data`. What was seen in an answer need not be in all: no field is required."""
    steps = [(_STEP.findall(path), text) for path, text in response.items()]
    return _schema([(path[1:], text) for path, text in steps if path[0] == "data"])


def typed(text: str) -> Schema:
    """Return the schema that a text such as `string|null` or `array[string] (may be filled)` stands for."""
    head = re.split(r"[,:;(]| of ", text.lower())[0].strip()
    schema: Schema = {"description": text} if head != text else {}
    kinds = _KIND.findall(head)
    if _OPEN.search(text) or kinds == ["null"]:  # an example that was null tells no type
        return schema
    if span := _SPAN.match(text):
        schema |= {"minimum": int(span[1]), "maximum": int(span[2])}
    if entry := _ENTRY.fullmatch(head):
        schema["items"], kinds = {"type": entry[1]}, ["array"]
    if not kinds and _WORDS.fullmatch(head):
        schema["enum"], kinds = head.split("|"), ["string"]
    elif kinds and "null" in text and "null" not in kinds:
        kinds.append("null")
    if kinds:
        schema["type"] = kinds if len(kinds) > 1 else kinds[0]
    return schema


def _schema(fields: Iterable[tuple[Sequence[str], str]]) -> Schema:
    schema: Schema | None = None
    below: dict[str, list[tuple[Sequence[str], str]]] = {}
    for path, text in fields:
        if path:
            below.setdefault(path[0], []).append((path[1:], text))
        else:
            schema = typed(text)
    items = below.pop("[]", None)
    if schema is None:
        schema = {"type": "array"} if items else {"type": "object"} if below else {}
    if items:
        schema["items"] = _schema(items)
    if below:
        schema["properties"] = {name: _schema(fields) for name, fields in below.items()}
    return schema
