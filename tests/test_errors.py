"""The error tree: drawn as it is, picklable, and telling what to do."""

import copy
import pickle
import re

import pytest

from a2e_async import errors
from a2e_async.errors import (
    A2EError,
    APIError,
    AuthenticationError,
    BatchStoppedError,
    BudgetExceededError,
    ConfigError,
    DecodeError,
    InsufficientCoinsError,
    JournalError,
    ModerationError,
    NotFoundError,
    PermissionDeniedError,
    ProvisionalEndpointWarning,
    QueueTimeoutError,
    RateLimitError,
    RequestError,
    RunTimeoutError,
    ServerError,
    StallTimeoutError,
    SubmissionUncertainError,
    TaskError,
    TaskFailedError,
    TaskTimeoutError,
    TransportError,
    TransportTimeoutError,
)
from a2e_async.groups.face_swap import Swap

WHERE = "POST /api/v1/x"
REFUSED = {
    "http_status": 418,
    "code": 7,
    "trace_id": "t-1",
    "endpoint": WHERE,
    "task_id": "a",
    "retry_safe": True,
}
TASK = {"task_id": "a", "task": Swap(id="a", name="n"), "endpoint": WHERE, "spent": "no"}

EVERY: list[A2EError] = [
    A2EError("m", endpoint=WHERE, task_id="a", spent="unknown", retry_safe=True),
    ConfigError("m", endpoint=WHERE),
    RequestError("m", field="name", endpoint=WHERE),
    TransportError("m", endpoint=WHERE, sent=False),
    TransportTimeoutError("m", endpoint=WHERE),
    *(kind("m", **REFUSED) for kind in (APIError, AuthenticationError, PermissionDeniedError, NotFoundError)),
    *(kind("m", **REFUSED) for kind in (InsufficientCoinsError, ModerationError)),
    ServerError("m", **REFUSED, retry_after=2.5),
    RateLimitError("m", code=7, trace_id="t-1", endpoint=WHERE, retry_after=2.5),
    DecodeError("m", endpoint=WHERE, excerpt="<html>", spent="unknown"),
    SubmissionUncertainError("m", endpoint=WHERE, request={"name": "n"}, sent_at="2026-01-01T00:00:00Z"),
    BatchStoppedError("m", endpoint=WHERE),
    BudgetExceededError("m", endpoint=WHERE),
    JournalError("m", endpoint=WHERE),
    *(kind("m", **TASK) for kind in (TaskError, TaskFailedError)),
    *(
        kind("m", **TASK, limit=600.0)
        for kind in (TaskTimeoutError, QueueTimeoutError, RunTimeoutError, StallTimeoutError)
    ),
]


def name(error: Exception) -> str:
    return type(error).__name__


def drawn() -> dict[str, str]:
    """Read the tree in the module's docstring as class -> parent."""
    parents: dict[str, str] = {}
    above: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"^([\s│├└─]*)([A-Z]\w+Error)\b", line)
        if found and line.startswith("    "):
            depth = len(found[1])
            above = [entry for entry in above if entry[0] < depth]
            if above:
                parents[found[2]] = above[-1][1]
            above.append((depth, found[2]))
    return parents


def real(root: type[A2EError]) -> dict[str, str]:
    mine = [child for child in root.__subclasses__() if child.__module__ == errors.__name__]
    return {child.__name__: root.__name__ for child in mine} | {k: v for c in mine for k, v in real(c).items()}


def test_the_tree_is_as_drawn() -> None:
    assert drawn() == real(A2EError)
    assert {name(error) for error in EVERY} == {"A2EError", *drawn()}


@pytest.mark.parametrize("error", EVERY, ids=name)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_each_error_pickles_with_all_it_holds(error: A2EError, protocol: int) -> None:
    again = pickle.loads(pickle.dumps(error, protocol))

    assert type(again) is type(error)
    assert vars(again) == vars(error)
    assert (str(again), again.args) == (str(error), error.args)


@pytest.mark.parametrize("error", EVERY, ids=name)
def test_each_error_copies(error: A2EError) -> None:
    again = copy.copy(error)

    assert (type(again), vars(again), str(again)) == (type(error), vars(error), str(error))


@pytest.mark.parametrize("error", EVERY, ids=name)
def test_each_error_names_its_endpoint_and_the_remedy(error: A2EError) -> None:
    assert error.endpoint == WHERE
    assert str(error).startswith(f"{WHERE}: ")
    assert "m" in error.message
    assert str(error).endswith(error.remedy)


@pytest.mark.parametrize("kind", [AuthenticationError, PermissionDeniedError, InsufficientCoinsError, ModerationError])
def test_a_refusal_that_a_user_can_do_something_about_says_what(kind: type[APIError]) -> None:
    assert kind.remedy.endswith(".")


def test_an_error_without_an_endpoint_is_just_its_message() -> None:
    assert str(ConfigError("No API key.")) == "No API key."
    assert str(RequestError("is empty.", field="name")) == "name: is empty."


def test_what_a_message_tells_besides() -> None:
    assert str(APIError("no", http_status=400, code=1001)) == "HTTP 400, code 1001: no"
    assert str(APIError("no", http_status=400)) == "HTTP 400: no"
    assert str(RateLimitError("slow down")) == "HTTP 429: slow down"
    assert str(RateLimitError("slow down", retry_after=2.5)).endswith("(the service asks to wait 2.5 s)")
    assert str(DecodeError("odd.", excerpt="<html>")) == "odd. The answer begins: '<html>'"


def test_timeouts_are_timeout_errors() -> None:
    assert issubclass(TransportTimeoutError, TimeoutError)
    assert issubclass(TaskTimeoutError, TimeoutError)
    assert not issubclass(TransportError, TimeoutError)


def test_the_provisional_warning_is_a_warning() -> None:
    assert issubclass(ProvisionalEndpointWarning, UserWarning)


def test_what_is_known_of_the_money() -> None:
    spent = {name(error): error.spent for error in EVERY}
    assert SubmissionUncertainError("m").spent == "unknown"
    assert TaskError("m", task_id="a").spent == "yes"
    assert {kind for kind, known in spent.items() if known == "unknown"} == {
        "A2EError",
        "DecodeError",
        "SubmissionUncertainError",
    }
    assert TransportError("m", sent=False).retry_safe
    assert not TransportError("m").retry_safe
    assert not SubmissionUncertainError("m").retry_safe
    assert RateLimitError("m").retry_safe


def test_a_task_in_an_error_survives_pickling() -> None:
    error = TaskFailedError("m", task_id="a", task=Swap(id="a", name="n", result_url="https://x/y"))

    assert pickle.loads(pickle.dumps(error)).task == error.task
