"""Word of what has changed, from whatever thread to those who listen."""

import asyncio
import contextlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeAlias

Listener: TypeAlias = Callable[[str], object]


class News:
    """Tells every listener the topics of what has just changed; any thread may tell."""

    __slots__ = ("_listeners",)

    def __init__(self) -> None:
        self._listeners: set[tuple[asyncio.AbstractEventLoop, Listener]] = set()

    def tell(self, *topics: str) -> None:
        """Have each listener called once per topic, soon."""
        for loop, listener in tuple(self._listeners):
            with contextlib.suppress(RuntimeError):  # a loop that has just been closed needs no news
                for topic in topics:
                    loop.call_soon_threadsafe(listener, topic)

    @contextmanager
    def heard_by(self, listener: Listener) -> Generator[None]:
        """Call a listener in the running loop during the block."""
        entry = (asyncio.get_running_loop(), listener)
        self._listeners.add(entry)
        try:
            yield
        finally:
            self._listeners.discard(entry)
