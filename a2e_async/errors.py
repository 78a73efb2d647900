"""Everything this package raises, as one tree.

::

    A2EError
    ├── ConfigError                     the session cannot be set up
    ├── RequestError                    refused here, before anything was sent
    ├── TransportError                  no usable answer arrived
    │   └── TransportTimeoutError       ... in time (also TimeoutError)
    ├── APIError                        the service answered with a refusal
    │   ├── AuthenticationError         401
    │   ├── PermissionDeniedError       403
    │   ├── InsufficientCoinsError      402, or a refusal that says so
    │   ├── NotFoundError               404
    │   ├── RateLimitError              429
    │   ├── ModerationError             codes 1003 and 1004: final
    │   └── ServerError                 5xx
    ├── DecodeError                     an answer arrived and makes no sense
    ├── SubmissionUncertainError        a paid request was sent, its outcome is unknown
    ├── BatchStoppedError               a batch stopped submitting before its input ended
    │   └── BudgetExceededError         ... because a limit on coins was reached
    ├── JournalError                    a batch's journal cannot be used
    └── TaskError                       about one task
        ├── TaskFailedError             the service gave up on it
        └── TaskTimeoutError            we stopped waiting (also TimeoutError)
            ├── QueueTimeoutError       ... since it was queued for too long
            ├── RunTimeoutError         ... since it ran for too long
            └── StallTimeoutError       ... since nothing moved for too long

Each error pickles, names its endpoint, and says what is known about the money: ``spent`` is ``"no"``,
``"yes"`` or ``"unknown"``. ``retry_safe`` is true only where repeating the same call cannot pay twice.
"""

from typing import Any, ClassVar, Literal

Spent = Literal["no", "yes", "unknown"]

LONGEST = 4000
"""Characters of an error's message at the most."""
# Control characters, and those that turn the direction of writing: in a log or a terminal they make a text another one.
_UNSEEN = (*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A))
_SEEN = {code: ascii(chr(code))[1:-1] for code in _UNSEEN} | dict.fromkeys(map(ord, "\t\n\r"), " ")


def visible(text: str) -> str:
    """Write a text on one line, with escapes for what would steer a terminal or forge the line of a log."""
    return text if text.isprintable() else text.translate(_SEEN)


