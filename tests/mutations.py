"""Inputs that nobody would write: real ones, changed in their structure and in their bytes, drawn from one source."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path, PurePath
from random import Random
from typing import Any
from uuid import UUID

import msgspec

Draw = Random
"""`random.Random`, or what hypothesis draws from."""


class Raw(bytes):
    """A piece of JSON, or of what only looks like it, written as it is."""

    __slots__ = ()


class Pairs(list[tuple[str, Any]]):
    """An object's members, the same name twice if need be."""

    __slots__ = ()


KEYS = (
    "_id", "id", "code", "data", "rows", "list", "count", "total", "msg", "message", "errors", "trace_id", "name",
    "current_status", "status", "result_url", "result", "coins", "createdAt", "updatedAt", "completed_time",
    "failed_message", "faild_message", "failed_code", "error_code", "error", "children", "value", "token", "kind",
    "a2e", "until", "state", "key", "", "\x00", "ü", "__class__",
)  # fmt: skip
_TEXTS = (
    "", " ", "0", "-0", "1003", "null", "true", "a", "completed", "COMPLETED ", "fail", "nan", "inf", "1e5", "1_0", "²",
    "\x00", "ü🙂", "\u2028", "\u202e", "..", "../../x", "{", "[1", "2026-01-01T03:20:22.436Z", "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59", "2026-01-01", "2026-W01-1T25", "http://[", "https://a:99999999/b", "http://a/%zz",
    "https://exa mple/x", "insufficient coins", "x" * 300, "ab" * 12, "f" * 24, "-1234567" + "a" * 16, " 12_4567" + "a" * 16,
)  # fmt: skip
_NUMBERS = (0, 1, -1, 7, 1003, 1004, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 0.5, -0.0, 1e308, 5e-324)
_RAW = (
    b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-", b"01", b"1.", b".5", b"0x10", b"9" * 400, b"9" * 5000,
    b"-" + b"9" * 40, b"1e-999", b'"\\ud800"', b'"\\udc00x"', b'"\\u0000"', b'"\xff"', b'"\xc3"', b'"\xed\xa0\x80"',
    b'"\\x"', b'"', b"'a'", b"tru", b"None", b"undefined", b"", b" ", b"//x", b"\xef\xbb\xbf", b'{"a":1,}', b"[1,]",
    b"{1:2}", b'{"a"}', b"[" * 50, b'{"":' * 50,
)  # fmt: skip
_BYTES = (
    b"\x00", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\n", b"\r\n", b"\n\n", b'"', b"'", b",", b"{", b"}", b"[", b"]",
    b":", b"\\", b"\\u", b"%", b"\x85", b"\xe2\x80\xa8", b"\xed\xa0\x80", b"0", b"-1", b"1e999", b"NaN", b"null", b"\x1b[31m",
)  # fmt: skip


def mutated(draw: Draw, seeds: Sequence[bytes], tokens: Sequence[bytes] = ()) -> bytes:
    """Return one of the seeds, changed here and there; now and then what has nothing to do with them."""
    chance = draw.random()
    if chance < 0.04:
        return noise(draw)
    seed = draw.choice(seeds)
    if chance < 0.75 and (found := _parsed(seed)) is not None:
        seed = dumped(restructured(draw, found))
        if chance < 0.6:
            return seed
    return scrambled(draw, seed, seeds, tokens)


def noise(draw: Draw) -> bytes:
    """Return bytes without any sense."""
    if draw.random() < 0.1:
        return draw.choice((b"[", b'{"data":', b'{"a":[', b'[{"_id":"')) * draw.randint(1, 3000)
    return bytes(draw.randrange(256) for _ in range(draw.randint(0, 40)))


