"""Server-sent events: from lines to texts. Pure."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

# What the service puts into an event was never public; these are the keys that such answers commonly use.
_KEYS = ("delta", "text", "content", "prompt", "result", "msg", "message")


class Event(NamedTuple):
    """One event; ``name`` is ``message`` where the server gave none."""

    name: str
    data: str

    def text(self) -> str:
        """Return the text in it: the data itself, or what JSON holds under one of the usual keys."""
        try:
            value: Any = msgspec.json.decode(self.data)
        except msgspec.DecodeError:
            return self.data
        if isinstance(value, dict):
            found: Iterator[Any] = (value[key] for key in _KEYS if isinstance(value.get(key), str))
            return next(found, self.data)
        return value if isinstance(value, str) else self.data


class EventReader:
    """Collects lines until an event is whole."""

    def __init__(self) -> None:
        self._name, self._data = "", list[str]()

    def feed(self, line: bytes) -> Event | None:
        """Take one line; return the event that it completes."""
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not text:
            event = Event(self._name or "message", "\n".join(self._data)) if self._data else None
            self._name, self._data = "", []
            return event
        key, _, value = text.partition(":")
        if key == "event":
            self._name = value.removeprefix(" ")
        elif key == "data":
            self._data.append(value.removeprefix(" "))
        return None
