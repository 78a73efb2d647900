"""A request is checked before it costs anything, and becomes the bytes of its wire names."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import field

from a2e_async import RequestError
from a2e_async._wire import (
    AS_TEXT,
    ById,
    ByIds,
    Nothing,
    PageQuery,
    Picture,
    Request,
    Sound,
    blueprint,
    encode,
    refuse,
    url_problem,
)
from a2e_async.groups import endpoints
from a2e_async.groups.account import AddUser, ExchangeDiamonds, QuoteRequest, StoreUrl, UploadRequest
from a2e_async.groups.face_swap import AddFace, AddPreview, AddSwap

URL = "https://example.com/a.jpg"
WHERE = "POST /api/v1/x"


def swap(**fields: Any) -> AddSwap:
    return AddSwap(**{"name": "clip", "face_url": URL, "video_url": URL} | fields)


class Query(Request):
    """A question."""

    word: str = ""
    exact: bool = field(default=False, name="isExact")


def check(request: Request) -> None:
    refuse(request, blueprint(type(request)), WHERE)


def refused(request: Request) -> RequestError:
    with pytest.raises(RequestError) as caught:
        check(request)
    assert caught.value.endpoint == WHERE
    assert (caught.value.spent, caught.value.retry_safe) == ("no", False)
    return caught.value


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (swap(), {"name": "clip", "face_url": URL, "video_url": URL}),
        (AddPreview(face_url=URL, video_url=URL), {"face_url": URL, "video_url": URL}),
        (AddFace(face_url=URL), {"face_url": URL}),
        (Query(word="a", exact=True), {"word": "a", "isExact": True}),
        (swap(model_version="v1", cover_url=None), {"name": "clip", "face_url": URL, "video_url": URL}),
        (ById(id="a"), {"_id": "a"}),
        (PageQuery(), {}),
        (PageQuery(page=2), {"pageNum": 2}),
        (UploadRequest(key="k", file_size=3), {"key": "k", "fileSize": 3}),
        (QuoteRequest(endpoint="/x", body={"name": None}), {"endpoint": "/x", "requestBody": {"name": None}}),
        (Nothing(), {}),
    ],
)  # fmt: skip
def test_a_body_has_wire_names_and_no_defaults(request_: Request, body: dict[str, Any]) -> None:
    check(request_)

    assert msgspec.json.decode(encode(request_)) == body


@pytest.mark.parametrize(
    ("request_", "field", "said"),
    [
        (swap(name=""), "name", "length >= 1"),
        (swap(name=5), "name", "Expected `str`, got `int`"),
        (swap(name=None), "name", "Expected `str`, got `null`"),
        (swap(face_url=None), "face_url", "Expected `str`, got `null`"),
        (swap(face_url=5), "face_url", "is no URL and no path, but int"),
        (swap(model_version="v3"), "model_version", "Invalid enum value 'v3'"),
        (swap(webhook_token="x" * 257), "webhook_token", "length <= 256"),
        (PageQuery(page=0), "pageNum", ">= 1"),
        (PageQuery(size=101), "pageSize", "<= 100"),
        (PageQuery(size=True), "pageSize", "Expected `int"),
        (ByIds(ids=["a"] * 201), "ids", "length <= 200"),
        (ByIds(ids="abc"), "ids", "Expected `array"),
        (ByIds(ids=["a", 5]), "ids[1]", "Expected `str`, got `int`"),
        (ExchangeDiamonds(diamonds=0), "diamonds", ">= 1"),
        (ExchangeDiamonds(diamonds=1.5), "diamonds", "Expected `int"),
        (ExchangeDiamonds(diamonds="2"), "diamonds", "Expected `int"),
        (UploadRequest(key=""), "key", "length >= 1"),
        (UploadRequest(key="k", expires_in=59), "expiresIn", ">= 60"),
        (QuoteRequest(endpoint="/x", body=[1]), "requestBody", "Expected `object"),
    ],
)
def test_what_breaks_its_own_declaration_is_refused(request_: Request, field: str, said: str) -> None:
    error = refused(request_)

    assert (error.field, said in str(error)) == (field, True), str(error)


@pytest.mark.parametrize("odd", ["", ".", "..", "/", "{}", 5, None])
def test_an_id_that_would_lead_to_another_path_is_refused(odd: Any) -> None:
    assert refused(ById(id=odd)).field == "_id"


@pytest.mark.parametrize("value", ["\ud800", object(), {1, object()}, 3 + 4j])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    refused(AddUser(username=value))


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_json_has_as_null_is_refused_where_null_would_do(value: Any) -> None:
    start = next(endpoint for endpoint in endpoints() if endpoint.label == "POST /api/v1/hailuoVideo/start")
    odd = start.request(prompt=value)
    with pytest.raises(RequestError, match="no number that can be sent") as caught:
        refuse(odd, blueprint(type(odd)), start.label)
    assert caught.value.field == "prompt"


def test_a_body_that_holds_itself_is_refused() -> None:
    body: dict[str, Any] = {}
    body["body"] = body
    refused(QuoteRequest(endpoint="/x", body=body))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("face.jpg", "pathlib.Path"),
        ("/home/me/face.jpg", "pathlib.Path"),
        ("file:///face.jpg", "is no http(s) URL"),
        ("", "is no http(s) URL"),
        ("https://example.com/my face.jpg", "holds a space"),
        ("https://example.com/a\t.jpg", "holds a space"),
        ("https://example.com/a.jpg\n", "holds a space"),
        ("https://example.com/a\u00a0.jpg", "holds a space"),
        ("https://example.com/" + "a" * 2048, "2048 is the most"),
        ("https://[a.jpg", "is no URL"),
        ("https://[1]/a.jpg", "is no URL"),
        ("https://a]/b.jpg", "is no URL"),
        ("https://a\u2100b/c.jpg", "is no URL"),
    ],
)
def test_a_media_url_the_service_would_not_take_is_refused(url: str, said: str) -> None:
    error = refused(swap(video_url=url))

    assert (error.field, said in str(error)) == ("video_url", True), str(error)
    assert len(str(error)) < 300


@pytest.mark.parametrize("request_", [StoreUrl(url="a.jpg"), swap(webhook_url="a.jpg")])
def test_where_no_file_can_be_uploaded_none_is_proposed(request_: Request) -> None:
    assert "Path" not in str(refused(request_))


@pytest.mark.parametrize("odd", [b"https://a/f.jpg", 5, datetime.now(UTC), UUID(int=7), {"a": "b"}, object()])
def test_what_is_neither_a_url_nor_a_path_is_refused(odd: Any) -> None:
    error = refused(swap(face_url=odd))

    assert (error.field, type(odd).__name__ in str(error)) == ("face_url", True)


def test_an_id_that_is_no_text_is_refused() -> None:
    nest: Any = []
    for _ in range(5000):
        nest = [nest]
    for odd in (10**5000, nest, object()):
        refused(ById(id=odd))


def test_brackets_and_letters_of_all_kinds_may_stand_in_a_url() -> None:
    check(swap(face_url="https://[::1]/a[1].jpg", video_url="https://example.com/ü🙂].mp4"))


def test_a_scheme_may_be_written_large() -> None:
    check(swap(face_url="HTTPS://example.com/a.jpg"))


def test_a_local_file_is_a_path_and_passes() -> None:
    request = swap(face_url=Path("face of me.jpg"), video_url=URL)

    assert refuse(request, blueprint(AddSwap), WHERE) is True
    assert refuse(swap(), blueprint(AddSwap), WHERE) is False


def test_where_files_may_be_given_is_read_off_the_annotations() -> None:
    plan = blueprint(AddSwap)
    assert plan.media == {
        "face_url": ("picture",),
        "video_url": ("video", "picture"),
        "cover_url": ("picture",),
        "webhook_url": (),
    }
    assert blueprint(AddSwap) is plan
    assert blueprint(AddPreview).media.keys() == {"face_url", "video_url"}


class Listed(Request):
    """Media, of which there may be none, and numbers that go as text."""

    pictures: Annotated[list[Picture], msgspec.Meta(max_length=2)] | None = field(default=None, name="images")
    sounds: list[Sound] | None = None
    seconds: Annotated[Literal[5, 10], AS_TEXT] = field(default=5, name="duration")
    length: Annotated[int, msgspec.Meta(ge=4), AS_TEXT] | None = None
    part: Query | None = None
    parts: list[Query] = field(default_factory=list[Query])


def test_media_may_be_an_optional_list() -> None:
    assert blueprint(Listed).media == {"pictures": ("picture",), "sounds": ("audio",)}
    request = Listed(pictures=[URL, Path("b.jpg")], sounds=[URL])
    assert refuse(request, blueprint(Listed), WHERE) is True
    check(Listed(pictures=[]))
    assert refused(Listed(pictures=[URL] * 3)).field == "images"
    assert "is no http(s) URL" in str(refused(Listed(sounds=["b.mp3"])))


def test_a_number_that_the_service_takes_as_text_is_checked_as_the_number_it_is() -> None:
    for request, body in [
        (Listed(), {"parts": []}),
        (Listed(seconds=5, length=None), {"parts": []}),
        (Listed(seconds=10, length=12), {"duration": "10", "length": "12", "parts": []}),
    ]:
        check(request)
        assert msgspec.json.decode(encode(request)) == body
    assert refused(Listed(length=3)).message == "length: Expected `int` >= 4"
    odd: Any = "10"
    assert refused(Listed(seconds=odd)).message == "duration: Expected `int | null`, got `str`: it takes 5, 10."


def test_a_part_is_what_it_is_declared_as() -> None:
    check(Listed(part=Query(exact=True), parts=[Query()]))
    assert msgspec.json.decode(encode(Listed(part=Query(exact=True), length=4))) == {
        "length": "4",
        "part": {"isExact": True},
        "parts": [],
    }
    odd: Any = {"exact": True}  # which would go by a name that the service does not know
    assert refused(Listed(part=odd)).message == "part: is no Query, but dict."
    assert refused(Listed(parts=[Query(), odd])).field == "parts"
    assert refused(Listed(part=Query(word=5))).field == "part.word"  # type: ignore[arg-type]


def test_a_word_that_is_not_taken_is_answered_with_those_that_are() -> None:
    assert refused(swap(model_version="v3")).message == "model_version: Invalid enum value 'v3': it takes v1, v2."


def test_requests_are_keyword_only_and_frozen() -> None:
    with pytest.raises(TypeError):
        ById("a")  # type: ignore[misc]
    with pytest.raises(AttributeError, match="immutable"):
        swap().name = "other"  # type: ignore[misc]


@pytest.mark.parametrize("endpoint", list(endpoints()), ids=lambda endpoint: endpoint.label)
def test_every_request_class_can_be_checked(endpoint: Any) -> None:
    plan = blueprint(endpoint.request)

    assert list(plan.names) == [parameter.name for parameter in endpoint.parameters()]


@given(st.text(max_size=60))
def test_any_text_is_taken_or_refused(text: str) -> None:
    for request in (swap(name=text), swap(face_url=text), ById(id=text), AddUser(username=text)):
        try:
            check(request)
        except RequestError:
            continue
        assert msgspec.json.decode(encode(request))


@given(st.text())
def test_what_is_said_of_a_url_never_repeats_all_of_it(url: str) -> None:
    assert len(url_problem(url, local=True)) < 700
