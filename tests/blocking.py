"""A call of ours that blocks the event loop raises, in whatever test it is made."""

import builtins
import io
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

from blockbuster import BlockBuster, BlockBusterFunction

import a2e_async
from a2e_async import cli, sandbox

# The command line has its loop to itself, and the sandbox is for tests.
_OTHERS = [cli, sandbox]
# What blockbuster does not look at by itself.
_MORE: tuple[tuple[ModuleType | type, str], ...] = (
    (builtins, "open"),
    (io, "open"),
    (os, "open"),
    (os, "lstat"),
    (sqlite3, "connect"),
    (threading.Thread, "join"),
)
# What may block nevertheless, and why.
_MAY: tuple[tuple[str, str], ...] = (
    ("<frozen importlib._bootstrap>", "_find_and_load"),  # what is loaded when first wanted, once
    ("a2e_async/_writer.py", "aclose"),  # the thread has said that it is at its end
    ("a2e_async/sandbox/store.py", "rows"),  # tests look into the sandbox beside them
    ("tests/test_files.py", "look"),  # on_progress is called on the loop, and this one looks at the disk
    # For scripts and the command line, which have no loop:
    ("a2e_async/journal.py", "_reading"),
    ("a2e_async/journal.py", "read_summaries"),
    ("a2e_async/journal.py", "read_entries"),
)


@contextmanager
def watched() -> Iterator[BlockBuster]:
    """Watch every event loop of this process, but for what the command line and the sandbox do on their own."""
    buster = BlockBuster(a2e_async, excluded_modules=_OTHERS)
    for module, name in _MORE:
        function = BlockBusterFunction(module, name, scanned_modules=a2e_async, excluded_modules=_OTHERS)
        buster.functions[function.full_name] = function
    del buster.functions["os.getcwd"]  # waits for no disk
    for function in buster.functions.values():
        for file, name in _MAY:
            function.can_block_in(file, name)
    buster.activate()
    try:
        yield buster
    finally:
        buster.deactivate()
