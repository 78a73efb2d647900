"""The commands and what they take, in one table; command `x` is `run` in module `a2e_async.cli.x`."""

import math
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from collections.abc import Callable
from typing import NamedTuple

from a2e_async._version import __version__

_ENVIRONMENT = """\
environment:
  A2E_API_KEY    the account's token (sk_...), made on the service's page Account > API Token
  A2E_BASE_URL   where the service is; point it at an `a2e sandbox` to try things for free

exit codes: 0 done, 1 a job failed or the service refused, 2 bad use, 3 stopped early, 130 Ctrl-C
"""


class Command(NamedTuple):
    """One command: what it does, and the arguments that its `run` gets by keyword."""

    help: str
    arguments: Callable[[ArgumentParser], None]


def parser() -> ArgumentParser:
    """Build the parser of all commands; what it reads holds `command`, `debug` and the command's own."""
    top = ArgumentParser(
        prog="a2e",
        description="Asyncio-first SDK for the A2E AI-video service, at the command line.",
        epilog=_ENVIRONMENT,
        formatter_class=lambda prog: RawDescriptionHelpFormatter(prog, max_help_position=30),
    )
    _debug(top, default=False)
    top.add_argument("--version", action="version", version=f"a2e {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        one = commands.add_parser(name, help=command.help, description=command.help)
        _debug(one, default=SUPPRESS)  # or it would undo one that stands before the command
        command.arguments(one)
    return top


def _debug(arg: ArgumentParser, default: object) -> None:
    arg.add_argument("--debug", action="store_true", default=default, help="show an error's traceback")


def _demo(arg: ArgumentParser) -> None:
    arg.add_argument("--jobs", type=_count, default=24, metavar="N", help="swaps to make (%(default)s)")
    arg.add_argument("--out", default="a2e-demo", metavar="DIR", help="where results go (%(default)s)")
    _json(arg)


def _swap(arg: ArgumentParser) -> None:
    arg.add_argument("face", metavar="FACE", help="picture of a face: URL or local file")
    arg.add_argument("video", metavar="VIDEO", help="video or picture to put it into: URL or local file")
    arg.add_argument("-o", "--out", required=True, metavar="OUT", help="result: file or existing directory")
    arg.add_argument("--name", help="label of the task (the video's file name)")
    arg.add_argument("--deadline", type=_seconds, metavar="S", help="seconds to wait for the result")
    _json(arg)


def _watch(arg: ArgumentParser) -> None:
    arg.add_argument("kind", metavar="KIND", help="kind of task, such as face_swap")
    arg.add_argument("ids", nargs="+", metavar="ID", help="id of a task")
    _json(arg)


def _sandbox(arg: ArgumentParser) -> None:
    arg.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    arg.add_argument("--port", type=_port, default=8723, help="port to listen on, 0 for any (%(default)s)")
    arg.add_argument("--db", metavar="FILE", help="keep all in FILE and FILE.files (else in memory)")
    arg.add_argument("--clock", default="real", help="real, scaled:20, stepped or per-poll:5 (%(default)s)")
    arg.add_argument("--coins", type=_amount, default=1000.0, help="what a new account holds (%(default)g)")
    arg.add_argument("--strict", action="store_true", help="refuse fields that the contract does not know")
    arg.add_argument(
        "--fetch", choices=("loopback", "any"), default="loopback", help="where inputs may come from"
    )
    arg.add_argument(
        "--allow-remote", action="store_true", help="allow a --host that other machines can reach"
    )


def _json(arg: ArgumentParser) -> None:
    arg.add_argument("--json", action="store_true", dest="as_json", help="write JSON to stdout")


COMMANDS = {
    "demo": Command("make swaps with a sandbox inside this process: no account, no cost", _demo),
    "swap": Command("put a face into a video and save the result", _swap),
    "watch": Command("follow tasks to their end", _watch),
    "credits": Command("show what the account holds", _json),
    "endpoints": Command("list every endpoint that the SDK declares", _json),
    "sandbox": Command("serve a local A2E until Ctrl-C", _sandbox),
}


def _count(text: str) -> int:
    return _within(int(text), 1, 100_000)


def _port(text: str) -> int:
    return _within(int(text), 0, 65_535)


def _within(value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ArgumentTypeError(f"{value} is not within {low}..{high}")
    return value


def _amount(text: str) -> float:
    value = float(text)
    if not 0 <= value < math.inf:
        raise ArgumentTypeError(f"{text} is no amount")
    return value


def _seconds(text: str) -> float:
    if not (value := _amount(text)):
        raise ArgumentTypeError("no time at all")
    return value