def _revive(cls: type["A2EError"], message: str, state: dict[str, Any]) -> "A2EError":
    error = cls.__new__(cls, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error


class A2EError(Exception):
    """Root of the tree. ``endpoint`` is ``"VERB /path"``; ``task_id`` is set where one task is meant."""

    remedy: ClassVar[str] = ""
    """What to do about it, where that is always the same; the message ends with it."""

    def __init__(
        self,
        message: str,
        *,
        endpoint: str = "",
        task_id: str = "",
        spent: Spent = "no",
        retry_safe: bool = False,
    ) -> None:
        message = visible(message if len(message) <= LONGEST else f"{message[:LONGEST]}...")
        text = f"{endpoint}: {message}" if endpoint else message
        super().__init__(f"{text.rstrip('. ')}. {self.remedy}" if self.remedy else text)
        self.message = message
        """The text without endpoint and remedy."""
        self.endpoint = endpoint
        self.task_id = task_id
        self.spent: Spent = spent
        """Whether coins were spent: ``"no"``, ``"yes"`` or ``"unknown"``."""
        self.retry_safe = retry_safe
        """True only where repeating the same call cannot pay twice."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), str(self), self.__dict__)

    def __str__(self) -> str:
        return str(self.args[0])


class ConfigError(A2EError):
    """The session cannot be set up as asked; nothing was sent."""


class RequestError(A2EError):
    """Refused locally, before any coin was spent; ``field`` is the wire name of what is wrong."""

    def __init__(self, message: str, *, field: str = "", endpoint: str = "") -> None:
        super().__init__(f"{field}: {message}" if field else message, endpoint=endpoint)
        self.field = field


class TransportError(A2EError):
    """No usable answer; ``sent`` is false only if the request certainly never left this machine."""

    def __init__(self, message: str, *, endpoint: str = "", sent: bool = True) -> None:
        super().__init__(message, endpoint=endpoint, retry_safe=not sent)
        self.sent = sent


class TransportTimeoutError(TransportError, TimeoutError):
    """No complete answer within the time allowed."""


class APIError(A2EError):
    """The service refused. ``code`` is the envelope's code (0 when the body had none).

    ``retry_after`` is in seconds; None if the service did not ask for a pause.
    """

    def __init__(  # noqa: PLR0913 - a refusal says this much
        self,
        message: str,
        *,
        http_status: int,
        code: int = 0,
        trace_id: str = "",
        endpoint: str = "",
        task_id: str = "",
        retry_safe: bool = False,
        retry_after: float | None = None,
    ) -> None:
        number = f", code {code}" if code else ""
        message += "" if retry_after is None else f" (the service asks to wait {retry_after:g} s)"
        super().__init__(
            f"HTTP {http_status}{number}: {message}",
            endpoint=endpoint,
            task_id=task_id,
            retry_safe=retry_safe,
        )
        self.message = visible(message[:LONGEST])
        self.http_status = http_status
        """Also 200, where the code of the envelope is not 0."""
        self.code = code
        self.trace_id = trace_id
        """The service's own name of the request, to be told to its support."""
        self.retry_after = retry_after


class AuthenticationError(APIError):
    """HTTP 401: the token is missing, wrong or revoked."""

    remedy = "Check A2E_API_KEY: tokens start with sk_ and are made on the service's page Account > API Token."


class PermissionDeniedError(APIError):
    """HTTP 403: the account may not do this; free-tier accounts get it on every call."""

    remedy = "Check that the account's plan includes API access."


class InsufficientCoinsError(APIError):
    """The account holds too few coins; nothing was started."""

    remedy = "Top up the account, then repeat the call: nothing was started."


class NotFoundError(APIError):
    """HTTP 404: no such record in this account, or no such path."""

    remedy = "Check the id: records belong to one account, and leave the service after some days."


class RateLimitError(APIError):
    """HTTP 429: nothing was started."""

    def __init__(  # noqa: PLR0913 - a refusal says this much
        self,
        message: str,
        *,
        http_status: int = 429,
        code: int = 0,
        trace_id: str = "",
        endpoint: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(
            message,
            http_status=http_status,
            code=code,
            trace_id=trace_id,
            endpoint=endpoint,
            retry_safe=True,
            retry_after=retry_after,
        )


class ModerationError(APIError):
    """Codes 1003 and 1004: the service's moderation refused the input. Final: never retried."""

    remedy = "This decision is final: change the input, and have the consent of the people it shows."


class ServerError(APIError):
    """HTTP 5xx."""


class DecodeError(A2EError):
    """An answer arrived that cannot be read; ``excerpt`` holds its beginning."""

    def __init__(self, message: str, *, endpoint: str = "", excerpt: str = "", spent: Spent = "no") -> None:
        seen = f" The answer begins: {excerpt!r}" if excerpt else ""
        super().__init__(message + seen, endpoint=endpoint, spent=spent)
        self.excerpt = excerpt


class SubmissionUncertainError(A2EError):
    """A paid request was sent and its outcome is unknown: it is never sent again by itself.

    ``request`` holds the body that was sent and ``sent_at`` the UTC time in ISO 8601, which is what it takes
    to look for the task in the group's records.
    """

    def __init__(
        self, message: str, *, endpoint: str = "", request: dict[str, Any] | None = None, sent_at: str = ""
    ) -> None:
        super().__init__(message, endpoint=endpoint, spent="unknown")
        self.request = request or {}
        self.sent_at = sent_at


class BatchStoppedError(A2EError):
    """A batch stopped submitting before its input ended; what was started before was waited for."""


class BudgetExceededError(BatchStoppedError):
    """Going on would spend more coins than allowed; what was started before is unaffected."""


class JournalError(A2EError):
    """A batch's journal cannot be read, written or had to oneself; without it nothing is submitted."""


class TaskError(A2EError):
    """About one task; ``task`` is the record as last seen (None if never seen)."""

    def __init__(
        self, message: str, *, task_id: str, task: object = None, endpoint: str = "", spent: Spent = "yes"
    ) -> None:
        super().__init__(message, endpoint=endpoint, task_id=task_id, spent=spent)
        self.task = task


class TaskFailedError(TaskError):
    """The service gave up on the task; failed tasks are refunded (contract 1.9)."""


class TaskTimeoutError(TaskError, TimeoutError):
    """The deadline passed first; the job itself goes on at the service and can be watched again.

    ``limit`` is what was reached, in seconds: the deadline, or one of the limits on a phase.
    """

    def __init__(  # noqa: PLR0913 - a task, and how long it was waited for
        self,
        message: str,
        *,
        task_id: str,
        task: object = None,
        endpoint: str = "",
        spent: Spent = "yes",
        limit: float = 0.0,
    ) -> None:
        super().__init__(message, task_id=task_id, task=task, endpoint=endpoint, spent=spent)
        self.limit = limit


class QueueTimeoutError(TaskTimeoutError):
    """The task was not begun within `WaitLimits.queue`."""


class RunTimeoutError(TaskTimeoutError):
    """The task, once begun, was not done within `WaitLimits.run`."""


class StallTimeoutError(TaskTimeoutError):
    """Neither the task's status word nor its ``updated_at`` changed within `WaitLimits.stall`."""


class ProvisionalEndpointWarning(UserWarning):
    """The row was never publicly documented: it is called at its best-supported path."""
