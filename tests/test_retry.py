"""What may be sent again, and how long the pauses are."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2e_async._retry import repeatable, started_unknown, waits
from a2e_async.config import RetryPolicy
from a2e_async.errors import (
    A2EError,
    APIError,
    AuthenticationError,
    DecodeError,
    InsufficientCoinsError,
    ModerationError,
    NotFoundError,
    RateLimitError,
    ServerError,
    TransportError,
    TransportTimeoutError,
)

CASES: list[tuple[A2EError, bool, bool, bool]] = [
    # error, repeated if safe, repeated if it may pay twice, leaves a paid request's outcome unknown
    (RateLimitError("m"), True, True, False),
    (TransportError("m", sent=False), True, True, False),
    (TransportTimeoutError("m", sent=False), True, True, False),
    (TransportError("m"), True, False, True),
    (TransportTimeoutError("m"), True, False, True),
    (ServerError("m", http_status=503), True, False, True),
    (ServerError("m", http_status=501), False, False, False),
    (DecodeError("m"), False, False, True),
    (APIError("m", http_status=408), False, False, True),
    (APIError("m", http_status=400), False, False, False),
    (APIError("m", http_status=200, code=1001), False, False, False),
    (AuthenticationError("m", http_status=401), False, False, False),
    (InsufficientCoinsError("m", http_status=402), False, False, False),
    (NotFoundError("m", http_status=404), False, False, False),
    (ModerationError("m", http_status=503, code=1003), False, False, False),
]


@pytest.mark.parametrize(("error", "if_safe", "if_paid", "unknown"), CASES)
def test_what_is_repeated(error: A2EError, if_safe: bool, if_paid: bool, unknown: bool) -> None:
    assert repeatable(error, safe=True) is if_safe
    assert repeatable(error, safe=False) is if_paid
    assert started_unknown(error) is unknown


@pytest.mark.parametrize("error", [case[0] for case in CASES])
def test_nothing_of_unknown_outcome_is_paid_twice(error: A2EError) -> None:
    assert not (started_unknown(error) and repeatable(error, safe=False))


@given(
    attempts=st.integers(1, 30),
    base=st.floats(0, 10, allow_nan=False),
    longest=st.floats(0, 100, allow_nan=False),
)
def test_each_pause_is_within_its_ceiling(attempts: int, base: float, longest: float) -> None:
    pauses = list(waits(RetryPolicy(attempts=attempts, base=base, longest=longest)))

    assert len(pauses) == attempts - 1
    for number, pause in enumerate(pauses):
        assert 0 <= pause <= min(base * 2**number, longest)


def test_pauses_are_spread_over_their_whole_range() -> None:
    random.seed(1)
    first = [next(waits(RetryPolicy(attempts=2, base=1.0))) for _ in range(200)]

    assert min(first) < 0.1
    assert max(first) > 0.9


def test_a_long_row_of_repeats_does_not_overflow() -> None:
    assert max(waits(RetryPolicy(attempts=3000, base=0.5, longest=20.0))) <= 20.0
