"""The commands in one table; command `x y` is `run` in module `a2e_async.cli.x_y`."""

import re
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from a2e_async._version import __version__
from a2e_async.cli import _arguments as take
from a2e_async.cli._options import as_json
from a2e_async.cli._terminal import command_line

_PASSWORD = re.compile(r"(postgres(?:ql)?://[^:@/?]*:)[^@/]*(?=@)")
_ENVIRONMENT = """\
environment:
  A2E_API_KEY    the account's token (sk_...), made on the service's page Account > API Token
  A2E_BASE_URL   where the service is; point it at an `a2e sandbox` to try things for free
  A2E_DSN        the PostgreSQL database that several machines share

exit codes:
  0    done
  1    a job failed or is uncertain, or the service refused
  2    bad use: nothing was spent
  3    a batch stopped early: a limit on coins or failures, too few coins, a token refused
  130  Ctrl-C
"""


class Command(NamedTuple):
    """One command: what it does, and the arguments that its `run` gets by keyword."""

    help: str
    arguments: Callable[[ArgumentParser], None]


Add = Callable[..., ArgumentParser]

COMMANDS = {
    "demo": Command("make swaps with a sandbox inside this process: no account, no cost", take.demo),
    "swap": Command("put a face into a video and save the result", take.swap),
    "dub": Command("have a video or recording spoken in another language", take.dub),
    "animate": Command("make a video of a picture", take.animate),
    "uncaption": Command("take burnt-in captions out of a video", take.uncaption),
    "say": Command("turn text into speech", take.say),
    "avatar create": Command("make an avatar and print its anchor id", take.avatar_create),
    "avatar say": Command("have an avatar say a text, and save the video", take.avatar_say),
    "batch": Command("run many jobs from a file; status, export and resume of its journal", take.batch),
    "batch status": Command("show what a journal holds, also while its batches run", take.batch_status),
    "batch export": Command("write every job of a journal as CSV or JSON lines", take.batch_export),
    "batch resume": Command("go on with what is open in a journal, without the file of jobs", take.batch_resume),
    "watch": Command("follow tasks to their end", take.watch),
    "call": Command("call any endpoint and print its reply as JSON", take.call),
    "credits": Command("show what the account holds", as_json),
    "endpoints": Command("list every endpoint that the SDK declares", take.endpoints),
    "migrate": Command("make the tables that several machines share, those that are missing", take.migrate),
    "submit": Command("put the jobs of a file into the queue that several machines share", take.submit),
    "worker": Command("submit and watch the jobs in that queue until Ctrl-C", take.worker),
    "status": Command("show how the work of several machines stands", take.status),
    "dead": Command("list the jobs of several machines that go no further; retry and adopt", take.dead),
    "dead retry": Command("hand dead jobs out once more", take.dead_retry),
    "dead adopt": Command("say which task an uncertain job became", take.dead_adopt),
    "sandbox": Command("serve a local A2E until Ctrl-C", take.sandbox),
    "sandbox doctor": Command("compare recorded answers of the service with the sandbox's", take.sandbox_doctor),
}
_FAMILIES = {"avatar": "make avatars of your own, and let avatars speak"}


def read(argv: Sequence[str] | None = None) -> Namespace:
    """Parse a command line, by default this process's. SystemExit where argparse ends by itself."""
    words = list(sys.argv[1:] if argv is None else argv)
    again = command_line(["a2e", *(_PASSWORD.sub(r"\1***", word) for word in words)])
    at = next((at for at, word in enumerate(words) if not word.startswith("-")), 0)
    # argparse cannot have arguments and sub-commands after one word, so these are one word to it.
    if words and words[at] in COMMANDS and (both := " ".join(words[at : at + 2])) in COMMANDS:
        words[at : at + 2] = [both]
    options = parser().parse_args(words)
    if "again" in options:
        options.again = again
    return options


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
    families: dict[str, Add] = {"": top.add_subparsers(metavar="COMMAND", required=True).add_parser}
    for name, command in COMMANDS.items():
        family, _, last = name.rpartition(" ")
        if family in COMMANDS:
            one = _describe(families[""](name), command.help)
        else:
            if family not in families:
                parent = _describe(families[""](family, help=_FAMILIES[family]), _FAMILIES[family])
                families[family] = parent.add_subparsers(metavar="COMMAND", required=True).add_parser
            one = _describe(families[family](last, help=command.help), command.help)
            one.epilog = _others(name)
        one.set_defaults(module=name.replace(" ", "_"))
        command.arguments(one)
    return top


def _others(name: str) -> str:
    """List the commands that begin with the same word, for the help of the first."""
    found = {other: command for other, command in COMMANDS.items() if other.startswith(f"{name} ")}
    lines = [f"  a2e {other} --help   {command.help}" for other, command in found.items()]
    return "\n".join(["see also:", *lines]) if lines else ""


def _describe(one: ArgumentParser, text: str) -> ArgumentParser:
    one.description = text
    one.formatter_class = RawDescriptionHelpFormatter
    _debug(one, default=SUPPRESS)  # or it would undo one that stands before the command
    return one


def _debug(arg: ArgumentParser, default: object) -> None:
    arg.add_argument("--debug", action="store_true", default=default, help="show an error's traceback")
