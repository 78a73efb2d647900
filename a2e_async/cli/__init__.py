"""The `a2e` command. Neither the SDK nor aiohttp is loaded before a command is chosen (`_parser.py`)."""

import asyncio
import io
import os
import sys
import traceback
from argparse import Namespace
from collections.abc import Callable, Coroutine, Sequence
from importlib import import_module
from typing import Any, cast

from a2e_async import _saying
from a2e_async.cli._parser import read
from a2e_async.cli._terminal import FAILED, INTERRUPTED, MISUSED, complain
from a2e_async.errors import A2EError, ConfigError, JournalError, RequestError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0, 1 failed or refused, 2 bad use, 3 stopped early, 130 Ctrl-C.

    SystemExit where argparse ends by itself: 0 for help and version, 2 for what it cannot read.
    """
    options = read(argv)
    for stream in (sys.stdout, sys.stderr):
        # A consumer's code page must not turn an unusual file name into a traceback.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        # psycopg cannot use the loop that Windows has by default.
        loop = asyncio.SelectorEventLoop if os.name == "nt" and "dsn" in options else None
        with asyncio.Runner(loop_factory=loop) as runner:
            code = runner.run(_coroutine(options))
        sys.stdout.flush()
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # What is still buffered would raise again when the interpreter flushes it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except (A2EError, OSError, ImportError) as error:  # the last where an extra is missing, and says which
        if options.debug:
            _saying.say(traceback.format_exc())
        complain(error)
        return MISUSED if isinstance(error, ConfigError | RequestError | JournalError | ImportError) else FAILED
    return code


def _coroutine(options: Namespace) -> Coroutine[Any, Any, int]:
    given = {name: value for name, value in vars(options).items() if name not in {"module", "debug"}}
    module = import_module(f"{__name__}.{options.module}")
    return cast("Callable[..., Coroutine[Any, Any, int]]", module.run)(**given)
