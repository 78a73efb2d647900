"""Answers: from status, headers and bytes to a typed value or the error they mean. Pure."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar, cast

import msgspec
from msgspec import field
from msgspec.json import Decoder
from msgspec.structs import force_setattr

from a2e_async._wire import UNREADABLE, Reply
from a2e_async.errors import (
    LONGEST,
    A2EError,
    APIError,
    AuthenticationError,
    DecodeError,
    InsufficientCoinsError,
    ModerationError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

R = TypeVar("R")
T = TypeVar("T")
DataT = TypeVar("DataT")

MODERATION_CODES = frozenset({1003, 1004})
_BY_STATUS: dict[int, type[APIError]] = {
    401: AuthenticationError,
    402: InsufficientCoinsError,
    403: PermissionDeniedError,
    404: NotFoundError,
}
# No public code list names "too few coins" (contract 1.4), so the text has to tell.
_BROKE = re.compile(
    r"(insufficient|not enough|too few|lack of)\W+(\w+\W+){0,2}(coin|credit|balance|diamond)"
    r"|(coin|credit|balance|diamond)s?\W+(\w+\W+){0,2}(insufficient|not enough|too low|exhausted)",
    re.IGNORECASE,
)


class Envelope(msgspec.Struct, Generic[DataT], frozen=True):
    """Every answer's frame (contract 1.3); ``code`` is the truth, whatever the HTTP status."""

    code: int
    data: DataT | None = None


class _Failure(msgspec.Struct, frozen=True):
    code: Any = None
    msg: Any = None
    message: Any = None
    errors: Any = None
    data: Any = None
    trace_id: Any = None

    def text(self) -> str:
        data: object = self.data
        inner = cast("dict[str, Any]", data) if isinstance(data, dict) else {}
        found = self.msg or self.message or self.errors or inner.get("failed_message") or "no reason given"
        return found[:LONGEST] if isinstance(found, str) else msgspec.json.encode(found).decode()

    def trace(self) -> str:
        return str(self.trace_id)[:100] if isinstance(self.trace_id, str | int) else ""


def number_in(code: object) -> int:
    """Read a code that may come as text; 0 where there is none."""
    try:
        return int(str(code)) if isinstance(code, str | int) else 0
    except ValueError:
        return 0


_read_failure = Decoder(_Failure).decode


class Page(msgspec.Struct, Generic[T], frozen=True):
    """One page of a listing, newest first; ``count`` is the total over all pages, None if it is not told."""

    items: list[T]
    count: int | None = None


class _Rows(msgspec.Struct, Generic[T], frozen=True):
    rows: list[T] | None = None
    data: list[T] | None = None
    listed: list[T] | None = msgspec.field(default=None, name="list")
    count: int | None = None
    total: int | None = None

    def items(self) -> list[T]:
        for found in (self.rows, self.data, self.listed):
            if found is not None:
                return found
        raise _MisfitError("no list of records in it")


class _Identity(msgspec.Struct, frozen=True):
    id: str | int = msgspec.field(default="", name="_id")


class _Data(msgspec.Struct, frozen=True):
    data: msgspec.Raw = msgspec.Raw(b"{}")


_read_data = Decoder(_Data).decode
_read_list = Decoder(list[msgspec.Raw]).decode
_read_rows = Decoder(_Rows[msgspec.Raw], strict=False).decode
_read_identity = Decoder(_Identity).decode


class Source(msgspec.Struct):
    """The bytes that records were read from, so that what the types leave out stays readable."""

    body: bytes
    paged: bool = False
    """An object in it holds the records; else it is one."""
    slices: dict[str | int, bytes] | None = None

    def of(self, record_id: str) -> bytes:
        """Return one record's own bytes; raise DecodeError where they nest too deep to be told apart."""
        if self.slices is None:
            try:
                data = _read_data(self.body).data
                if bytes(data).startswith(b"["):
                    parts = _read_list(data)
                else:
                    parts = _read_rows(data).items() if self.paged else [data]
                self.slices = {_read_identity(part).id: bytes(part) for part in parts}
            except UNREADABLE as error:
                raise DecodeError(f"record {record_id} cannot be read in full ({error}).") from None
        return self.slices.get(record_id, b"{}")


class _Sourced:
    # A slot that is no field: what is compared, shown, pickled and sent knows nothing of it.
    __slots__ = ("_source",)
    _source: Source | None


class Record(_Sourced, Reply):
    """Something that the service keeps under an id."""

    id: str = field(name="_id")
    """Record id, 24 hex digits."""

    @property
    def raw(self) -> dict[str, Any]:
        """The record as the service sent it, undocumented fields included; {} if it was not received."""
        source: Source | None = getattr(self, "_source", None)
        try:
            return msgspec.json.decode(source.of(self.id)) if source else {}
        except UNREADABLE as error:
            raise DecodeError(f"record {self.id} cannot be read in full ({error}).") from None

    def to_json(self) -> bytes:
        """Return the record as the service sent it; without what is undocumented where that cannot be read."""
        source: Source | None = getattr(self, "_source", None)
        try:
            return source.of(self.id) if source else msgspec.json.encode(self)
        except DecodeError:
            return msgspec.json.encode(self)

    def detach(self) -> None:
        """Let go of the other records that came in the same answer, where they can be told apart."""
        source: Source | None = getattr(self, "_source", None)
        try:
            if source:
                force_setattr(self, "_source", Source(b'{"code":0,"data":' + source.of(self.id) + b"}"))
        except DecodeError:
            return


class _MisfitError(ValueError):
    """The envelope is fine; its data is not of the expected shape."""


