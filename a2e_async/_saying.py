"""What is said to people on stderr: lines, and what progress is made of."""

import contextlib
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from a2e_async.errors import visible

Counts = Mapping[str, int]
"""Jobs by the name of their state, in the order to be shown."""


class Row(NamedTuple):
    """One thing that is under way, or was."""

    label: str
    word: str
    """Where it stands."""
    text: str = ""
    """How far, in words."""
    part: float | None = None
    """How far, 0 to 1; None where nobody knows."""


Rows = Sequence[Row]


def say(text: str) -> None:
    """Write a line to stderr. Nobody reading it any more is no reason to give up the work."""
    with contextlib.suppress(OSError):
        sys.stderr.write(harmless(text) + "\n")
        sys.stderr.flush()


def harmless(text: str) -> str:
    """Return a text without what would steer the terminal: the service, a file's name or a row may hold such."""
    return "\n".join(visible(part) for part in text.split("\n"))
