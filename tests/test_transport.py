"""One request and its repeats, over TCP: what is sent again, what never is, and what stays open afterwards."""

import asyncio
import gc
import logging
import pickle
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from a2e_async import (
    A2EError,
    A2ESession,
    APIError,
    AuthenticationError,
    DecodeError,
    InsufficientCoinsError,
    Limits,
    ModerationError,
    NotFoundError,
    RetryPolicy,
    ServerError,
    SubmissionUncertainError,
    TaskState,
    TransportError,
    TransportTimeoutError,
)
from a2e_async.sandbox import Rule, Sandbox
from tests.ports import closed_port
from tests.service import KEY, SWIFT, scene

pytestmark = pytest.mark.anyio

ADD, COINS = "/api/v1/userFaceSwapTask/add", "/api/v1/user/remainingCoins"


@pytest.mark.parametrize(
    "rule",
    [
        Rule("reset_after"),
        Rule("status", after=True, status=502),
        Rule("status", after=True, status=408, body="{}"),
        Rule("html", after=True),
        Rule("html", after=True, body='{"code": 0, "data": {}}'),
        Rule("delay", seconds=0.6),
    ],
    ids=["reset", "gateway page", "gateway gave up", "html", "no id", "too slow"],
)
async def test_a_paid_post_whose_answer_is_lost_is_sent_once(rule: Rule) -> None:
    async with scene(timeout=0.4) as s:
        rule.path, rule.method = ADD, "POST"
        s.account.fault(rule)
        before = datetime.now(UTC) - timedelta(seconds=1)

        with pytest.raises(SubmissionUncertainError) as caught:
            await s.a2e.face_swap.tasks.add(**s.swap)

        error = caught.value
        assert len(s.sent("POST", ADD)) == 1
        assert error.spent == "unknown"
        assert not error.retry_safe
        assert "face_swap.tasks.records()" in str(error)
        assert error.request["name"] == "clip"
        assert before < datetime.fromisoformat(error.sent_at) < datetime.now(UTC)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)


async def test_what_was_lost_is_found_where_the_error_says() -> None:
    async with scene() as s:
        s.account.fault(Rule("reset_after", path=ADD))
        with pytest.raises(SubmissionUncertainError) as caught:
            await s.a2e.face_swap.tasks.add(**s.swap)
        found = [
            task async for task in s.a2e.face_swap.tasks.records.each() if task.name == caught.value.request["name"]
        ]
        assert len(found) == 1
        assert (await s.a2e.watch(found[0])).state is TaskState.DONE


async def test_a_loss_where_there_are_no_records_points_to_the_ledger() -> None:
    async with scene() as s:
        s.account.fault(Rule("reset_after", path="*exchangeDiamonds"))
        with pytest.raises(SubmissionUncertainError, match=r"account\.history"):
            await s.a2e.account.exchange_diamonds(diamonds=1)


async def test_a_refused_submission_is_repeated_only_after_429() -> None:
    async with scene() as s:
        s.account.fault(Rule("status", path=ADD, first=2, status=429, headers={"Retry-After": "0"}))
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        assert s.sent("POST", ADD) == [429, 429, 200]
        assert len(s.account.tasks) == 1
        assert s.account.tasks[0].id == task.id


@pytest.mark.parametrize(
    "fault",
    [
        Rule("reset_before", first=2),
        Rule("status", first=2, status=503),
        Rule("status", first=2, status=500, body='{"code": 1001, "msg": "oops"}'),
        Rule("status", first=2, status=429, headers={"Retry-After": "0"}),
    ],
    ids=["reset", "503", "500", "429"],
)
async def test_a_read_is_repeated(fault: Rule) -> None:
    async with scene() as s:
        fault.path = COINS
        s.account.fault(fault)
        assert (await s.a2e.account.coins()).coins == 1000


async def test_a_read_by_post_is_repeated() -> None:
    async with scene() as s:
        s.account.fault(Rule("reset_before", path="*batchDetail", first=2))
        assert await s.a2e.face_swap.tasks.details(ids=[]) == []
        assert len(s.sent("POST", "batchDetail")) == 3


async def test_an_unpaid_write_is_not_repeated_when_its_answer_is_lost() -> None:
    async with scene() as s:
        s.account.fault(Rule("reset_after", path="*Image/add"))
        with pytest.raises(TransportError) as caught:
            await s.a2e.face_swap.images.add(face_url=s.sandbox.face_url)
        assert len(s.sent("POST", "Image/add")) == 1
        assert not caught.value.retry_safe


async def test_a_removal_that_worked_unseen_is_a_success() -> None:
    async with scene("stepped") as s:
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        s.account.fault(Rule("status", method="DELETE", first=1, after=True, status=502))
        await s.a2e.face_swap.tasks.remove(id=task.id)
        assert s.sent("DELETE", task.id) == [502, 404]