class Answer(Generic[R]):
    """How one endpoint's ``data`` is read: the wire type, and what of it the caller gets."""

    def __init__(self, record: Any, wire: Any, pick: Callable[[Any, bytes], R]) -> None:
        self.record = record
        self.pick = pick
        self._wire = wire
        self._decode: Callable[[bytes], Envelope[Any]] | None = None

    def read(self, endpoint: str, status: int, headers: Mapping[str, str], body: bytes) -> R:
        """Return the typed value, or raise what the answer means."""
        if self._decode is None:
            self._decode = Decoder(_generic(Envelope, self._wire), strict=False).decode
        misfit = ""
        if status < 300:
            try:
                envelope = self._decode(body)
                if envelope.code == 0:
                    return self.pick(envelope.data, body)
            except UNREADABLE as error:
                misfit = str(error)
        raise explain(endpoint, status, headers, body, misfit)


def _generic(cls: Any, item: Any) -> Any:
    return cls[item]  # type checkers would take the same written as cls[item] in place for an annotation


def _marked(rows: list[T], body: bytes, *, paged: bool) -> list[T]:
    if rows and isinstance(rows[0], Record):
        source = Source(body, paged)
        for row in cast("list[Record]", rows):
            force_setattr(row, "_source", source)
    return rows


def one(record: type[T]) -> Answer[T]:
    """One record; an array of one is taken for it (contract 5)."""

    def pick(data: T | list[T] | None, body: bytes) -> T:
        if isinstance(data, list):
            data = cast("list[T]", data)[0] if data else None
        if data is None:
            raise _MisfitError("no record in it")
        if isinstance(data, Record):
            force_setattr(data, "_source", Source(body))
        return data

    return Answer(record, record | _generic(list, record), pick)


def many(record: type[T]) -> Answer[list[T]]:
    """Many records as a list, whichever of the service's list shapes they come in (contract 1.7)."""

    def pick(data: list[T] | _Rows[T] | None, body: bytes) -> list[T]:
        if data is None:
            raise _MisfitError("no list of records in it")
        return _marked(data if isinstance(data, list) else data.items(), body, paged=True)

    return Answer(record, _generic(list, record) | _generic(_Rows, record), pick)


def page(record: type[T]) -> Answer[Page[T]]:
    """One page of records and the total, in whichever of the service's list shapes (contract 1.7)."""
    rows = many(record).pick

    def pick(data: list[T] | _Rows[T] | None, body: bytes) -> Page[T]:
        if data is None or isinstance(data, list):
            return Page(rows(data, body))
        return Page(rows(data, body), data.total if data.count is None else data.count)

    return Answer(record, _generic(list, record) | _generic(_Rows, record), pick)


def several(record: type[T]) -> Answer[list[T]]:
    """Read records as a list, also where the service answers a lone one without its list."""

    def pick(data: T | list[T] | None, body: bytes) -> list[T]:
        if data is None:
            raise _MisfitError("no record in it")
        return _marked(cast("list[T]", data) if isinstance(data, list) else [data], body, paged=False)

    return Answer(record, record | _generic(list, record), pick)


def text() -> Answer[str]:
    """Read a bare string, as a few rows answer (contract 5)."""

    def pick(data: str | None, _body: bytes) -> str:
        if not data:
            raise _MisfitError("no text in it")
        return data

    return Answer(str, str, pick)


def plain() -> Answer[object]:
    """Take whatever JSON it is, for rows whose answer was never public."""
    return Answer(object, Any, lambda data, _body: data)


def nothing() -> Answer[None]:
    """No value: clients look at the code only (contract 7.11)."""
    return Answer(None, Any, lambda _data, _body: None)


def explain(endpoint: str, status: int, headers: Mapping[str, str], body: bytes, misfit: str = "") -> A2EError:
    """Say as an error what an answer that brought no value means."""
    text = f"the answer is no JSON: {_excerpt(body)!r}."
    try:
        failure = _read_failure(body)
        text = failure.text()
    except UNREADABLE:
        failure = None
    code = number_in(failure.code) if failure else 0
    if status < 300 and not code:
        strange = failure is None or failure.code is None
        kind = "no envelope of the service's" if strange else f"unexpected ({misfit})"
        return DecodeError(f"the answer is {kind}.", endpoint=endpoint, excerpt=_excerpt(body))
    if 300 <= status < 400:
        place = headers.get("Location", "").partition("?")[0][:200]
        text = f"redirected to {place!r}, where the token is not sent; check A2E_BASE_URL. {text}"
    trace_id = failure.trace() if failure else ""
    wait = retry_after(headers.get("Retry-After", ""))
    if status == 429 and code not in MODERATION_CODES:
        return RateLimitError(text, code=code, trace_id=trace_id, endpoint=endpoint, retry_after=wait)
    cls = _error_class(status, code, text)
    safe = cls is not ServerError and cls is not ModerationError
    return cls(
        text,
        http_status=status,
        code=code,
        trace_id=trace_id,
        endpoint=endpoint,
        retry_safe=safe,
        retry_after=wait if cls is ServerError else None,
    )


def _error_class(status: int, code: int, text: str) -> type[APIError]:
    if code in MODERATION_CODES:
        return ModerationError
    if _BROKE.search(text) and status < 500:
        return InsufficientCoinsError
    return _BY_STATUS.get(status, ServerError if status >= 500 else APIError)


def retry_after(value: str) -> float | None:
    """Read both forms of Retry-After as seconds from now; None where there is nothing readable."""
    if (digits := value.strip()).isdecimal():
        return float(digits)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError, OverflowError):
        return None


def _excerpt(body: bytes) -> str:
    return " ".join(body[:400].decode("utf-8", "replace").split())[:160]
