"""Answers without bounds: too large, too deep, without an end. Each becomes one error, and soon."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web

from a2e_async import A2EError, A2ESession, DecodeError, RequestError, SubmissionUncertainError, TransportTimeoutError
from a2e_async._answer import explain, one, plain
from a2e_async._arriving import LARGEST, LONGEST
from a2e_async._events import Event
from a2e_async._frozen import thaw
from a2e_async.errors import LONGEST as LONGEST_TEXT
from a2e_async.groups.face_swap import FACE_SWAP, AddSwap, Swap
from a2e_async.groups.image_to_video import ExtendPromptStreamed, ImageToVideo
from a2e_async.jobs import items
from a2e_async.sandbox import Rule
from a2e_async.tasks import Handle
from tests.service import Answer, host, scene

pytestmark = pytest.mark.anyio

COINS, ADD = "/api/v1/user/remainingCoins", "/api/v1/userFaceSwapTask/add"
DEPTHS = [500, 5000, 100_000]


def endless(part: bytes, pause: float = 0.0, content_type: str = "application/json") -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        while True:
            await response.write(part)
            await asyncio.sleep(pause)

    return answer


async def told(a2e: A2ESession) -> list[str]:
    ask = ExtendPromptStreamed(
        reference_id="r", image_url="https://a.example/i", prompt="p", negative_prompt="", stream=True
    )
    return [text async for text in a2e.stream(ImageToVideo.prompt_extension, ask)]


async def test_an_answer_that_unpacks_to_a_thousand_times_its_size() -> None:
    async with scene() as s:
        s.account.fault(Rule("gzip_bomb", size=2 * LARGEST))
        # Older releases of aiohttp notice it themselves.
        with pytest.raises(A2EError, match=r"larger than 32 MiB|exceeds the configured limit"):
            await s.a2e.account.coins()
        with pytest.raises(SubmissionUncertainError, match=r"larger than 32 MiB|exceeds the configured limit"):
            await s.a2e.face_swap.tasks.add(**s.swap)
        assert len(s.sent("POST", ADD)) == 1


async def test_a_large_answer_within_the_bound_is_read() -> None:
    async with scene() as s:
        s.account.fault(Rule("gzip_bomb", size=LARGEST - 10_000))
        assert (await s.a2e.account.coins()).coins == 1000


async def test_an_answer_without_an_end() -> None:
    async with host(endless(b" " * 1_000_000)) as (_, seen, a2e):
        with pytest.raises(DecodeError, match="larger than 32 MiB"):
            await a2e.account.coins()
        assert len(seen) == 1


async def test_an_answer_that_dribbles_is_given_up_in_time() -> None:
    async with host(endless(b" ", 0.02), timeout=0.2) as (_, _, a2e):
        with pytest.raises(TransportTimeoutError):
            await a2e.account.coins()


@pytest.mark.parametrize(
    "part",
    [b"data: " + b"x" * LONGEST, b"data: x\n" * 100_000, b": beat\n\n" * 100_000],
    ids=["line", "event", "stream"],
)
async def test_an_event_stream_without_bounds(part: bytes) -> None:
    async with host(endless(part, content_type="text/event-stream")) as (_, _, a2e):
        with pytest.raises(DecodeError, match="the stream is larger"):
            await told(a2e)


async def test_an_event_stream_that_only_beats_is_given_up_in_time() -> None:
    async with host(endless(b": beat\n\n", 0.01, "text/event-stream"), timeout=0.2) as (_, _, a2e):
        with pytest.raises(TransportTimeoutError):
            await told(a2e)


async def test_events_arrive_whatever_they_are_cut_into() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for byte in b"event: delta\r\ndata: a\r\n\r\nevent: delta\ndata: b\n\ndata: never ended\n":
            await response.write(bytes([byte]))
            await asyncio.sleep(0)
        return response

    async with host(answer) as (_, _, a2e):
        assert await told(a2e) == ["a", "b"]


async def test_a_redirect_is_not_followed_and_says_where_to() -> None:
    async with scene() as s:
        s.account.fault(Rule("redirect", location="https://elsewhere.example/x?signature=secret"))
        with pytest.raises(
            A2EError, match=r"redirected to 'https://elsewhere\.example/x'.*check A2E_BASE_URL"
        ) as caught:
            await s.a2e.account.coins()
        assert "secret" not in str(caught.value)
        assert len(s.sent("GET", COINS)) == 1


# -- depth -------------------------------------------------------------------------------------------------


def nest(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * depth + b"1" + closing * depth


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")], ids=["lists", "objects"])
def test_no_answer_is_too_deep_to_become_a_value_or_an_error(depth: int, brackets: tuple[bytes, bytes]) -> None:
    deep = nest(depth, *brackets)
    for answer in (one(Swap), plain()):
        try:
            value = answer.read("GET /x", 200, {}, b'{"code":0,"data":{"_id":"a","x":' + deep + b"}}")
            if isinstance(value, Swap):
                value.detach()
                assert value.raw
                assert len(value.to_json()) > depth
        except DecodeError:
            pass
    for name in (b"code", b"msg", b"errors", b"data", b"trace_id"):
        body = b'{"code":1001,"msg":"no","' + name + b'":' + deep + b"}"
        assert isinstance(explain("GET /x", 400, {}, body), A2EError)
    assert Event("delta", deep.decode()).text()


@pytest.mark.parametrize("depth", DEPTHS)
async def test_no_file_and_no_handle_is_too_deep_to_be_refused(tmp_path: Path, depth: int) -> None:
    deep = nest(depth)
    with pytest.raises(RequestError):
        Handle.from_json(b'{"a2e":1,"kind":' + deep + b"}")
    with pytest.raises(RequestError):
        thaw(AddSwap, b'{"name":' + deep + b"}")
    path = tmp_path / "jobs.jsonl"
    path.write_bytes(b'{"name":' + deep + b"}\n")
    assert [type(item.request) async for item in items(path, FACE_SWAP.start)] == [RequestError]


# -- texts -------------------------------------------------------------------------------------------------


def test_a_refusal_is_one_line_of_bounded_length() -> None:
    body = (
        b'{"code":1001,"msg":"no\\nERROR forged \\u001b[31m\\u202e' + b"x" * 100_000 + b'","trace_id":"' + b"y" * 5000
    )
    error = explain("GET /x", 400, {}, body + b'"}')

    for text in (str(error), error.message, str(vars(error))):
        assert text.isprintable()
        assert len(text) < 4 * LONGEST_TEXT
    assert r"no ERROR forged \x1b[31m\u202exxx" in str(error)


def test_each_error_is_one_line() -> None:
    for error in (A2EError("a\nb\x9b"), RequestError("a\nb\x9b", field="x"), DecodeError("a\nb\x9b", excerpt="\n")):
        assert str(error).isprintable()
        assert r"a b\x9b" in str(error)
