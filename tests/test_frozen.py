"""Requests that were written down come back as they were."""

import types
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from a2e_async import (
    RequestError,
    TaskKind,
)
from a2e_async._frozen import freeze, thaw
from a2e_async._wire import Request
from a2e_async.groups.face_swap import AddSwap
from a2e_async.groups.videos.motion import StartActorSwap
from a2e_async.tasks import KINDS

ALL = list(KINDS.values())
TRICKY = ["", "null", "true", "1", "1.5", '{"a": 1}', "[]", '["x"]', "[", "{", "~", "a b", "ü🙂", "\0", "http://x"]
TEXT = st.sampled_from(TRICKY) | st.text(st.characters(exclude_categories=["Cs"]))
URLS = st.builds("https://example.com/{}.mp4".format, st.sampled_from(["a", "ü", "%20", "A?b=[1]", "{x}"]))
PATHS = st.sampled_from(["/data/a.mp4", "/data/ü [1] {2}.mp4", "/~/a", "/data/null", "/data/a b.mp4"]).map(Path)


def values(hint: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one line for each form of a type
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return marked(parts[0], [meta for meta in hint.__metadata__ if isinstance(meta, msgspec.Meta)])
    if origin is Literal:
        return st.sampled_from(parts)
    if origin in {Union, types.UnionType}:
        return st.one_of([values(part) for part in parts])
    if origin is list:
        return st.lists(values(parts[0]), min_size=1, max_size=3)
    if origin is dict:
        return st.dictionaries(TEXT, TEXT | st.integers(-9, 9), max_size=2)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return requests(hint)
    plain = {str: TEXT, int: st.integers(1, 999), bool: st.booleans(), type(None): st.none()}
    return plain.get(hint, st.floats(0, 1))


def marked(hint: Any, metas: list[msgspec.Meta]) -> st.SearchStrategy[Any]:
    if any("media" in (meta.extra or {}) for meta in metas):
        return URLS if hint is str else URLS | PATHS
    if hint in {int, float}:
        numbers = st.integers(int(metas[0].ge or 1), int(metas[0].le or 999))
        return numbers if hint is int else numbers | st.floats(metas[0].ge or 0.5, metas[0].le or 999)
    if get_origin(hint) is list:
        return st.lists(values(*get_args(hint)), min_size=metas[0].min_length or 1, max_size=metas[0].max_length or 3)
    bounded = TEXT.map(lambda text: f"a{text}"[:40]) | st.just("null")
    return bounded if hint is str else values(hint)


def requests(cls: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(cls, include_extras=True)
    required = {info.name: values(hints[info.name]) for info in msgspec.structs.fields(cls) if info.required}
    optional = {info.name: values(hints[info.name]) for info in msgspec.structs.fields(cls) if not info.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: cls(**given))


@pytest.mark.parametrize("kind", ALL, ids=[kind.name for kind in ALL])
def test_a_request_comes_back_as_it_was(kind: TaskKind[..., Any]) -> None:
    @given(requests(kind.start.request))
    def check(request: Request) -> None:
        frozen = freeze(request)
        # Where to call back is the run's, and holds a secret.
        silent = {name: None for name in ("webhook_url", "webhook_token") if hasattr(request, name)}
        assert thaw(kind.start.request, frozen) == msgspec.structs.replace(request, **silent)
        assert freeze(thaw(kind.start.request, frozen)) == frozen
        assert freeze(msgspec.structs.replace(request)) == frozen

    check()


def test_local_files_keep_their_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    request = AddSwap(name="n", face_url=Path("face.jpg"), video_url=PurePath("sub/~/clip.mp4"))
    frozen = freeze(request)
    monkeypatch.chdir("/")
    found = thaw(AddSwap, frozen)
    assert found.face_url == tmp_path / "face.jpg"
    assert found.video_url == tmp_path / "sub" / "~" / "clip.mp4"
    assert freeze(AddSwap(name="n", face_url=tmp_path / "face.jpg", video_url=found.video_url)) == frozen


def test_a_default_and_the_same_value_given_are_one() -> None:
    plain = {"name": "n", "face_url": "https://a/b.jpg", "video_url": "https://a/b.mp4"}
    assert freeze(AddSwap(**plain)) == freeze(AddSwap(**plain, model_version="v1", cover_url=None))
    assert freeze(AddSwap(**plain)) != freeze(AddSwap(**plain, model_version="v2"))


def test_a_whole_number_is_the_same_with_a_point_and_without() -> None:
    whole, point = (
        StartActorSwap(image_url="https://a", video_url="https://b", timeout=seconds) for seconds in (90, 90.0)
    )
    assert freeze(whole) == freeze(point) == freeze(thaw(StartActorSwap, freeze(whole)))
    vast = msgspec.structs.replace(whole, timeout=1e300)
    assert thaw(StartActorSwap, freeze(vast)) == vast


def test_what_cannot_be_written_down_is_said() -> None:
    with pytest.raises(RequestError, match="type object"):
        freeze(AddSwap(name="n", face_url=object(), video_url="https://a/b.mp4"))
    with pytest.raises(RequestError, match="colour"):
        thaw(AddSwap, b'{"name":"n","face_url":"https://a","video_url":"https://b","colour":"red"}')


@pytest.mark.parametrize(
    "odd", [b"", b"{", b"7", b"[]", b"\xff", b'{"name":"\xff"}', b"[" * 5000, b'{"name":1e999}', b"{}"]
)
def test_what_is_damaged_is_said(odd: bytes) -> None:
    with pytest.raises(RequestError, match=r"request|missing"):
        thaw(AddSwap, odd)
