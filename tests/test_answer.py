"""From status, headers and bytes to a typed value or to the error they mean."""

import contextlib
import copy
import json
import pickle
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from a2e_async._answer import Answer, Page, Record, many, nothing, one, page, retry_after
from a2e_async._wire import Reply
from a2e_async.errors import (
    A2EError,
    APIError,
    AuthenticationError,
    DecodeError,
    InsufficientCoinsError,
    ModerationError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)
from a2e_async.groups import endpoints
from a2e_async.groups.account import Balance
from a2e_async.groups.face_swap import Swap

WHERE = "GET /api/v1/x"


class Thing(Record):
    """A record."""

    size: float | None = None


ONE, MANY, PAGE, NOTHING = one(Thing), many(Thing), page(Thing), nothing()
A, B = {"_id": "a", "size": 1, "odd": [1]}, {"_id": "b", "size": "2.5", "more": {"x": None}}


def read(answer: Answer[Any], body: object, status: int = 200, **headers: str) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return answer.read(WHERE, status, {key.replace("_", "-"): value for key, value in headers.items()}, raw)


def wrapped(data: object) -> dict[str, object]:
    return {"code": 0, "data": data, "trace_id": "t"}


def failed(body: object, status: int = 200, answer: Answer[Any] = ONE, **headers: str) -> A2EError:
    with pytest.raises(A2EError) as caught:
        read(answer, body, status, **headers)
    assert caught.value.endpoint == WHERE
    return caught.value


@pytest.mark.parametrize("data", [A, [A], [A, B]], ids=["object", "array of one", "array"])
def test_one_record(data: object) -> None:
    thing = read(ONE, wrapped(data))

    assert (type(thing), thing.id, thing.size) == (Thing, "a", 1.0)
    assert thing.raw == A


LISTS: list[tuple[object, int | None]] = [
    ([A, B], None),
    ({"rows": [A, B], "count": 7}, 7),
    ({"rows": [A, B], "count": "7"}, 7),
    ({"data": [A, B], "total": 7}, 7),
    ({"list": [A, B]}, None),
    ({"rows": [A, B], "data": None, "other": {}}, None),
]


@pytest.mark.parametrize(("data", "count"), LISTS)
def test_many_records_in_any_of_the_list_shapes(data: object, count: int | None) -> None:
    things = read(MANY, wrapped(data))
    assert [(thing.id, thing.size) for thing in things] == [("a", 1.0), ("b", 2.5)]
    assert [thing.raw for thing in things] == [A, B]

    found = read(PAGE, wrapped(data))
    assert found == Page(things, count)
    assert [thing.raw for thing in found.items] == [A, B]


@pytest.mark.parametrize("data", [[], {"rows": []}, {"list": [], "count": 0}])
def test_an_empty_list_is_a_list(data: object) -> None:
    assert read(MANY, wrapped(data)) == []
    assert read(PAGE, wrapped(data)).items == []


def test_numbers_and_the_code_may_come_as_text() -> None:
    assert read(one(Balance), {"code": "0", "data": {"coins": "12.5", "diamonds": None}}).coins == 12.5
    assert failed({"code": "1001", "msg": "no"}).code == 1001


@pytest.mark.parametrize("data", [None, {}, [], "", 0, [{}], {"id": "a"}])
def test_nothing_is_asked_of_an_answer_whose_value_nobody_reads(data: object) -> None:
    assert read(NOTHING, wrapped(data)) is None
    assert read(NOTHING, {"code": 0}) is None


@pytest.mark.parametrize(
    ("answer", "data"),
    [
        (ONE, None), (ONE, {}), (ONE, []), (ONE, "text"), (ONE, {"id": "a"}), (ONE, {"_id": None}),
        (ONE, [[A]]),
        (ONE, {"_id": "a", "size": "large"}),
        (MANY, None), (MANY, {}), (MANY, A), (MANY, [{}]), (MANY, {"rows": [1]}), (MANY, {"rows": A}),
        (MANY, "text"),
        (PAGE, None), (PAGE, {"count": 3}), (PAGE, {"rows": [A], "count": "many"}),
    ],
)  # fmt: skip
def test_data_of_another_shape_is_a_decode_error(answer: Answer[Any], data: object) -> None:
    error = failed(wrapped(data), answer=answer)

    assert isinstance(error, DecodeError)
    assert error.excerpt.startswith('{"code": 0, "data"')
    assert "unexpected (" in str(error)


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"<html>\n  <h1>Hello</h1></html>", b"\xff\xfe", b"null", b"[]", b"{}", b'{"code": 0',
     b'"text"',
     b'{"data": {"_id": "a"}}', b'{"code": null, "data": {}}', b'{"success": true}', b"[" * 100_000,
     b'{"code": 0, "data": ' + b"[" * 100_000, b'{"code": 0, "data": {"_id": "\xff"}}'],
)  # fmt: skip
@pytest.mark.parametrize("answer", [ONE, MANY, PAGE])
def test_what_is_no_envelope_is_a_decode_error(answer: Answer[Any], body: bytes) -> None:
    error = failed(body, answer=answer)

    assert isinstance(error, DecodeError)
    assert len(error.excerpt) <= 160
    assert "\n" not in error.excerpt


