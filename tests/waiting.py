"""For what happens in another process, which has no event to wait for."""

import time
from collections.abc import Callable

_PATIENCE = 60.0
"""Seconds; how long a busy machine may take says nothing."""


def until(condition: Callable[[], object]) -> None:
    """Return as soon as a condition holds; fail if it never does."""
    end = time.monotonic() + _PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came to this"
        time.sleep(0.01)
