"""Ports that nobody listens on: for servers that are to be told theirs, and for those that are away."""

import random
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

# Below what any system hands out by itself (Linux from 32768): no server on port 0, no client, takes one meanwhile.
_PLACES = range(20_000, 32_000)


def free_ports(count: int) -> int:
    """Return the first of some neighbouring ports that were free just now."""
    for first in random.sample(_PLACES, len(_PLACES)):
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise AssertionError("no port is free")


def free_port() -> int:
    return free_ports(1)


@contextmanager
def closed_port() -> Iterator[int]:
    """Hold a port on which connections are refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]
