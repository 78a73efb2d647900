"""What commands share: progress to stderr, data to stdout, a word on how to go on after Ctrl-C."""

import asyncio
import contextlib
import json
import os
import shlex
import signal
import tempfile
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path

from a2e_async._saying import harmless, say
from a2e_async.errors import ConfigError

FAILED, MISUSED, STOPPED, INTERRUPTED = 1, 2, 3, 130


def complain(error: Exception) -> None:
    """Write an error and what was noted on it to stderr, as one line."""
    say("a2e: error: " + one_line(" ".join([str(error), *getattr(error, "__notes__", ())])))


def one_line(text: str) -> str:
    """Write a text without its line breaks."""
    return " ".join(text.split())


def give(data: object) -> None:
    """Write a line to stdout: text as it is, anything else as JSON in ASCII."""
    print(line(data), flush=True)


def line(data: object) -> str:
    """Return the line that `give` writes."""
    return harmless(data) if isinstance(data, str) else json.dumps(data)


def command_line(words: Sequence[str]) -> str:
    """Write a command as one would type it into this system's shell."""
    if os.name == "nt":
        import subprocess

        return subprocess.list2cmdline(words)
    return shlex.join(words)


@contextlib.contextmanager
def if_interrupted(text: Callable[[], str]) -> Generator[None]:
    """Say the text if Ctrl-C ends the block."""
    try:
        yield
    except asyncio.CancelledError:
        say(f"a2e: interrupted. {text()}")
        raise


async def told_to_stop() -> None:
    """Return at Ctrl-C or SIGTERM: the proper end of what serves until then."""
    stopped = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows, which tells of Ctrl-C only
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    with contextlib.suppress(asyncio.CancelledError):
        await stopped.wait()


def resumption(kind: str, ids: Iterable[str]) -> str:
    """Return the text that names the command to go on with."""
    return " ".join(["The job goes on at the service. To continue: a2e watch", kind, *ids])


def check_writable(folder: Path) -> None:
    """Raise ConfigError if files cannot be put into a folder that is there or still to be made."""
    there = next((place for place in (folder, *folder.absolute().parents) if place.exists()), folder)
    try:
        with tempfile.TemporaryFile(dir=there):
            return
    except OSError as error:
        text = f"cannot write to {folder}: {error.strerror}. Choose another place for --out."
        raise ConfigError(text) from None


def number(value: float) -> str:
    """Write coins as people do: without a fraction where there is none, and never with an exponent."""
    return f"{value:.2f}".removesuffix(".00")


def give_table(rows: Sequence[Sequence[str]], right: range) -> None:
    """Write rows to stdout with their columns aligned, those of some places to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [
            cell.rjust(width) if at in right else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        give("  ".join(cells).rstrip())
