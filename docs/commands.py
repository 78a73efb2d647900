"""Writes the page of the command line: what each command says of itself."""

import contextlib
import io
import os

from a2e_async.cli._parser import COMMANDS, read
from docs.markup import code, heading, table

_WIDTH = "90"


def page() -> str:
    """Return the page, a section for each command."""
    rows = [(f"[`a2e {name}`](#a2e-{name.replace(' ', '-')})", command.help) for name, command in COMMANDS.items()]
    parts = [
        "# Command line",
        "Progress goes to stderr, data to stdout, and `--json` makes the data JSON. What each says for `--help`:",
        table(("command", "what it does"), rows),
        code(_help(), "text"),
    ]
    for name in COMMANDS:
        parts += [heading(2, f"a2e {name}"), code(_help(name), "text")]
    return "\n\n".join(parts) + "\n"


def _help(name: str = "") -> str:
    out, before = io.StringIO(), os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = _WIDTH
    try:
        with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
            read([*name.split(), "--help"])
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    return out.getvalue().strip()