async def test_repeating_ends() -> None:
    async with scene() as s:
        s.account.fault(Rule("status", path=COINS, status=503))
        with pytest.raises(ServerError):
            await s.a2e.account.coins()
        assert len(s.sent("GET", COINS)) == RetryPolicy().attempts


@pytest.mark.parametrize("status", [429, 503])
async def test_a_longer_retry_after_than_patience_is_raised_at_once(status: int) -> None:
    async with scene() as s:
        s.account.fault(Rule("status", path=COINS, status=status, retry_after=3600))
        with pytest.raises(APIError, match="asks to wait 3600 s") as caught:
            await s.a2e.account.coins()
        assert caught.value.retry_after == 3600
        assert len(s.sent("GET", COINS)) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_one_retry_after_holds_everyone_back(status: int) -> None:
    async with scene() as s:
        s.account.fault(Rule("status", path=COINS, nth=1, status=status, retry_after=1))
        began = time.monotonic()
        first = asyncio.ensure_future(s.a2e.account.coins())
        gate = s.a2e._transport.pool().gate
        while not gate._open_at:
            await asyncio.sleep(0)
        await s.a2e.face_swap.images.records()
        assert time.monotonic() - began > 0.8
        await first


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Rule("status", status=403, body='{"code": 1001, "msg": "free tier"}'), "free tier"),
        (Rule("status", status=400, body='{"code": 1001, "message": "bad"}'), "bad"),
        (Rule("html", body='{"code": 1001, "msg": "no hosts"}'), "no hosts"),
        (Rule("html", body='{"code": 1003, "msg": "refused"}'), "final"),
    ],
)
async def test_a_refusal_is_one_clear_error_and_never_repeated(rule: Rule, expected: str) -> None:
    async with scene() as s:
        rule.path = ADD
        s.account.fault(rule)
        with pytest.raises(APIError, match=expected) as caught:
            await s.a2e.face_swap.tasks.add(**s.swap)
        assert caught.value.spent == "no"
        assert len(s.sent("POST", ADD)) == 1


async def test_moderation_is_final() -> None:
    async with scene() as s:
        with pytest.raises(ModerationError) as caught:
            await s.a2e.face_swap.tasks.add(**s.swap | {"name": "moderation:no"})
        assert not caught.value.retry_safe
        assert len(s.sent("POST", ADD)) == 1


async def test_too_few_coins() -> None:
    async with scene(coins=3) as s:
        with pytest.raises(InsufficientCoinsError, match="Top up"):
            await s.a2e.face_swap.tasks.add(**s.swap)
        assert s.account.coins == 3


async def test_an_unknown_id() -> None:
    async with scene() as s:
        with pytest.raises(NotFoundError, match="0" * 24):
            await s.a2e.face_swap.tasks.detail(id="0" * 24)


async def test_a_wrong_key_is_never_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    key = "sk_invalid-but-secret"
    async with Sandbox() as sandbox, A2ESession(key, base_url=sandbox.url, **SWIFT) as a2e:
        with pytest.raises(AuthenticationError, match="A2E_API_KEY") as caught:
            await a2e.account.coins()
        shown = f"{caught.value!r} {caught.value} {a2e!r} {a2e.config!r} {caplog.text} {caught.value.__dict__}"
        assert key not in shown


async def test_a_broken_answer_shows_no_token() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"NOT HTTP AT ALL\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, A2ESession(KEY, base_url=f"http://127.0.0.1:{port}", **SWIFT) as a2e:
        with pytest.raises(TransportError) as caught:
            await a2e.account.coins()
    error: BaseException | None = caught.value
    while error is not None:
        assert KEY not in f"{error!r}{error}"
        error = error.__cause__


async def test_a_server_that_switches_protocols_holds_no_connection() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, A2ESession(KEY, base_url=url, timeout=1.0, limits=Limits(concurrency=1)) as a2e:
        for _ in range(3):
            with pytest.raises(DecodeError, match="no envelope"):
                await a2e.account.coins()


async def test_an_unreachable_host_starts_nothing() -> None:
    with closed_port() as port:
        async with A2ESession(KEY, base_url=f"http://127.0.0.1:{port}", **SWIFT) as a2e:
            with pytest.raises(TransportError, match=r"no connection.*A2E_BASE_URL") as caught:
                await a2e.face_swap.tasks.add(name="n", face_url="https://a.b/f.jpg", video_url="https://a.b/v.mp4")
        assert (caught.value.spent, caught.value.retry_safe, caught.value.sent) == ("no", True, False)


