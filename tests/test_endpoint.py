"""From a declaration to a request's path, query and body, and to a method that `help` and editors read."""

import inspect
import pydoc
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import field
from yarl import URL

from a2e_async import A2ESession, RequestError
from a2e_async._answer import Page, Record, nothing, one
from a2e_async._endpoint import Caller, Endpoint, Group, Listing, get, listing, post, subgroup
from a2e_async._wire import ById, Nothing, PageQuery, Request
from a2e_async.groups import all_groups, endpoints
from a2e_async.groups.account import Account, HistoryQuery
from a2e_async.groups.face_swap import (
    AddSwap,
    FaceSwap,
    FaceSwapImages,
    FaceSwapPreviews,
    FaceSwapTasks,
    Swap,
)
from a2e_async.groups.images.text_to_image import TextToImage
from a2e_async.groups.voices import Voices

pytestmark = pytest.mark.anyio

ID = "65a0" * 6


class Recorder(Caller):
    """Stands for a session: keeps what is asked, and answers with the pages it was given."""

    def __init__(self, *pages: Page[Any]) -> None:
        self.asked: list[tuple[Endpoint[..., Any], Request]] = []
        self._pages = iter(pages)

    async def call(self, endpoint: Endpoint[..., Any], request: Request) -> Any:
        self.asked.append((endpoint, request))
        return next(self._pages)


class Query(Request):
    """A question."""

    word: str | None = None
    exact: bool | None = field(default=None, name="isExact")
    count: int = 5


class Mixed(ById):
    """Both."""

    note: str | None = None
    size: int = 3


@pytest.mark.parametrize(
    ("endpoint", "request_", "path", "body"),
    [
        (FaceSwapTasks.detail, ById(id=ID), f"/api/v1/userFaceSwapTask/{ID}", None),
        (FaceSwapTasks.remove, ById(id=ID), f"/api/v1/userFaceSwapTask/{ID}", None),
        (FaceSwapTasks.processing, Nothing(), "/api/v1/userFaceSwapTask/status", None),
        (FaceSwapTasks.records, PageQuery(), "/api/v1/userFaceSwapTask/records?pageNum=1&pageSize=100", None),
        (Account.languages, Account.languages.request(), "/api/v1/anchor/language_list", {}),
        (get("/q", Query, nothing()), Query(), "/api/v1/q?count=5", None),
        (get("/q", Query, nothing()), Query(word="a b&c=ä"), "/api/v1/q?word=a+b%26c%3D%C3%A4&count=5", None),
        (get("/q", Query, nothing()), Query(exact=False), "/api/v1/q?isExact=false&count=5", None),
        (post("/q", Query, nothing()), Query(exact=True), "/api/v1/q", {"isExact": True}),
        (post("/{_id}", Mixed, nothing()), Mixed(id="a", note=""), "/api/v1/a", {"note": "", "size": 3}),
        (post("/{_id}/go", ById, nothing()), ById(id="a"), "/api/v1/a/go", {}),
        (get("/{_id}/of/{note}", Mixed, nothing()), Mixed(id="{x}", note="b"), "/api/v1/%7Bx%7D/of/b?size=3", None),
        (post("/api/login/account", Nothing, nothing()), Nothing(), "/api/login/account", {}),
    ],
)  # fmt: skip
def test_target(endpoint: Endpoint[..., Any], request_: Request, path: str, body: Any) -> None:
    found, data = endpoint.target(request_)

    assert found == path
    assert (None if data is None else msgspec.json.decode(data)) == body


@given(st.text(min_size=1).filter(lambda text: any(char.isalnum() for char in text) and text.isprintable()))
def test_whatever_an_id_holds_it_stays_one_segment(text: str) -> None:
    path, _ = FaceSwapTasks.detail.target(ById(id=text))
    url = URL(f"https://example.com{path}")

    assert path.count("/") == 4
    assert url.parts[:4] == ("/", "api", "v1", "userFaceSwapTask")
    assert (url.name, url.query_string, url.fragment) == (text, "", "")


@pytest.mark.parametrize(
    ("text", "segment"),
    [("a/b", "a%2Fb"), ("a?b#c", "a%3Fb%23c"), ("é", "%C3%A9"), ("a%2Fb", "a%252Fb"), ("²", "%C2%B2")],
)
def test_ids_are_quoted(text: str, segment: str) -> None:
    assert FaceSwapTasks.detail.target(ById(id=text))[0] == f"/api/v1/userFaceSwapTask/{segment}"