def scrambled(draw: Draw, seed: bytes, others: Sequence[bytes] = (b"",), tokens: Sequence[bytes] = ()) -> bytes:
    """Change bytes: flipped, cut, doubled, put in, taken out, joined with another."""
    data = bytearray(seed)
    for _ in range(draw.choice((1, 1, 2, 4, 8))):
        at = draw.randint(0, len(data))
        to = min(len(data), at + draw.choice((1, 1, 2, 8, 64)))
        match draw.randrange(7):
            case 0 if at < len(data):
                data[at] ^= 1 << draw.randrange(8)
            case 1:
                del data[at:to]
            case 2:
                del data[at:]
            case 3:
                data[at:at] = data[at:to] * draw.choice((1, 2, 40))
            case 4:
                data[at:to] = draw.choice((*_BYTES, *tokens))
            case 5:
                other = draw.choice(others)
                data[at:] = other[draw.randint(0, len(other)) :]
            case _:
                data[at:at] = draw.choice((*_BYTES, *tokens))
    return bytes(data)


# --- The structure of JSON --------------------------------------------------------------------------------------------


def _parsed(seed: bytes) -> Any:
    try:
        return json.loads(seed, object_pairs_hook=Pairs)
    except ValueError:
        return None


def dumped(value: Any) -> bytes:
    """Write JSON, or what only looks like it."""
    match value:
        case Raw():
            return value
        case Pairs():
            return b"{" + b",".join(json.dumps(key).encode() + b":" + dumped(item) for key, item in value) + b"}"
        case list():
            return b"[" + b",".join(map(dumped, value)) + b"]"
        case _:
            return json.dumps(value, ensure_ascii=False).encode()


def odd(draw: Draw) -> Any:
    """Return a value that stands where another one belongs."""
    match draw.randrange(12):
        case 0:
            return None
        case 1:
            return draw.random() < 0.5
        case 2 | 3:
            return draw.choice(_NUMBERS)
        case 4 | 5 | 6:
            return draw.choice(_TEXTS)
        case 7 | 8:
            return Raw(draw.choice(_RAW))
        case 9:
            return deep(draw)
        case 10:
            return [odd(draw) for _ in range(draw.randint(0, 3))]
        case _:
            return Pairs((draw.choice(KEYS), odd(draw)) for _ in range(draw.randint(0, 3)))


def deep(draw: Draw) -> Raw:
    """Return a nest, often one near the depth at which a decoder or `repr` gives up."""
    depth = draw.choice((3, 60, 300, draw.randint(880, 1020), draw.randint(400, 520), 2000))
    left, right = draw.choice(((b"[", b"]"), (b'{"a":', b"}"), (b'[{"data":', b"}]")))
    return Raw(left * depth + b"1" + right * draw.choice((depth, depth, 0)))


