"""Options that commands share, and the types of their values."""

import math
from argparse import ArgumentParser, ArgumentTypeError


def as_json(arg: ArgumentParser) -> None:
    """Take --json, which every command that gives data has."""
    arg.add_argument("--json", action="store_true", dest="as_json", help="write JSON to stdout")


def speech(arg: ArgumentParser) -> None:
    """Take a text and whose voice speaks it."""
    arg.add_argument("text", metavar="TEXT", help="what is said, at most 1000 characters")
    voice = arg.add_mutually_exclusive_group()
    voice.add_argument("--voice", metavar="TTS_ID", help="public voice (the language's first)")
    voice.add_argument("--user-voice", metavar="ID", help="cloned voice")
    voice.add_argument(
        "--language", default="en", metavar="LANG", help="whose first public voice to take (%(default)s)"
    )


def result(arg: ArgumentParser) -> None:
    """Take where a result goes, and what `waiting` does."""
    out(arg)
    waiting(arg)


def out(arg: ArgumentParser) -> None:
    """Take where a result goes."""
    arg.add_argument("-o", "--out", required=True, metavar="OUT", help="result: file or existing directory")


def waiting(arg: ArgumentParser) -> None:
    """Take how long to wait, and --json."""
    arg.add_argument("--deadline", type=seconds, metavar="S", help="seconds to wait for the result")
    as_json(arg)


def count(text: str) -> int:
    """Read a number of things, at least one."""
    return _within(int(text), 1, 100_000)


def port(text: str) -> int:
    """Read a TCP port."""
    return _within(int(text), 0, 65_535)


def _within(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ArgumentTypeError(f"{value} is not within {low}..{high}")
    return value


def amount(text: str) -> float:
    """Read a number that is not negative."""
    value = float(text)
    if not 0 <= value < math.inf:
        raise ArgumentTypeError(f"{text} is no amount")
    return value


def seconds(text: str) -> float:
    """Read a span of time that is not empty."""
    if not (value := amount(text)):
        raise ArgumentTypeError("no time at all")
    return value
