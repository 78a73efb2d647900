"""What a web app's visitors are told of an error: HTTP status and problem+json (RFC 9457). The log gets the rest."""

import logging
import re
from http import HTTPStatus
from math import ceil
from typing import Any, NamedTuple

import msgspec

from a2e_async.errors import (
    A2EError,
    APIError,
    AuthenticationError,
    BatchStoppedError,
    DecodeError,
    InsufficientCoinsError,
    ModerationError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    RequestError,
    ServerError,
    SubmissionUncertainError,
    TaskFailedError,
    TaskTimeoutError,
    TransportError,
    TransportTimeoutError,
)

MEDIA_TYPE = "application/problem+json"
_DAY = 86_400

_OURS = "The application is not set up properly for what was asked."
_ANSWERS: dict[type[A2EError], tuple[int, str]] = {
    # Without a text of ours the error's own is told: the visitor's input is meant.
    RequestError: (422, ""),
    ModerationError: (422, ""),
    APIError: (422, ""),
    NotFoundError: (404, ""),
    TaskFailedError: (502, ""),
    # The account is the app's: neither can its visitors log in or pay, nor were they too fast.
    AuthenticationError: (500, _OURS),
    PermissionDeniedError: (500, _OURS),
    A2EError: (500, _OURS),
    InsufficientCoinsError: (503, "The application can start no jobs at present."),
    RateLimitError: (503, "Too much is asked for at present: try again later."),
    BatchStoppedError: (503, "The application starts no further jobs at present."),
    ServerError: (502, "The video service cannot answer at present."),
    DecodeError: (502, "The video service gave no readable answer."),
    TransportError: (502, "The video service cannot be reached at present."),
    TransportTimeoutError: (504, "The video service gave no answer in time."),
    SubmissionUncertainError: (
        502,
        "The job was sent, but no answer came: it may have begun and been paid for. Do not repeat it blindly.",
    ),
    TaskTimeoutError: (504, "The job has not ended in the time allowed. It goes on, and can be watched again."),
}
# Where an upload lies on the server is nobody's business.
_FOLDERS = re.compile(r"(?<![\w:/\\.-])(?:[A-Za-z]:[/\\]|\\\\|/)(?:[^/\\\s'\"]+[/\\])*(?=[^/\\\s])")

log = logging.getLogger("a2e_async")


class Answer(NamedTuple):
    """An HTTP answer that any framework can send."""

    status: int
    headers: dict[str, str]
    body: bytes


def problem(error: A2EError) -> dict[str, Any]:
    """Return the members of a problem detail: `error` is the class, `detail` is fit for visitors."""
    status, text = next(_ANSWERS[kind] for kind in type(error).__mro__ if kind in _ANSWERS)
    found: dict[str, Any] = {
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": text or _FOLDERS.sub("", error.message),
        "error": type(error).__name__,
        "endpoint": error.endpoint or None,
        "task_id": error.task_id or None,
        "field": getattr(error, "field", None) or None,
        "retry_after": getattr(error, "retry_after", None),
        "spent": error.spent,
        "retry_safe": error.retry_safe,
    }
    return {name: value for name, value in found.items() if value is not None}


def reported(error: A2EError) -> dict[str, Any]:
    """Return the problem, and let the log know all of it."""
    found = problem(error)
    level = logging.ERROR if found["status"] >= 500 else logging.INFO
    log.log(level, "Answered with HTTP %d: %s: %s", found["status"], found["error"], error)
    return found


def answer(error: A2EError) -> Answer:
    """Return what to send to whoever's request met the error."""
    found = reported(error)
    headers = {"Content-Type": MEDIA_TYPE, "Cache-Control": "no-store"}
    if "retry_after" in found and found["status"] >= 500:
        headers["Retry-After"] = str(ceil(min(found["retry_after"], _DAY)))
    return Answer(found["status"], headers, msgspec.json.encode(found))