def restructured(draw: Draw, value: Any) -> Any:
    """Change a structure in one to four places."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        value = _changed(draw, value)
    return value


def _changed(draw: Draw, value: Any) -> Any:
    """Go down some way, and change what is found there."""
    inside = [at for at, _ in enumerate(value)] if isinstance(value, list) and not isinstance(value, Raw) else []
    if inside and draw.random() < 0.75:
        at = draw.choice(inside)
        if isinstance(value, Pairs):
            key, item = value[at]
            return Pairs([*value[:at], (key, _changed(draw, item)), *value[at + 1 :]])
        return [*value[:at], _changed(draw, value[at]), *value[at + 1 :]]
    if not inside:
        return _retyped(draw, value)
    return draw.choice(_PAIRS if isinstance(value, Pairs) else _LIST)(draw, value, draw.choice(inside))


def _retyped(draw: Draw, value: Any) -> Any:
    match draw.randrange(6):
        case 0:
            return str(value)
        case 1:
            return [value]
        case 2:
            return Pairs([(draw.choice(KEYS), value)])
        case 3 if isinstance(value, str):
            return value + draw.choice(_TEXTS)
        case 4 if isinstance(value, str) and value.isdecimal():
            return int(value)
        case _:
            return odd(draw)


Change = Callable[[Draw, Any, int], Any]
_PAIRS: list[Change] = [
    lambda _draw, value, at: Pairs(value[:at] + value[at + 1 :]),
    lambda draw, value, at: Pairs([*value, (value[at][0], odd(draw))]),
    lambda draw, value, at: Pairs([(value[at][0], odd(draw)), *value]),
    lambda draw, value, at: Pairs([*value[:at], (draw.choice(KEYS), value[at][1]), *value[at + 1 :]]),
    lambda draw, value, _at: Pairs([*value, (draw.choice(KEYS), odd(draw))]),
    lambda draw, value, at: Pairs([*value, (draw.choice(KEYS), value[at][1])]),
    lambda draw, value, _at: Pairs(draw.sample(value, len(value))),
    lambda _draw, value, at: value[at][1],
    lambda _draw, value, _at: [value],
    lambda _draw, value, _at: [value, value],
    lambda draw, value, _at: Pairs([(draw.choice(KEYS), value)]),
    lambda draw, _value, _at: odd(draw),
    lambda _draw, _value, _at: Pairs(),
]
_LIST: list[Change] = [
    lambda _draw, value, at: value[:at] + value[at + 1 :],
    lambda _draw, value, at: [*value, value[at]],
    lambda draw, value, _at: [*value, odd(draw)],
    lambda draw, value, at: [*value[:at], odd(draw), *value[at:]],
    lambda _draw, value, at: value[at],
    lambda draw, value, _at: Pairs([(draw.choice(("rows", "data", "list", *KEYS)), value)]),
    lambda draw, _value, _at: odd(draw),
    lambda _draw, value, _at: [value],
    lambda _draw, _value, _at: [],
    lambda draw, value, _at: value * draw.choice((2, 30)),
]


# --- Values of Python -------------------------------------------------------------------------------------------------


class _Text(str):
    __slots__ = ()


class _Colour(Enum):
    RED = "red"


def odd_object(draw: Draw) -> Any:
    """Return what somebody may hand in by mistake."""
    return draw.choice(_OBJECTS)(draw)


def _nest(draw: Draw) -> Any:
    value: Any = []
    for _ in range(draw.choice((3, 200, draw.randint(880, 1000), 3000))):
        value = [value] if draw.random() < 0.5 else {"a": value}
    return value


def _knot(_draw: Draw) -> Any:
    value: dict[str, Any] = {}
    value["a"] = [value]
    return value


_OBJECTS: list[Callable[[Draw], Any]] = [
    lambda draw: draw.choice(
        (None, True, False, *_NUMBERS, 10**5000, float("nan"), float("inf"), 2 + 3j, ..., int, len)
    ),
    lambda draw: draw.choice((*_TEXTS, "\ud800", "https://a/\ud800", "x" * 3000, "https://a/b c", _Text("a"))),
    lambda draw: draw.choice(
        (b"https://a/f.jpg", bytearray(b"x"), memoryview(b"x"), b"\xff", msgspec.Raw(b"1"), msgspec.Raw(b"{"))
    ),
    lambda draw: draw.choice(
        (Path("a.jpg"), PurePath("/dev/null"), Path("a\0b"), Path(), Path("x" * 3000), Path("\udcff"))
    ),
    lambda draw: draw.choice(
        (datetime.now(UTC), Decimal("1.5"), Decimal("nan"), UUID(int=7), _Colour.RED, timedelta(1), date.min)
    ),
    lambda draw: draw.choice(
        ([], ["a"], ["https://a", 5], ("https://a",), {"a"}, frozenset(), {}, {1: 2}, {None: 1}, {"a": {1}})
    ),
    lambda draw: [odd_object(draw) for _ in range(draw.randint(1, 3))],
    lambda draw: {draw.choice(KEYS): odd_object(draw) for _ in range(draw.randint(1, 3))},
    lambda draw: draw.choice((_nest, _knot))(draw),
    lambda draw: draw.choice((object(), Exception("x"), iter([1]), range(3), msgspec.UNSET, msgspec.json.Encoder())),
]