def test_parameters_say_where_they_travel_and_whether_always() -> None:
    assert [tuple(p) for p in FaceSwapTasks.detail.parameters()] == [("id", "_id", "path", True)]
    assert [tuple(p) for p in FaceSwapTasks.records.parameters()] == [
        ("page", "pageNum", "query", True),
        ("size", "pageSize", "query", True),
    ]
    by_name = {p.name: p for p in Account.upload_url.parameters()}
    assert tuple(by_name["key"]) == ("key", "key", "body", True)
    assert tuple(by_name["content_type"]) == ("content_type", "contentType", "body", False)
    assert [p.required for p in get("/q", Query, nothing()).parameters()] == [False, False, True]


@pytest.fixture
def a2e() -> A2ESession:
    return A2ESession("sk_test")


def test_a_bound_method_shows_the_requests_fields(a2e: A2ESession) -> None:
    method = a2e.face_swap.tasks.add
    shown = inspect.signature(method)

    assert list(shown.parameters) == [field.name for field in msgspec.structs.fields(AddSwap)]
    assert {p.kind for p in shown.parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert shown.parameters["name"].default is inspect.Parameter.empty
    assert shown.parameters["name"].annotation is str
    assert shown.parameters["model_version"].default == "v1"
    assert (method.__name__, inspect.iscoroutinefunction(method)) == ("add", False)


def test_help_shows_verb_path_and_fields(a2e: A2ESession) -> None:
    text = pydoc.plain(pydoc.render_doc(a2e.face_swap.tasks.add))

    assert "POST /api/v1/userFaceSwapTask/add" in text
    assert "A face and the video or picture to put it into. Spends coins." in text
    assert "face_url" in text


def test_a_listing_shows_its_signature(a2e: A2ESession) -> None:
    assert str(inspect.signature(a2e.face_swap.tasks.records)) == "(*, page: int = 1, size: int = 100)"
    assert list(inspect.signature(a2e.account.history).parameters) == [
        "page",
        "size",
        "spendings",
        "start",
        "end",
    ]


def test_wrong_names_fail_at_the_call(a2e: A2ESession) -> None:
    with pytest.raises(TypeError, match="face_ulr"):
        a2e.face_swap.tasks.add(name="n", face_ulr="x", video_url="y")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="Missing required argument"):
        a2e.face_swap.tasks.add(name="n")  # type: ignore[call-arg]


def test_read_off_the_class_an_endpoint_is_itself() -> None:
    assert isinstance(FaceSwapTasks.add, Endpoint)
    assert isinstance(FaceSwapTasks.records, Listing)
    assert repr(FaceSwapTasks.add) == "<Endpoint face_swap.tasks.add: POST /api/v1/userFaceSwapTask/add>"
    assert FaceSwapTasks.add.answer.record is Swap
    assert isinstance(FaceSwap.tasks, subgroup)


def test_a_subgroup_is_made_once(a2e: A2ESession) -> None:
    assert a2e.face_swap.tasks is a2e.face_swap.tasks
    assert a2e.face_swap.tasks is not A2ESession("sk_test").face_swap.tasks
    assert a2e.face_swap.tasks.caller is a2e
    assert a2e.face_swap.tasks.add is a2e.face_swap.tasks.add


def nouns(owner: object, kind: type[Group], path: str) -> Iterator[tuple[str, type[Group]]]:
    yield path, kind
    for name, item in vars(kind).items():
        if isinstance(item, subgroup):
            yield from nouns(getattr(owner, name), item.group, f"{path}.{name}")


def test_every_group_lies_where_its_noun_says(a2e: A2ESession) -> None:
    for group in all_groups():
        for path, kind in nouns(getattr(a2e, group.noun), group, group.noun):
            assert kind.noun == path


def test_what_may_be_repeated_and_what_may_cost() -> None:
    assert {e.label for e in endpoints(FaceSwap, Account) if e.paid} == {
        "POST /api/v1/userFaceSwapTask/add",
        "POST /api/v1/userFaceSwapPreview/add",
        "POST /api/v1/user/exchangeDiamonds",
    }
    for endpoint in endpoints():
        assert not (endpoint.paid and endpoint.safe), endpoint
        assert endpoint.safe or endpoint.method == "POST", endpoint


def test_an_endpoint_knows_whether_its_group_has_records_to_look_in() -> None:
    assert FaceSwapTasks.add.listed
    assert FaceSwapImages.add.listed
    assert not FaceSwapPreviews.add.listed
    assert not Account.exchange_diamonds.listed
    assert FaceSwapTasks.add.lookout == "face_swap.tasks.records()"
    assert "account.history()" in FaceSwapPreviews.add.lookout
    assert TextToImage.quick_avatar.lookout == "avatars.records()"


