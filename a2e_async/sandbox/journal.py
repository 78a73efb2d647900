"""What the server saw: one entry per request, hidden repeats of HTTP clients included."""

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


def masked(authorization: str) -> str:
    """Return an Authorization header with its token unreadable."""
    scheme, _, token = authorization.partition(" ")
    return f"{scheme} ***" if token else scheme and "***"
