"""The commands in one table; command `x y` is `run` in module `a2e_async.cli.x_y`."""

from argparse import SUPPRESS, ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from typing import NamedTuple

from a2e_async._version import __version__
from a2e_async.cli import _arguments as take
from a2e_async.cli._options import as_json

_ENVIRONMENT = """\
environment:
  A2E_API_KEY    the account's token (sk_...), made on the service's page Account > API Token
  A2E_BASE_URL   where the service is; point it at an `a2e sandbox` to try things for free

exit codes: 0 done, 1 a job failed or the service refused, 2 bad use, 130 Ctrl-C
"""


class Command(NamedTuple):
    """One command: what it does, and the arguments that its `run` gets by keyword."""

    help: str
    arguments: Callable[[ArgumentParser], None]


COMMANDS = {
    "demo": Command("make swaps with a sandbox inside this process: no account, no cost", take.demo),
    "swap": Command("put a face into a video and save the result", take.swap),
    "dub": Command("have a video or recording spoken in another language", take.dub),
    "animate": Command("make a video of a picture", take.animate),
    "uncaption": Command("take burnt-in captions out of a video", take.uncaption),
    "say": Command("turn text into speech", take.say),
    "avatar create": Command("make an avatar and print its anchor id", take.avatar_create),
    "avatar say": Command("have an avatar say a text, and save the video", take.avatar_say),
    "watch": Command("follow tasks to their end", take.watch),
    "call": Command("call any endpoint and print its reply as JSON", take.call),
    "credits": Command("show what the account holds", as_json),
    "endpoints": Command("list every endpoint that the SDK declares", as_json),
    "sandbox": Command("serve a local A2E until Ctrl-C", take.sandbox),
}
_FAMILIES = {"avatar": "make avatars of your own, and let avatars speak"}


def parser() -> ArgumentParser:
    """Build the parser of all commands; what it reads holds `module`, `debug` and the command's own."""
    top = ArgumentParser(
        prog="a2e",
        description="Asyncio-first SDK for the A2E AI-video service, at the command line.",
        epilog=_ENVIRONMENT,
        formatter_class=lambda prog: RawDescriptionHelpFormatter(prog, max_help_position=30),
    )
    _debug(top, default=False)
    top.add_argument("--version", action="version", version=f"a2e {__version__}")
    families = {"": top.add_subparsers(metavar="COMMAND", required=True).add_parser}
    for name, command in COMMANDS.items():
        family, _, last = name.rpartition(" ")
        if family not in families:
            parent = _add(families[""], family, _FAMILIES[family])
            families[family] = parent.add_subparsers(metavar="COMMAND", required=True).add_parser
        one = _add(families[family], last, command.help)
        one.set_defaults(module=name.replace(" ", "_"))
        command.arguments(one)
    return top


def _add(add_parser: Callable[..., ArgumentParser], name: str, text: str) -> ArgumentParser:
    one = add_parser(name, help=text, description=text)
    _debug(one, default=SUPPRESS)  # or it would undo one that stands before the command
    return one


def _debug(arg: ArgumentParser, default: object) -> None:
    arg.add_argument("--debug", action="store_true", default=default, help="show an error's traceback")
