"""The event stream that all frameworks send, on a loop whose time steps."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import anyio
import pytest

from a2e_async import FACE_SWAP, AuthenticationError, TaskWatcher, WaitLimits
from a2e_async.groups.face_swap import Swap
from a2e_async.integrations._events import events, is_over, is_stopping
from tests.stepping import Service, stepped

ID = "66e63777a3ebb9f1e3a2ab5c"


def parsed(chunk: bytes) -> dict[str, Any]:
    """Return an event's fields; a comment has none."""
    lines = [line.split(": ", 1) for line in chunk.decode().splitlines() if line and not line.startswith(":")]
    return {name: json.loads(value) if name == "data" else value for name, value in lines}


async def told(chunks: AsyncIterator[bytes]) -> list[dict[str, Any]]:
    return [found async for chunk in chunks if "event" in (found := parsed(chunk))]


def streamed(service: Service, last: str = "", heartbeat: float = 15.0, **settings: Any) -> list[dict[str, Any]]:
    async def main() -> list[dict[str, Any]]:
        service.add(ID)
        return await told(events(TaskWatcher(service, FACE_SWAP, ID, **settings), last, heartbeat=heartbeat))

    return stepped(main())


def names(found: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    return [(event["event"], event.get("id")) for event in found]


def test_each_state_is_told_once_and_then_the_end() -> None:
    found = streamed(Service(lambda _: 100.0))

    assert names(found) == [("state", "queued"), ("state", "running"), ("state", "done"), ("end", "end")]
    assert found[-1]["data"] == {"id": ID, "state": "done"}


def test_a_heartbeat_does_not_disturb_the_reading_that_is_under_way() -> None:
    calm, nervous = Service(latency=5.0), Service(latency=5.0)

    assert names(streamed(calm)) == names(streamed(nervous, heartbeat=0.25))
    assert nervous.calls == calm.calls


def test_comments_come_where_nothing_else_came_for_so_long() -> None:
    service = Service(lambda _: 100.0)

    async def main() -> list[tuple[float, bool]]:
        service.add(ID)
        loop, chunks = asyncio.get_running_loop(), events(TaskWatcher(service, FACE_SWAP, ID, every=7.0), heartbeat=4.0)
        return [(loop.time(), chunk.startswith(b":")) async for chunk in chunks]

    found = stepped(main())
    pauses = [(later - earlier, ping) for (earlier, _), (later, ping) in pairwise(found)]
    assert all(3.99 < pause < 5.01 for pause, ping in pauses if ping)
    assert all(pause < 5.01 for pause, _ in pauses)
    assert len([ping for _, ping in pauses if ping]) > 15


@pytest.mark.parametrize("last", ["queued", "running", "done"])
def test_going_on_tells_what_comes_after(last: str) -> None:
    states = ["queued", "running", "done"]

    found = streamed(Service(lambda _: 100.0), last)

    assert [event["data"]["state"] for event in found] == [*states[states.index(last) + 1 :], "done"]
    if last != "done":
        assert found[0]["data"]["previous"] == last


def test_going_on_after_the_last_state_asks_nothing() -> None:
    service = Service()

    assert names(streamed(service, "done")) == [("end", "end")]
    assert not service.calls


def test_a_stale_reading_is_not_told_to_whoever_comes_again() -> None:
    service = Service()
    service.word = lambda _id, age: "initialized" if age < 5 else "processing"

    assert names(streamed(service, "running")) == [("state", "done"), ("end", "end")]


@pytest.mark.parametrize("last", ["", "0", "unknown", "uncertain", "gone\r\n", "42" * 4000])
def test_an_id_that_is_none_of_ours_means_from_the_beginning(last: str) -> None:
    assert names(streamed(Service(), last))[0] == ("state", "queued")
    assert not is_over(last)


def test_an_unknown_state_moves_nobody_on() -> None:
    service = Service(lambda _: 20.0)
    service.word = lambda _id, age: "polishing" if age > 5 else "processing"

    assert names(streamed(service)) == [("state", "running"), ("state", None), ("state", "done"), ("end", "end")]


@pytest.mark.parametrize(("code", "error", "status"), [(None, "TaskFailedError", 502), (1003, "ModerationError", 422)])
def test_a_failed_task_says_why(code: int | None, error: str, status: int) -> None:
    class Failing(Service):
        def look(self, task_id: str) -> Swap:
            return Swap(id=task_id, status="failed", failed_message="no face", failed_code=code)

    found = streamed(Failing())

    assert names(found) == [("state", "failed"), ("end", "end")]
    why = found[0]["data"]["error"]
    assert (why["error"], why["status"]) == (error, status)
    assert "no face" in why["detail"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [("https://a.b/c.mp4", "https://a.b/c.mp4"), ("javascript:alert(1)", None), ("/etc/passwd", None), ("", None)],
)
def test_a_result_is_told_only_where_it_can_be_fetched(url: str, shown: str | None) -> None:
    class Done(Service):
        def look(self, task_id: str) -> Swap:
            return Swap(id=task_id, status="completed", result_url=url)

    assert streamed(Done())[0]["data"]["result_url"] == shown


def test_a_limit_that_is_reached_is_a_problem_and_ends_the_stream() -> None:
    found = streamed(Service(lambda _: 1e6), limits=WaitLimits(run=30.0))

    assert names(found) == [("state", "queued"), ("state", "running"), ("problem", None), ("end", "end")]
    assert found[2]["data"]["error"] == "RunTimeoutError"
    assert found[2]["data"]["status"] == 504


def test_a_refused_token_is_a_problem_without_particulars() -> None:
    service = Service()
    for name in ("detail", "details", "processing"):
        service.faults[name] = lambda _: AuthenticationError("bad token sk_secret", http_status=401)

    problem = streamed(service)[0]["data"]

    assert problem["error"] == "AuthenticationError"
    assert problem["status"] == 500
    assert "sk_" not in json.dumps(problem)


def test_the_first_bytes_come_before_anything_is_read() -> None:
    service = Service()

    async def main() -> bytes:
        service.add(ID)
        async with aclosing(events(TaskWatcher(service, FACE_SWAP, ID))) as chunks:
            return await anext(chunks)

    assert stepped(main()) == b"retry: 2000\n\n"
    assert not service.calls


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_closing_it_anywhere_leaves_no_task(after: int) -> None:
    service = Service(lambda _: 1e6, latency=0.5)

    async def main() -> None:
        service.add(ID)
        async with aclosing(events(TaskWatcher(service, FACE_SWAP, ID), heartbeat=0.25)) as chunks:
            for _ in range(after):
                await anext(chunks)

    stepped(main())


@pytest.mark.parametrize("seconds", [0.1, 0.25, 0.6, 1.5])
def test_cancelling_whoever_reads_leaves_no_task(seconds: float) -> None:
    service = Service(lambda _: 1e6, latency=0.5)

    async def main() -> None:
        service.add(ID)
        # As Starlette and Litestar do when the browser has left: each turn of the loop cancels again.
        with anyio.move_on_after(seconds):
            await told(events(TaskWatcher(service, FACE_SWAP, ID), heartbeat=0.25))
        assert asyncio.all_tasks() == {asyncio.current_task()}

    stepped(main())


def test_it_stops_within_a_second_when_the_browser_is_gone() -> None:
    service = Service(lambda _: 1e6)

    async def main() -> list[dict[str, Any]]:
        service.add(ID)
        loop = asyncio.get_running_loop()
        end = loop.time() + 20
        found = await told(events(TaskWatcher(service, FACE_SWAP, ID), gone=lambda: loop.time() > end))
        assert loop.time() <= end + 1
        return found

    assert names(stepped(main())) == [("state", "queued"), ("state", "running")]


def test_only_a_server_of_the_kind_of_uvicorn_is_asked_whether_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    class Server:
        should_exit = False

        def handle_exit(self, *_: object) -> None:
            self.should_exit = True

    server = Server()
    for handler in (signal.SIG_DFL, signal.default_int_handler, None, [].append, server.handle_exit):
        monkeypatch.setattr(signal, "getsignal", lambda _number, handler=handler: handler)
        assert not is_stopping()
    server.handle_exit()
    assert is_stopping()