async def test_a_read_that_takes_too_long() -> None:
    async with scene(timeout=0.1, retry=RetryPolicy(attempts=1)) as s:
        s.account.fault(Rule("delay", path=COINS, seconds=5.0))
        with pytest.raises(TransportTimeoutError, match=r"0\.1 s") as caught:
            await s.a2e.account.coins()
        assert isinstance(caught.value, TimeoutError)


async def test_an_answer_that_is_no_envelope() -> None:
    async with scene() as s:
        s.account.fault(Rule("html", path=COINS))
        with pytest.raises(DecodeError, match=r"GET /api/v1/user/remainingCoins.*SANDBOX fault"):
            await s.a2e.account.coins()


async def test_a_redirect_is_not_followed_and_says_where_it_led() -> None:
    async with scene() as s:
        s.account.fault(Rule("redirect", location="https://elsewhere.invalid/api"))
        with pytest.raises(APIError, match=r"HTTP 307: redirected to 'https://elsewhere.*A2E_BASE_URL"):
            await s.a2e.account.coins()
        with pytest.raises(APIError, match="elsewhere") as caught:
            await s.a2e.face_swap.tasks.add(**s.swap)
        assert caught.value.spent == "no"
        assert not s.account.tasks


async def test_concurrency_is_bounded() -> None:
    async with scene(limits=Limits(concurrency=3)) as s:
        s.account.fault(Rule("delay", path=COINS, seconds=0.05))
        began = time.monotonic()
        await asyncio.gather(*(s.a2e.account.coins() for _ in range(12)))
        assert time.monotonic() - began >= 0.2


async def test_a_borrowed_session_stays_open_and_carries_no_token_of_its_own() -> None:
    async with Sandbox() as sandbox, aiohttp.ClientSession() as http:
        async with A2ESession(KEY, base_url=sandbox.url, http=http) as a2e:
            assert (await a2e.account.coins()).coins == 1000
        assert not http.closed
        assert "Authorization" not in http.headers
        async with http.get(sandbox.face_url) as response:
            assert response.status == 200


async def test_a_closed_session_opens_again() -> None:
    async with scene() as s:
        await s.a2e.account.coins()
        await s.a2e.aclose()
        assert (await s.a2e.account.coins()).coins == 1000


async def test_what_waits_while_its_session_is_closed_goes_over_the_next() -> None:
    async with scene() as s:
        s.a2e.brake(0.1)
        start = asyncio.ensure_future(s.a2e.face_swap.tasks.add(**s.swap))
        await asyncio.sleep(0)
        await s.a2e.aclose()
        assert (await start).id
        assert s.sent("POST", "/add") == [200]


async def test_a_lent_session_that_is_closed_sends_nothing(tmp_path: Path) -> None:
    async with Sandbox() as sandbox:
        http = aiohttp.ClientSession()
        a2e = A2ESession(KEY, base_url=sandbox.url, http=http, **SWIFT)
        await http.close()
        calls = (
            a2e.face_swap.tasks.add(name="n", face_url=sandbox.face_url, video_url=sandbox.video_url),
            a2e.files.save(sandbox.video_url, tmp_path / "clip.mp4"),
        )
        for call in calls:
            with pytest.raises(TransportError, match="not sent, since the session was closed") as caught:
                await call
            assert not caught.value.sent


async def test_cancelled_calls_leave_no_task() -> None:
    async with scene() as s:
        await s.a2e.account.coins()
        before = asyncio.all_tasks()
        s.account.fault(Rule("delay", path=COINS, seconds=30.0))
        calls = [asyncio.ensure_future(s.a2e.account.coins()) for _ in range(5)]
        while len(s.sent("GET", COINS)) < 6:
            await asyncio.sleep(0)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert not {t for t in asyncio.all_tasks() - before if "a2e" in t.get_name()}


def test_one_session_serves_successive_loops(sandbox_in_thread: Sandbox) -> None:
    a2e = A2ESession(KEY, base_url=sandbox_in_thread.url, **SWIFT)

    async def main() -> float:
        return (await a2e.account.coins()).coins

    assert [asyncio.run(main()) for _ in range(3)] == [1000.0] * 3
    gc.collect()  # an unclosed socket would be a warning, and so an error


def test_a_forgotten_session_closes_with_its_loop(sandbox_in_thread: Sandbox) -> None:
    async def main() -> None:
        await A2ESession(KEY, base_url=sandbox_in_thread.url).account.coins()

    asyncio.run(main())
    gc.collect()


def test_errors_keep_their_meaning_across_processes() -> None:
    error = SubmissionUncertainError("lost", endpoint="POST /x", request={"name": "n"}, sent_at="now")
    again: A2EError = pickle.loads(pickle.dumps(error))
    assert vars(again) == vars(error)