class Row(Record):
    """A row."""


class Rows(Group):
    """Rows."""

    noun = "rows"
    records = listing("/rows", PageQuery, Row)
    """Rows."""
    history = listing("/history", HistoryQuery, Row)
    """Rows, filtered."""


def rows(*numbers: int) -> list[Row]:
    return [Row(id=str(number)) for number in numbers]


async def walked(caller: Recorder, **query: Any) -> list[int]:
    return [int(row.id) async for row in Rows(caller).records.each(**query)]


def pages_asked(caller: Recorder) -> list[int]:
    return [request.page for _, request in caller.asked if isinstance(request, PageQuery)]


async def test_one_page_is_awaited() -> None:
    caller = Recorder(Page(rows(1, 2), 2))

    found = await Rows(caller).records(page=3, size=2)

    assert ([row.id for row in found.items], found.count) == (["1", "2"], 2)
    assert caller.asked == [(Rows.records, PageQuery(page=3, size=2))]


@pytest.mark.parametrize(
    ("pages", "seen", "asked"),
    [
        ([Page([])], [], [1]),
        ([Page(rows(1))], [1], [1]),
        ([Page(rows(1, 2)), Page([])], [1, 2], [1, 2]),
        ([Page(rows(1, 2), 2)], [1, 2], [1]),
        ([Page(rows(1, 2), 3), Page(rows(3), 3)], [1, 2, 3], [1, 2]),
        ([Page(rows(3, 2), 3), Page(rows(2, 1), 4)], [3, 2, 1], [1, 2]),
        ([Page(rows(4, 3), 6), Page(rows(4, 3), 8), Page(rows(2, 1), 6)], [4, 3, 2, 1], [1, 2, 3]),
        (
            [Page(rows(4, 3), 9), Page(rows(4, 3), 9), Page(rows(3, 2), 9), Page(rows(1), 9)],
            [4, 3, 2, 1],
            [1, 2, 3, 4],
        ),
        ([Page(rows(1, 2)), Page(rows(1, 2))], [1, 2], [1, 2]),
        ([Page(rows(1, 2), 4), Page(rows(1, 2), 4)], [1, 2], [1, 2]),
    ],
    ids=["empty", "short", "full, then empty", "exact total", "two", "shifted by one", "shifted by a page",
         "shifted twice",
         "page ignored", "page ignored, total told"],
)  # fmt: skip
async def test_all_pages_are_walked_and_no_record_comes_twice(
    pages: list[Page[Row]], seen: list[int], asked: list[int]
) -> None:
    caller = Recorder(*pages)

    assert await walked(caller, size=2) == seen
    assert pages_asked(caller) == asked


async def test_a_walk_begins_where_it_is_told_and_keeps_its_filter() -> None:
    caller = Recorder(Page(rows(1)), Page(rows(2, 3), 9), Page([], 9))

    assert await walked(caller, page=4, size=2) == [1]
    assert pages_asked(caller) == [4]
    assert [row.id async for row in Rows(caller).history.each(spendings=True, size=2)] == ["2", "3"]
    assert caller.asked[-1] == (Rows.history, HistoryQuery(page=2, size=2, spendings=True))


async def test_a_walk_asks_for_no_page_before_it_is_needed() -> None:
    caller = Recorder(Page(rows(1, 2), 4), Page(rows(3, 4), 4))

    walk = Rows(caller).records.each(size=2)
    assert [(await anext(walk)).id, (await anext(walk)).id] == ["1", "2"]
    assert pages_asked(caller) == [1]
    assert [row.id async for row in walk] == ["3", "4"]


def test_a_constraint_does_not_show_in_the_signature() -> None:
    class Bounded(Request):
        """Bounded."""

        size: Annotated[int, msgspec.Meta(ge=1)] = 1

    shown = get("/b", Bounded, one(Row)).signature()
    assert str(shown) == "(*, size: int = 1)"
    assert str(get("/b", Bounded, one(Row)).signature(bound=False)) == "(self, /, *, size: int = 1)"


@pytest.mark.parametrize("id_", ["", ".", ".."])
def test_no_id_leads_to_another_path(id_: str) -> None:
    with pytest.raises(RequestError, match="another path"):
        Voices.remove_output.target(Voices.remove_output.request(id=id_))
