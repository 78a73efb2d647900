"""What the server saw: one entry per request, hidden repeats of HTTP clients included."""

from collections import deque

import msgspec

_decode = msgspec.json.Decoder().decode


class Entry(msgspec.Struct):
    """One request; `status` is 0 until it is answered and if it was cut off, `effect` names the fault.

    `at` is milliseconds of the account's clock; the token in `authorization` is masked; a file counts as 200
    even if only a range of it was sent.
    """

    at: int
    account: str
    method: str
    path: str
    query: str
    raw: bytes
    authorization: str
    effect: str = ""
    status: int = 0

    @property
    def body(self) -> object:
        """The body as JSON, as text where it is none; uploads are not kept."""
        try:
            return _decode(self.raw) if self.raw else None
        except msgspec.DecodeError:
            return self.raw.decode(errors="replace")


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
    """The latest requests, as many as their number and the bytes of their bodies allow; any thread may read it."""

    def __init__(self, most: int = 100_000, most_bytes: int = 64 * 1024 * 1024) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._entries: deque[Entry] = deque()
        self._bytes = 0

    def enter(self, entry: Entry) -> None:
        """Add the newest request; the oldest make room for it."""
        self._entries.append(entry)
        self._bytes += len(entry.raw)
        while len(self._entries) > self._most or self._bytes > self._most_bytes:
            self._bytes -= len(self._entries.popleft().raw)

    def of(self, account: str) -> list[Entry]:
        """Return the requests of an account, oldest first."""
        return [entry for entry in tuple(self._entries) if entry.account == account]


def masked(authorization: str) -> str:
    """Return an Authorization header with its token unreadable."""
    scheme, _, token = authorization.partition(" ")
    return f"{scheme} ***" if token else scheme and "***"