STATUSES = [
    (400, APIError),
    (401, AuthenticationError),
    (402, InsufficientCoinsError),
    (403, PermissionDeniedError),
    (404, NotFoundError),
    (405, APIError),
    (408, APIError),
    (429, RateLimitError),
    (500, ServerError),
    (502, ServerError),
    (599, ServerError),
    (302, APIError),
]


@pytest.mark.parametrize(("status", "kind"), STATUSES)
@pytest.mark.parametrize(
    "body",
    [
        {"code": 1001, "msg": "sorry"},
        {"msg": "sorry"},
        {"code": 0, "data": A, "msg": "sorry"},
        b"<p>sorry</p>",
    ],
)
def test_a_status_is_an_error_whatever_the_body(status: int, kind: type[APIError], body: object) -> None:
    error = failed(body, status)

    assert type(error) is kind
    assert isinstance(error, APIError)
    assert error.http_status == status
    assert "sorry" in str(error)


@pytest.mark.parametrize(("status", "kind"), STATUSES)
@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"[1]", b"{" * 5000, b"null", b'{"code": 1'])
def test_an_unreadable_body_hides_no_status(status: int, kind: type[APIError], body: bytes) -> None:
    assert type(failed(body, status)) is kind


def nests() -> Iterator[str]:
    """Some that can hardly be read, some that can be read and hardly be handled, and what is too deep."""
    for depth in (*range(60, 1010, 50), *range(sys.getrecursionlimit() - 120, sys.getrecursionlimit() + 2)):
        yield "[" * depth + "]" * depth
        yield '{"a":' * depth + "1" + "}" * depth


@pytest.mark.parametrize("name", ["code", "msg", "errors", "data", "trace_id"])
def test_a_deep_nest_hides_no_status(name: str) -> None:
    for nest in nests():
        body = f'{{"code": 7, "{name}": {nest}}}'.encode()
        assert type(failed(body, 403)) is PermissionDeniedError
        assert isinstance(failed(body, 200), DecodeError | APIError)


def deeper(call: Callable[[], Any], frames: int = 40) -> Any:
    return deeper(call, frames - 1) if frames else call()


def test_what_could_be_read_can_be_kept() -> None:
    kept = 0
    for nest in nests():
        body = f'{{"code": 0, "data": [{{"_id": "a", "size": 3, "odd": {nest}}}]}}'.encode()
        with contextlib.suppress(DecodeError):
            for thing in (MANY.read(WHERE, 200, {}, body)[0], ONE.read(WHERE, 200, {}, body)):
                deeper(thing.detach)
                assert ONE.read(WHERE, 200, {}, b'{"code":0,"data":{"_id":"a","size":3}}') == thing
                assert deeper(thing.to_json).startswith(b"{")
                kept += 1
    assert kept > 50


def test_an_error_can_come_with_status_200() -> None:
    error = failed({"code": 1001, "msg": "hosts are occupied", "data": A, "trace_id": "t-1"})

    assert type(error) is APIError
    assert (error.http_status, error.code, error.trace_id) == (200, 1001, "t-1")
    assert str(error) == f"{WHERE}: HTTP 200, code 1001: hosts are occupied"
    for answer in (MANY, PAGE, NOTHING):
        assert type(failed({"code": 1001, "msg": "no"}, answer=answer)) is APIError
    assert failed({"code": -1, "msg": "no"}).code == -1  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"msg": "a", "message": "b"}, "a"),
        ({"msg": "", "message": "b"}, "b"),
        ({"message": "b", "errors": ["c"]}, "b"),
        ({"errors": [{"field": "name"}]}, '[{"field":"name"}]'),
        ({"msg": {"en": "a"}}, '{"en":"a"}'),
        ({"data": {"failed_message": "d"}}, "d"),
        ({"data": "text"}, "no reason given"),
        ({}, "no reason given"),
    ],
)
def test_the_reason_is_found_where_it_stands(fields: dict[str, object], text: str) -> None:
    assert failed({"code": 7, **fields}, 400).message == text


