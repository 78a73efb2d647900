"""Options that commands share, and the types of their values."""

import math
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable


def as_json(arg: ArgumentParser) -> None:
    """Take --json, which every command that gives data has."""
    arg.add_argument("--json", action="store_true", dest="as_json", help="write JSON to stdout")


def dsn(arg: ArgumentParser) -> None:
    """Take the database that several machines share."""
    arg.add_argument("--dsn", metavar="URL", help="postgresql://user@host/database, by default from A2E_DSN")


def speech(arg: ArgumentParser) -> None:
    """Take a text and whose voice speaks it."""
    arg.add_argument("text", metavar="TEXT", help="what is said, at most 1000 characters")
    voice = arg.add_mutually_exclusive_group()
    voice.add_argument("--voice", metavar="TTS_ID", help="public voice (the language's first)")
    voice.add_argument("--user-voice", metavar="ID", help="cloned voice")
    voice.add_argument(
        "--language", default="en", metavar="LANG", help="whose first public voice to take (%(default)s)"
    )


def prompted(arg: ArgumentParser, usual: str, example: str) -> None:
    """Take a prompt, what to begin with, and the model that makes something of it."""
    arg.add_argument("prompt", metavar="PROMPT", help="what is to be seen")
    arg.add_argument(
        "--model",
        default=usual,
        metavar="FAMILY[:MODEL]",
        help=f"model family and, after a colon, its model, such as {example}; `?` lists them (%(default)s)",
    )
    arg.add_argument(
        "--input",
        dest="inputs",
        action="append",
        default=[],
        metavar="FILE",
        help="picture to begin with: URL or local file; repeatable where the model takes several",
    )
    arg.add_argument("--aspect-ratio", default="", metavar="W:H", help="shape, such as 16:9 (the model's default)")


def result(arg: ArgumentParser) -> None:
    """Take where a result goes, and what `waiting` does."""
    out(arg)
    waiting(arg)


def out(arg: ArgumentParser) -> None:
    """Take where a result goes."""
    arg.add_argument("-o", "--out", required=True, metavar="OUT", help="result: file or existing directory")


def waiting(arg: ArgumentParser) -> None:
    """Take how long all may take, what becomes of the task after Ctrl-C, and --json."""
    deadline(arg)
    on_cancel(arg)
    as_json(arg)


def deadline(arg: ArgumentParser) -> None:
    """Take how long all may take."""
    arg.add_argument("--deadline", type=seconds, metavar="S", help="seconds for all, from upload to saved result")


def on_cancel(arg: ArgumentParser) -> None:
    """Take what becomes of tasks that nobody waits for any more."""
    arg.add_argument(
        "--on-cancel",
        choices=("detach", "remove"),
        default="detach",
        help="after Ctrl-C, leave tasks at the service, or take back what is still queued (%(default)s)",
    )


def batch(arg: ArgumentParser) -> None:
    """Take how a batch is run, and --json."""
    arg.add_argument("--out", metavar="'DIR/{key}.mp4'", help="save results, each under its job's key (or {id})")
    arg.add_argument("--max-coins", type=amount, metavar="N", help="coins that the whole batch may spend")
    arg.add_argument(
        "--max-in-flight", type=count, default=1000, metavar="N", help="jobs under way at once (%(default)s)"
    )
    arg.add_argument("--rate", type=amount, metavar="R", help="submissions a second at the most")
    arg.add_argument("--deadline", type=seconds, metavar="S", help="seconds for each job, from upload to saved result")
    for phase, what in (("queue", "is queued"), ("run", "runs"), ("stall", "shows no change")):
        arg.add_argument(
            f"--{phase}-limit",
            dest="limits",
            action="append",
            type=_limit(phase),
            default=[],
            metavar="S",
            help=f"give up on a task that {what} for so many seconds",
        )
    on_cancel(arg)
    arg.add_argument("--max-failed", type=share, metavar="SHARE", help="stop if more than this part, 0 to 1, fails")
    arg.add_argument("--rekey", action="store_true", help="the journal's account is the same with a new key")
    as_json(arg)
    arg.set_defaults(again="")  # the command line as it was typed: `read` puts it there


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


def share(text: str) -> float:
    """Read a part of a whole."""
    value = amount(text)
    if value > 1:
        raise ArgumentTypeError(f"{text} is not within 0..1")
    return value


def _limit(phase: str) -> Callable[[str], tuple[str, float]]:
    return lambda text: (phase, seconds(text))


def seconds(text: str) -> float:
    """Read a span of time that is not empty."""
    if not (value := amount(text)):
        raise ArgumentTypeError("no time at all")
    return value
