"""Any input, to everything that reads: a value or a documented error. `benchmarks/fuzz.py` tries a million more."""

import contextlib
from random import Random

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from a2e_async.groups import endpoints
from tests.decoders import Decoder, decoders
from tests.recorded import Recorded, recorded

UNHURRIED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]
NAMES = [decoder.name for decoder in decoders([])]


@pytest.fixture(scope="module")
def answers() -> list[Recorded]:
    return recorded()


@pytest.fixture(scope="module")
def by_name(answers: list[Recorded]) -> dict[str, Decoder]:
    return {decoder.name: decoder for decoder in decoders(answers)}


def test_every_endpoint_was_answered_and_its_answer_is_read(answers: list[Recorded]) -> None:
    assert {found.endpoint for found in answers} == set(endpoints())
    for endpoint, _, _, status, body in answers:
        if status == 200 and b'"code":0' in body:
            endpoint.answer.read(endpoint.label, status, {}, body)
    good = {found.endpoint for found in answers if found.good}
    assert {endpoint.answer.record for endpoint in set(endpoints()) - good} <= {None}


@pytest.mark.parametrize("name", NAMES)
def test_any_input_is_read_or_refused(by_name: dict[str, Decoder], name: str) -> None:
    decoder = by_name[name]

    @settings(max_examples=max(20, int(300 * min(decoder.share, 2))), suppress_health_check=UNHURRIED)
    @given(st.randoms(use_true_random=False))
    def check(draw: Random) -> None:
        data = decoder.make(draw)
        note(repr(data))
        with contextlib.suppress(decoder.raises):
            decoder.read(data)

    check()
