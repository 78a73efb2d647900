"""Server-sent events: from lines to texts. Pure."""

from typing import NamedTuple

import msgspec

# What the service puts into an event was never public; these are the keys that such answers commonly use.
_KEYS = ("delta", "text", "content", "prompt", "result", "msg", "message")

_read = msgspec.json.Decoder(str | dict[str, object]).decode


class Event(NamedTuple):
    """One event; ``name`` is ``message`` where the server gave none."""

    name: str
    data: str

    def text(self) -> str:
        """Return the text in it: the data itself, or what JSON holds under one of the usual keys."""
        try:
            value = _read(self.data)
        except (msgspec.DecodeError, RecursionError):
            return self.data
        if isinstance(value, str):
            return value
        return next((text for key in _KEYS if isinstance(text := value.get(key), str)), self.data)


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
