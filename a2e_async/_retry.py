"""What may be sent again, and when. The waits are backoff's; the decision has to see the money, so it is ours."""

from collections.abc import Iterator

import backoff

from a2e_async.config import RetryPolicy
from a2e_async.errors import A2EError, APIError, DecodeError, RateLimitError, ServerError, TransportError

NOT_IMPLEMENTED = 501


def repeatable(error: A2EError, *, safe: bool) -> bool:
    """Tell whether sending the same request again may help and cannot pay twice."""
    if isinstance(error, RateLimitError):
        return True
    if isinstance(error, TransportError):
        return safe or not error.sent
    return safe and isinstance(error, ServerError) and error.http_status != NOT_IMPLEMENTED


def passing(error: Exception) -> bool:
    """Tell whether a read that failed may fare better later, so that nobody need stop waiting for it."""
    if isinstance(error, APIError) and (300 <= error.http_status < 400 or error.http_status == 408):
        return True
    return isinstance(error, TransportError | RateLimitError | ServerError | DecodeError)


def started_unknown(error: A2EError) -> bool:
    """Tell whether a paid request may have been carried out although no readable answer came."""
    if isinstance(error, TransportError):
        return error.sent
    if isinstance(error, APIError):
        # A gateway says 408 when it gave up on the answer, not only when the request was late.
        lost = isinstance(error, ServerError) or error.http_status == 408
        return lost and error.http_status != NOT_IMPLEMENTED
    return True


def waits(policy: RetryPolicy) -> Iterator[float]:
    """Yield the pause before each repeat, in seconds."""
    ceilings = backoff.expo(base=2, factor=policy.base, max_value=policy.longest)
    next(ceilings)  # primes the generator, which yields nothing first
    for _ in range(policy.attempts - 1):
        yield backoff.full_jitter(next(ceilings))


def next_pause(pauses: Iterator[float], policy: RetryPolicy, asked: float | None) -> float | None:
    """Return the next pause, no shorter than a server asked for; None where nothing is to be sent again."""
    pause = next(pauses, None)
    return None if pause is None or (asked or 0.0) > policy.patience else max(pause, asked or 0.0)
