"""Requests, tasks and refusals on disk, so that a batch can be taken up without its input."""

from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from a2e_async._fields import Fields
from a2e_async._wire import UNREADABLE, Request
from a2e_async.errors import A2EError, JournalError, ModerationError, RequestError
from a2e_async.tasks import Start, Task, TaskKind

T = TypeVar("T")
TaskT = TypeVar("TaskT", bound=Task)


def _absolute(value: object) -> str:
    if isinstance(value, PathLike):
        return str(Path(fspath(cast("PathLike[str]", value))).absolute())
    raise TypeError(f"a value of type {type(value).__name__} cannot be written down.")


_EXACT = 1 << 53
"""Below this a number with a fraction is the same as one without."""


def _alike(value: Any) -> Any:
    # A whole number is written the same whether it was given as 2 or as 2.0, which the type of its field makes of it.
    if isinstance(value, dict):
        return {name: _alike(inner) for name, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return list(map(_alike, cast("list[object]", value)))
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value


def freeze(request: Request) -> bytes:
    """Write a request down, local files by their whole path; equal requests give equal bytes.

    Where to call back is left out: it holds a secret, and is not the job's but the run's. RequestError for what cannot
    be written.
    """
    if isinstance(request, Start) and (request.webhook_url or request.webhook_token):
        request = msgspec.structs.replace(request, webhook_url=None, webhook_token=None)
    try:
        return msgspec.json.encode(_alike(msgspec.to_builtins(request, enc_hook=_absolute)))
    except (TypeError, ValueError, RecursionError) as error:
        raise RequestError(str(error)) from None


def thaw(cls: type[Request], frozen: bytes) -> Request:
    """Return the request that `freeze` wrote; raise RequestError for what it did not write."""
    fields = Fields(cls)
    try:
        given = members(frozen)
    except JournalError as error:
        raise RequestError(error.message) from None
    return fields.request({fields.attribute(name): value for name, value in given.items()})


def members(frozen: bytes) -> dict[str, Any]:
    """Return the members of a request by their wire names; raise JournalError where it is damaged."""
    return _read(frozen, dict[str, Any], "request")


def revive(kind: TaskKind[..., TaskT], record: bytes) -> TaskT:
    """Return the task that `Task.to_json` wrote; raise JournalError where it is damaged."""
    try:
        return kind.read(record)
    except A2EError as error:
        raise JournalError(f"a task in the journal cannot be read ({error.message})") from None


class Refusal(msgspec.Struct, frozen=True):
    """What moderation answered to a submission."""

    message: str
    code: int
    http_status: int

    @classmethod
    def of(cls, error: ModerationError) -> bytes:
        """Write it down."""
        return msgspec.json.encode(cls(error.message, error.code, error.http_status))

    @classmethod
    def read(cls, written: bytes | None) -> "Refusal":
        """Return it; raise JournalError where it is damaged."""
        return _read(written or b"", cls, "refusal")


def _read(written: bytes, kind: type[T], what: str) -> T:
    try:
        return msgspec.json.decode(written, type=kind)
    except UNREADABLE as error:
        raise JournalError(f"a {what} in the journal cannot be read ({error})") from None