@pytest.mark.parametrize("code", [1003, 1004, "1003"])
@pytest.mark.parametrize("status", [200, 400, 401, 402, 403, 404, 429, 500, 503])
def test_moderation_is_final_whatever_the_status(status: int, code: object) -> None:
    error = failed({"code": code, "msg": "not enough coins of decency"}, status)

    assert type(error) is ModerationError
    assert not error.retry_safe
    assert "final" in str(error)


@pytest.mark.parametrize(
    "text",
    ["Insufficient coins", "insufficient credit balance", "Not enough coins", "You have not enough diamonds.",
     "too few coins", "NOT ENOUGH CREDITS", "lack of coins", "coins are not enough", "balance is insufficient"],
)  # fmt: skip
@pytest.mark.parametrize("status", [200, 400, 403])
def test_a_refusal_that_speaks_of_too_few_coins(status: int, text: str) -> None:
    error = failed({"code": 1001, "msg": text}, status)

    assert type(error) is InsufficientCoinsError
    assert (error.spent, error.retry_safe) == ("no", True)


@pytest.mark.parametrize(
    "text", ["coins must be a number", "not enough memory", "insufficient rights to buy any more coins"]
)
def test_a_refusal_that_only_sounds_like_it(text: str) -> None:
    assert type(failed({"code": 1001, "msg": text}, 400)) is APIError


def test_a_broken_server_has_not_said_that_coins_are_missing() -> None:
    assert type(failed({"code": 1, "msg": "not enough coins"}, 500)) is ServerError


def test_what_may_be_repeated_by_hand() -> None:
    assert failed({"code": 7}, 400).retry_safe
    assert failed({}, 429).retry_safe
    assert not failed({}, 500).retry_safe
    assert not failed(b"").retry_safe


def test_a_pause_is_read_off_the_answer() -> None:
    error = failed({"code": 7, "msg": "slow"}, 429, Retry_After="3")
    assert isinstance(error, RateLimitError)
    assert error.retry_after == 3.0
    assert isinstance(plain := failed({}, 429), RateLimitError)
    assert plain.retry_after is None
    assert isinstance(down := failed({"code": 7, "msg": "maintenance"}, 503, Retry_After="3"), ServerError)
    assert down.retry_after == 3.0
    assert "wait 3 s" in str(down)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0.0), ("120", 120.0), (" 7 ", 7.0), ("", None), ("soon", None), ("-1", None), ("1.5", None),
     ("²", None), ("12\x1d", 12.0),
     ("9" * 400, float("inf")), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
     ("Wed, 21 Oct 2099 07:28:00 +99999999999999", None),
     ("Wed, 99 Oct 2099 07:28:00 GMT", None)],
)  # fmt: skip
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after(value) == seconds


def test_retry_after_as_a_date() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)

    assert 85 < (retry_after(date) or 0) <= 90


def test_a_record_of_its_own_may_have_fields_named_like_a_page() -> None:
    for odd in ({"data": [1, 2]}, {"rows": [{"_id": "b"}]}, {"list": "x"}, {"data": {}, "count": "y"}):
        sent = {"_id": "a", **odd}
        assert read(ONE, wrapped(sent)).raw == sent
        assert [thing.raw for thing in read(MANY, wrapped([sent]))] == [sent]


@pytest.mark.parametrize("answer", [MANY, PAGE])
@pytest.mark.parametrize("name", ["rows", "data", "list"])
def test_a_page_may_have_an_id_of_its_own(answer: Answer[Any], name: str) -> None:
    found = read(answer, wrapped({"_id": "page", name: [A, B], "count": 2}))
    things = found.items if isinstance(found, Page) else found
    assert [thing.raw for thing in things] == [A, B]
    things[0].detach()
    assert things[0].to_json() == json.dumps(A).encode()


def test_what_was_not_received_has_no_raw() -> None:
    thing = Thing(id="a")
    thing.detach()

    assert thing.raw == {}


def test_a_detached_record_keeps_only_its_own_bytes() -> None:
    body = json.dumps(wrapped([A, B, *({"_id": str(n), "pad": "x" * 1000} for n in range(100))])).encode()
    thing = MANY.read(WHERE, 200, {}, body)[1]
    thing.detach()

    assert thing.raw == B
    assert thing._source is not None
    assert len(thing._source.body) < 200
    thing.detach()
    assert thing.raw == B


