"""Asks a sandbox about itself over HTTP, and tells it what to do; no event loop is needed."""

import json
from collections.abc import Mapping
from typing import TypeVar
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import msgspec

T = TypeVar("T")

_PATIENCE = 10.0
"""Seconds that the sandbox may take for an answer about itself."""


class AccountExistsError(ValueError):
    """An account has begun, so what it begins with can no longer be chosen."""


class _Problem(msgspec.Struct):
    msg: str


class Control:
    """Asks for one account; any thread may use it."""

    def __init__(self, url: str, key: str) -> None:
        self._base, self._headers = f"{url}/sandbox/", {"Authorization": f"Bearer {key}"}

    def send(self, method: str, path: str, body: Mapping[str, object] | None = None) -> bytes:
        """Return the answer as it came; LookupError, AccountExistsError or ValueError say why there is none."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self._base + path, data, self._headers, method=method)  # noqa: S310 - checked below
        if request.type not in {"http", "https"}:
            raise ValueError(f"{self._base} is no URL of a sandbox")
        try:  # without a proxy: whatever the environment names, it would not reach this machine
            with build_opener(ProxyHandler({})).open(request, timeout=_PATIENCE) as answer:
                return bytes(answer.read())
        except HTTPError as error:
            with error:
                raise _problem(error.code, error.read()) from None

    def read(self, path: str, kind: type[T], body: Mapping[str, object] | None = None) -> T:
        """Return what is read there, or comes of sending a body."""
        return msgspec.json.decode(self.send("GET" if body is None else "POST", path, body), type=kind)


def _problem(status: int, body: bytes) -> Exception:
    try:
        text = msgspec.json.decode(body, type=_Problem).msg
    except msgspec.DecodeError:
        text = f"HTTP status {status}"
    return {404: LookupError, 409: AccountExistsError}.get(status, ValueError)(text)
