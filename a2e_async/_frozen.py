"""Requests on disk, so that a batch can be taken up without its input."""

from os import PathLike, fspath
from pathlib import Path
from typing import Any, cast

import msgspec

from a2e_async._fields import Fields
from a2e_async._wire import Request
from a2e_async.errors import RequestError
from a2e_async.tasks import Start


def _absolute(value: object) -> str:
    if isinstance(value, PathLike):
        return str(Path(fspath(cast("PathLike[str]", value))).absolute())
    raise TypeError(f"a value of type {type(value).__name__} cannot be written down")


_encode = msgspec.json.Encoder(enc_hook=_absolute).encode


def freeze(request: Request) -> bytes:
    """Write a request down, local files by their whole path; equal requests give equal bytes.

    Where to call back is left out: it holds a secret, and is not the job's but the run's.
    """
    if isinstance(request, Start) and (request.webhook_url or request.webhook_token):
        request = msgspec.structs.replace(request, webhook_url=None, webhook_token=None)
    return _encode(request)


def thaw(cls: type[Request], frozen: bytes) -> Request:
    """Return the request that `freeze` wrote; raise RequestError for what it did not write."""
    fields = Fields(cls)
    try:
        data = msgspec.json.decode(frozen, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RequestError(f"the journal holds no request that can be read ({error}).") from None
    return fields.request({fields.attribute(name): value for name, value in data.items()})