@pytest.mark.parametrize("odd", [b'"\xff"', b'{"\xff": 1}', b"1e999"])
def test_undocumented_fields_that_cannot_be_read_are_an_error_of_ours(odd: bytes) -> None:
    thing = read(ONE, b'{"code": 0, "data": {"_id": "a", "odd": ' + odd + b"}}")

    assert thing.id == "a"
    with pytest.raises(DecodeError, match="record a cannot be read in full"):
        _ = thing.raw


def test_what_a_record_came_in_is_no_part_of_it() -> None:
    thing, made = read(ONE, wrapped(A)), Thing(id="a", size=1.0)

    assert (thing, repr(thing), msgspec.json.encode(thing)) == (made, repr(made), msgspec.json.encode(made))
    assert pickle.loads(pickle.dumps(thing)) == copy.copy(thing) == made
    assert thing.to_json() == json.dumps(A).encode()


def test_the_bytes_of_an_answer_live_as_long_as_its_last_record() -> None:
    body = json.dumps(wrapped([A, B])).encode()
    before = sys.getrefcount(body)
    found = MANY.read(WHERE, 200, {}, body)
    assert found[0]._source is found[1]._source

    del found[0]
    assert sys.getrefcount(body) == before + 1
    found.clear()
    assert sys.getrefcount(body) == before


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["0", "1001", "a"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["_id", "code", "data", "rows", "list", "count", "total", "msg", "errors", "size", "coins"])
            | st.text(max_size=4),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
ENVELOPES = st.fixed_dictionaries(
    {"code": st.sampled_from([0, "0", 1003, 7]) | JSON, "data": JSON}, optional={"msg": JSON}
)
BODIES = st.binary(max_size=80) | st.builds(lambda value: json.dumps(value).encode(), JSON | ENVELOPES)
ANSWERS = [ONE, MANY, PAGE, NOTHING, *(e.answer for e in endpoints() if e.answer.record is not object)]


@given(
    body=BODIES,
    status=st.sampled_from([200, 201, 204, 302, 400, 402, 404, 429, 500]),
    answer=st.sampled_from(ANSWERS),
    pause=st.text(max_size=10),
)
@example(body=b'{"code": "--5"}', status=200, answer=ONE, pause="")
@example(body=b'{"code": "\xc2\xb2"}', status=400, answer=ONE, pause="")
@example(body=b'{"code": ' + b"9" * 5000 + b"}", status=429, answer=ONE, pause="\u00b2")
@example(body=b'{"code": 1, "msg": ' + b"9" * 300 + b"}", status=400, answer=ONE, pause="")
def test_any_bytes_give_a_typed_value_or_an_error_of_ours(
    body: bytes, status: int, answer: Answer[Any], pause: str
) -> None:
    try:
        value = answer.read(WHERE, status, {"Retry-After": pause}, body)
    except A2EError as error:
        value, told = None, str(error)
        assert told.startswith(WHERE)
    for record in value.items if isinstance(value, Page) else value if isinstance(value, list) else [value]:
        assert record is None or isinstance(record, Reply | str)
        if isinstance(record, Record):
            record.detach()
            assert record.raw["_id"] == record.id


@given(st.binary(max_size=300) | st.text().map(str.encode))
def test_an_excerpt_is_short_and_one_line(body: bytes) -> None:
    error = failed(b"\x00" + body)

    assert isinstance(error, DecodeError)
    assert len(error.excerpt) <= 160
    assert len(error.excerpt.splitlines()) <= 1


def test_a_swap_as_the_service_shows_it() -> None:
    sent = {
        "_id": "65a0" * 6, "user_id": "u", "name": "clip", "face_url": "https://x/f", "video_url": "https://x/v",
        "current_status": "completed", "result_url": "https://x/r.mp4", "coins": "40", "error_code": "0",
        "faild_message": None, "duration": 5.2, "createdAt": "2026-01-01T03:20:22.436Z",
        "updatedAt": "2026-01-01T03:20:58.625Z", "initialized_time": "2026-01-01T03:20:22.436Z",
        "processing_time": "2026-01-01T03:20:23.358Z", "completed_time": "2026-01-01T03:20:58.625Z",
    }  # fmt: skip
    swap = read(one(Swap), wrapped([sent]))

    assert (swap.state, swap.coins, swap.duration, swap.error, swap.code) == ("done", 40.0, 5.2, "", 0)
    assert swap.raw == sent
