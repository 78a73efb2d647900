"""What visitors of a web app are told of each error."""

import json
import logging
from math import inf
from typing import Any

import pytest

from a2e_async import (
    A2EError,
    APIError,
    AuthenticationError,
    ConfigError,
    InsufficientCoinsError,
    ModerationError,
    NotFoundError,
    RateLimitError,
    RequestError,
    ServerError,
    SubmissionUncertainError,
    TaskFailedError,
    TransportError,
    errors,
)
from a2e_async.integrations._problems import answer, problem, reported

STATUS = {
    "A2EError": 500,
    "ConfigError": 500,
    "RequestError": 422,
    "TransportError": 502,
    "TransportTimeoutError": 504,
    "APIError": 422,
    "AuthenticationError": 500,
    "PermissionDeniedError": 500,
    "InsufficientCoinsError": 503,
    "NotFoundError": 404,
    "RateLimitError": 503,
    "ModerationError": 422,
    "ServerError": 502,
    "DecodeError": 502,
    "SubmissionUncertainError": 502,
    "BatchStoppedError": 503,
    "BudgetExceededError": 503,
    "JournalError": 500,
    "TaskError": 500,
    "TaskFailedError": 502,
    "TaskTimeoutError": 504,
    "QueueTimeoutError": 504,
    "RunTimeoutError": 504,
    "StallTimeoutError": 504,
}
KINDS = [item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, A2EError)]


def made(kind: type[A2EError]) -> A2EError:
    more: dict[str, Any] = {}
    if issubclass(kind, APIError):
        more = {"http_status": 400}
    elif issubclass(kind, errors.TaskError):
        more = {"task_id": "66e63777a3ebb9f1e3a2ab5c"}
    return kind("sk_secret at https://api.example", endpoint="POST /x", **more)


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_has_its_status(kind: type[A2EError]) -> None:
    status, headers, body = answer(made(kind))

    found = json.loads(body)
    assert (status, found["status"], found["error"]) == (STATUS[kind.__name__], STATUS[kind.__name__], kind.__name__)
    assert headers["Content-Type"] == "application/problem+json"
    assert found["endpoint"] == "POST /x"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_the_apps_affair_is_told_to_its_log_alone(
    kind: type[A2EError], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "a2e_async")

    found = reported(made(kind))

    assert ("sk_secret" in found["detail"]) == (found["status"] < 500 or kind is TaskFailedError)
    assert [record.levelname for record in caplog.records] == ["ERROR" if found["status"] >= 500 else "INFO"]
    assert "https://api.example" in caplog.text


def test_a_subclass_of_somebody_elses_is_answered_like_ours() -> None:
    class OddError(ServerError):
        pass

    assert problem(OddError("x", http_status=503))["status"] == 502


@pytest.mark.parametrize(
    ("error", "header"),
    [
        (RateLimitError("slow", retry_after=1.2), "2"),
        (ServerError("busy", http_status=503, retry_after=30.0), "30"),
        (RateLimitError("slow", retry_after=inf), "86400"),
        (RateLimitError("slow"), None),
        (APIError("odd", http_status=400, retry_after=3.0), None),
    ],
)
def test_a_pause_that_was_asked_for_is_passed_on_in_whole_seconds(error: A2EError, header: str | None) -> None:
    assert answer(error).headers.get("Retry-After") == header


def test_the_visitor_learns_which_field_is_wrong_and_what_is_known_of_the_money() -> None:
    found = problem(RequestError("is no picture.", field="face_url", endpoint="POST /x"))
    assert (found["field"], found["detail"], found["spent"]) == ("face_url", "face_url: is no picture.", "no")

    found = problem(SubmissionUncertainError("lost", endpoint="POST /x", request={"prompt": "private"}))
    assert (found["spent"], found["retry_safe"]) == ("unknown", False)
    assert "private" not in str(found)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/srv/up/face.jpg is empty.", "face.jpg is empty."),
        ("C:\\Users\\me\\face.jpg is empty.", "face.jpg is empty."),
        ("'/srv/up/face.jpg' is empty.", "'face.jpg' is empty."),
        ("must be https, not 'http://a.b/c/d.jpg'.", "must be https, not 'http://a.b/c/d.jpg'."),
        ("is a text/html page and/or empty", "is a text/html page and/or empty"),
        ("1/2 of it", "1/2 of it"),
        ("'\\ud800' is no URL", "'\\ud800' is no URL"),
        ("\\\\host\\share\\face.jpg is empty.", "face.jpg is empty."),
    ],
)
def test_a_file_is_named_without_its_folders(text: str, shown: str) -> None:
    assert problem(RequestError(text))["detail"] == shown


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("no key"),
        AuthenticationError("bad", http_status=401),
        InsufficientCoinsError("broke", http_status=402),
        TransportError("down"),
        NotFoundError("none", http_status=404),
        ModerationError("no", http_status=200, code=1003),
    ],
)
def test_the_members_are_those_of_a_problem_detail(error: A2EError) -> None:
    found = problem(error)

    assert {"title", "status", "detail", "error", "spent", "retry_safe"} <= found.keys()
    assert found.keys() <= {
        "title",
        "status",
        "detail",
        "error",
        "endpoint",
        "task_id",
        "field",
        "retry_after",
        "spent",
        "retry_safe",
    }
    assert None not in found.values()
