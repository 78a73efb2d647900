"""What the server saw: one entry per request, hidden repeats of HTTP clients included."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

_decode = msgspec.json.Decoder().decode
_SECRET = frozenset({"authorization", "proxy-authorization", "cookie"})


class Entry(msgspec.Struct):
    """One request; `status` is 0 until it is answered and if it was cut off, `effect` names the fault.

    `at` is milliseconds of the account's clock; a file counts as 200 even if only a range of it was sent. `path`
    and `query` are decoded, `target` is both as they came. `number` counts all requests of the server.
    """

    at: int
    account: str
    method: str
    path: str
    query: str
    raw: bytes
    head: bytes
    target: str = ""
    effect: str = ""
    status: int = 0
    number: int = 0

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers as they came, with tokens and cookies masked."""
        lines = self.head.decode(errors="replace").split("\n") if self.head else []
        return [(name, value) for name, _, value in (line.partition(": ") for line in lines)]

    @property
    def authorization(self) -> str:
        """The Authorization header with its token masked."""
        return next((value for name, value in self.headers if name.lower() == "authorization"), "")

    @property
    def text(self) -> str:
        """The body as it came; what is no UTF-8 is replaced, and uploads are not kept."""
        return self.raw.decode(errors="replace")

    @property
    def body(self) -> object:
        """The body as JSON, as text where it is none; uploads are not kept."""
        try:
            return _decode(self.raw) if self.raw else None
        except msgspec.DecodeError:
            return self.text

    def holds(self, text: str) -> bool:
        """Tell whether a text stands in its method, path, query, body or effect, in capitals or not."""
        line, text = f"{self.method} {self.path}?{self.query} {self.effect}", text.lower()
        return not text or text in line.lower() or text.encode() in self.raw.lower()


class Callback(msgspec.Struct):
    """One webhook that was due; `status` is 0 until it is answered, and where it was not sent or nobody answered.

    `at` is milliseconds of the account's clock; `error` says what kept it back, `effect` names the fault.
    """

    at: int
    url: str
    task: str
    body: object
    effect: str = ""
    status: int = 0
    error: str = ""


class Journal:
    """The latest requests, as many as their number and their bytes allow; any thread may read it."""

    def __init__(self, most: int = 100_000, most_bytes: int = 64 * 1024 * 1024) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._entries: deque[Entry] = deque()
        self._bytes = self._count = 0

    def enter(self, entry: Entry) -> None:
        """Add the newest request, which gets its number; the oldest make room for it."""
        self._count += 1
        entry.number = self._count
        self._entries.append(entry)
        self._bytes += _size(entry)
        while len(self._entries) > self._most or self._bytes > self._most_bytes:
            self._bytes -= _size(self._entries.popleft())

    def of(self, account: str) -> list[Entry]:
        """Return the requests of an account, oldest first."""
        return [entry for entry in tuple(self._entries) if entry.account == account]

    def newest(self, account: str, last: int, text: str, status: str) -> list[Entry]:
        """Return the newest so many, oldest first, that hold a text and whose status begins with some digits."""

        def fitting() -> Iterator[Entry]:
            for entry in reversed(tuple(self._entries)):
                if entry.account == account and str(entry.status).startswith(status) and entry.holds(text):
                    yield entry

        return list(islice(fitting(), last))[::-1]

    def find(self, account: str, number: int) -> Entry | None:
        """Return one request of an account, unless it had to make room."""
        entries = tuple(self._entries)
        at = number - entries[0].number if entries else -1
        return entries[at] if 0 <= at < len(entries) and entries[at].account == account else None


def masked(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return headers, one a line, with tokens and cookies unreadable."""
    lines = [f"{name}: {_hidden(value) if name.lower() in _SECRET else value}" for name, value in headers]
    return "\n".join(lines).encode(errors="surrogateescape")


def _hidden(value: str) -> str:
    scheme, _, token = value.partition(" ")
    return f"{scheme} ***" if token else value and "***"


def _size(entry: Entry) -> int:
    return len(entry.raw) + len(entry.head)
