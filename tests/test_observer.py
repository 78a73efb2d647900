"""What observers and the log are told: each thing once, in order, and nothing that is nobody's business."""

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from aiohttp import web

from a2e_async import (
    FACE_SWAP,
    A2ESession,
    ModerationError,
    RateLimitError,
    RetryPolicy,
    ServerError,
    TaskFailedError,
    TaskTimeoutError,
    TaskWatcher,
)
from a2e_async.observer import (
    Braked,
    Event,
    Moved,
    RequestEnded,
    SubmitBegan,
    SubmitEnded,
    TransferBegan,
    TransferEnded,
    TransferMoved,
    WaitBegan,
    WaitEnded,
)
from a2e_async.sandbox import Rule
from tests.service import KEY, host, scene
from tests.snippets import SAMPLES
from tests.stepping import Service, stepped

pytestmark = pytest.mark.anyio

ADD = "/api/v1/userFaceSwapTask/add"
DETAIL = "/api/v1/userFaceSwapTask/{_id}"


def of(events: list[Event], *kinds: type[Event]) -> list[Event]:
    return [event for event in events if isinstance(event, kinds)]


async def test_a_job_is_told_from_its_upload_to_its_download(tmp_path: Path) -> None:
    events: list[Event] = []
    async with scene(observers=[events.append]) as s:
        swap = await s.a2e.run(FACE_SWAP, **s.swap | {"face_url": SAMPLES / "face.jpg"})
        path = await s.a2e.files.save(swap, tmp_path / "out.mp4")

    told = [type(event) for event in events if not isinstance(event, RequestEnded | Moved)]
    assert told == [
        *(TransferBegan, TransferMoved, TransferEnded),
        *(SubmitBegan, SubmitEnded, WaitBegan, WaitEnded),
        *(TransferBegan, TransferMoved, TransferEnded),
    ]
    (submitted,) = of(events, SubmitEnded)
    assert (submitted.kind, submitted.task_id, submitted.coins, submitted.error) == (
        "face_swap",
        swap.id,
        swap.coins,
        "",
    )
    *_, last = moves = of(events, Moved)
    assert [move.previous for move in moves] == ["queued", *(move.state for move in moves[:-1])]
    assert (last.task_id, last.state, last.coins) == (swap.id, "done", swap.coins)
    up, down = of(events, TransferEnded)
    assert (up.direction, up.done, up.task_id) == ("upload", (SAMPLES / "face.jpg").stat().st_size, "")
    assert (down.direction, down.done, down.task_id) == ("download", path.stat().st_size, swap.id)
    assert {event.server for event in events} == {"127.0.0.1"}


async def test_each_request_that_left_is_told_with_what_came_of_it() -> None:
    events: list[Event] = []
    async with scene(observers=[events.append]) as s:
        s.account.fault(Rule("status", path="/api/v1/user/remainingCoins", status=503, nth=1))
        s.account.fault(Rule("truncated", path="/api/v1/user/remainingCoins", nth=2))
        await s.a2e.account.coins()
        with pytest.raises(ModerationError):
            await s.a2e.run(FACE_SWAP, **s.swap | {"name": "moderation:no"})

        found = [(e.endpoint, e.attempt, e.http_status, e.error) for e in of(events, RequestEnded)]
        assert len(found) == len(s.account.requests)
    coins = "GET /api/v1/user/remainingCoins"
    assert found[:3] == [(coins, 1, 503, "ServerError"), (coins, 2, 200, "TransportError"), (coins, 3, 200, "")]
    assert all(event.seconds > 0 for event in of(events, RequestEnded))


async def test_a_stream_is_one_request() -> None:
    events: list[Event] = []
    async with scene(observers=[events.append]) as s:
        given = {"reference_id": "r", "prompt": "a cat", "image_url": s.sandbox.face_url}
        assert [delta async for delta in s.a2e.image_to_video.extend_prompt(**given)]
        s.account.fault(Rule("status", path="/api/v1/*", status=502))
        with pytest.raises(ServerError):
            _ = [delta async for delta in s.a2e.image_to_video.extend_prompt(**given)]

    assert [(e.http_status, e.error) for e in of(events, RequestEnded)] == [(200, ""), (502, "ServerError")]


async def test_a_brake_is_told_and_what_it_keeps_from_leaving_is_no_request() -> None:
    async def busy(request: web.Request) -> web.Response:
        return web.json_response({"code": 429, "msg": "slow down"}, status=429, headers={"Retry-After": "60"})

    events: list[Event] = []
    async with host(busy, observers=[events.append], retry=RetryPolicy(patience=1.0)) as (_, seen, a2e):
        for _ in range(2):
            with pytest.raises(RateLimitError):
                await a2e.face_swap.tasks.detail(id="65f0c0ffee0000000000000a")

    assert len(seen) == len(of(events, RequestEnded)) == 1
    assert [(e.endpoint, e.seconds, e.http_status) for e in of(events, Braked)] == [(f"GET {DETAIL}", 60.0, 429)]


async def test_a_refused_start_is_told_with_its_reason() -> None:
    events: list[Event] = []
    async with scene(observers=[events.append], coins=0.0) as s:
        with pytest.raises(Exception, match="oin"):
            await s.a2e.run(FACE_SWAP, **s.swap)

    (ended,) = of(events, SubmitEnded)
    assert (ended.error, ended.task_id, ended.coins) == ("InsufficientCoinsError", "", None)
    assert not of(events, WaitBegan, Moved)


async def test_several_tasks_of_one_start_are_told_one_by_one() -> None:
    events: list[Event] = []
    async with scene(observers=[events.append]) as s:
        picture = s.sandbox.face_url
        tasks = await s.a2e.image_to_video.start_several(name="n", image_url=picture, prompt="p", number=2)

    assert len(tasks) == 2
    assert [(e.kind, e.task_id) for e in of(events, SubmitEnded)] == [("image_to_video", task.id) for task in tasks]


def watched(work: Callable[[Service, A2ESession], object], **settings: object) -> list[Event]:
    """Return what is told of waits on a service that lives on stepped time."""
    service, events = Service(**settings), []
    a2e = A2ESession(KEY, observers=[events.append])

    async def main() -> None:
        service.add("t1")
        a2e.call = service.call
        await work(service, a2e)

    stepped(main())
    return events


def test_however_many_wait_each_move_is_told_once() -> None:
    async def work(service: Service, a2e: A2ESession) -> None:
        await asyncio.gather(*(a2e.watch(FACE_SWAP, "t1") for _ in range(3)))

    events = watched(work)

    assert [(m.previous, m.state) for m in of(events, Moved)] == [
        (None, "queued"),
        ("queued", "running"),
        ("running", "done"),
    ]
    assert len(of(events, WaitBegan)) == len(of(events, WaitEnded)) == 3
    assert {(end.state, end.error) for end in of(events, WaitEnded)} == {("done", "")}


def test_a_reading_from_a_stale_replica_is_not_told() -> None:
    def start(service: Service) -> None:
        service.word = lambda _id, age: "initialized" if 3 < age < 6 else "processing"

    async def work(service: Service, a2e: A2ESession) -> None:
        start(service)
        async for _ in a2e.watch(FACE_SWAP, "t1", every=1.0):
            pass

    assert [move.state for move in of(watched(work), Moved)] == ["running", "done"]


def test_a_wait_that_ends_early_is_told_with_the_error() -> None:
    async def work(service: Service, a2e: A2ESession) -> None:
        with pytest.raises(TaskTimeoutError):
            await a2e.watch(FACE_SWAP, "t1", deadline=20)
        waiting = asyncio.ensure_future(a2e.watch(FACE_SWAP, "t1")._result())
        await asyncio.sleep(5)
        waiting.cancel()
        await asyncio.wait([waiting])

    events = watched(work, duration=lambda _: 1000.0)

    assert [end.error for end in of(events, WaitEnded)] == ["TaskTimeoutError", "CancelledError"]
    assert all(end.state == "running" for end in of(events, WaitEnded))


def test_a_failed_task_is_told_with_the_code() -> None:
    async def work(service: Service, a2e: A2ESession) -> None:
        service.look = lambda _id: msgspec.structs.replace(
            FACE_SWAP.start.answer.record(id="t1"), status="failed", failed_code=17
        )
        with pytest.raises(TaskFailedError):
            await a2e.watch(FACE_SWAP, "t1")

    assert [(move.state, move.code) for move in of(watched(work), Moved)] == [("failed", 17)]


def test_a_watcher_on_its_own_needs_no_session(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        service = Service()
        service.add("t1")
        await TaskWatcher(service, FACE_SWAP, "t1")

    with caplog.at_level(logging.INFO, "a2e_async.tasks"):
        stepped(main())

    assert [record.a2e_state for record in caplog.records] == ["queued", "running", "done"]


async def test_an_observer_that_fails_breaks_nothing_and_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    calls: list[Event] = []

    def broken(event: Event) -> None:
        calls.append(event)
        raise ZeroDivisionError

    after: list[Event] = []
    async with scene(observers=[broken, after.append]) as s:
        swap = await s.a2e.run(FACE_SWAP, **s.swap)
        assert (await s.a2e.files.save(swap, tmp_path / "out.mp4")).exists()

    assert len(after) == len(calls) > 8
    assert len([record for record in caplog.records if record.exc_info]) == 1


async def test_records_of_the_log_have_members_to_filter_by(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level(logging.DEBUG, "a2e_async"):
        async with scene() as s:
            swap = await s.a2e.run(FACE_SWAP, **s.swap)
            await s.a2e.files.save(swap, tmp_path / "out.mp4")

    assert {record.name for record in caplog.records} == {f"a2e_async.{n}" for n in ("requests", "tasks", "transfers")}
    by_event = {record.a2e_event: record for record in caplog.records}
    assert by_event.keys() == {
        *("RequestEnded", "SubmitBegan", "SubmitEnded", "WaitBegan", "Moved", "WaitEnded"),
        *("TransferBegan", "TransferEnded"),
    }
    submitted, moved, request = (by_event[name] for name in ("SubmitEnded", "Moved", "RequestEnded"))
    assert (submitted.a2e_kind, submitted.a2e_task_id, submitted.a2e_coins) == ("face_swap", swap.id, swap.coins)
    assert (moved.levelname, moved.a2e_state) == ("INFO", "done")
    assert (request.a2e_endpoint, request.a2e_http_status) == (f"GET {DETAIL}", 200)
    assert request.message.startswith(f"RequestEnded endpoint=GET {DETAIL} seconds=0.")


async def test_nothing_secret_is_told_or_logged(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    secret = {name: f"private-{name}" for name in ("name", "token", "file")}
    face = tmp_path / f"{secret['file']}.jpg"
    face.write_bytes((SAMPLES / "face.jpg").read_bytes())
    events: list[Event] = []
    with caplog.at_level(logging.DEBUG, "a2e_async"):
        async with scene(observers=[events.append]) as s:
            hook = {"webhook_url": "https://example.com/hook?key=private-hook", "webhook_token": secret["token"]}
            swap = await s.a2e.run(FACE_SWAP, **s.swap | hook | {"name": secret["name"], "face_url": face})
            await s.a2e.files.save(swap, tmp_path / f"{secret['file']}.mp4")
            s.account.fault(Rule("status", path=ADD, status=400, body=json.dumps({"code": 1, "msg": KEY})))
            with pytest.raises(Exception, match="400"):
                await s.a2e.run(FACE_SWAP, **s.swap)

    told = repr(events) + "".join(repr(vars(record)) + record.getMessage() for record in caplog.records)
    assert swap.id in told
    for text in ("private-", KEY, "Bearer", "http://", "https://", str(tmp_path)):
        assert text not in told


async def test_what_a_server_names_cannot_forge_a_line(caplog: pytest.LogCaptureFixture) -> None:
    async def forge(request: web.Request) -> web.Response:
        return web.json_response({"code": 0, "data": {"_id": "x\nERROR forged", "current_status": "completed"}})

    with caplog.at_level(logging.DEBUG, "a2e_async"):
        async with host(forge) as (_, _, a2e):
            await a2e.face_swap.tasks.add(name="n", face_url="https://x.y/f.jpg", video_url="https://x.y/v.mp4")

    (submitted,) = [record for record in caplog.records if getattr(record, "a2e_event", "") == "SubmitEnded"]
    assert "\n" not in submitted.getMessage() + submitted.a2e_task_id


async def test_where_nobody_listens_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_args: object, **_kwargs: object) -> None:
        raise AssertionError("an event that nobody wants")

    monkeypatch.setattr("a2e_async._telling.Teller.tell", never)
    for name in ("requests", "tasks", "transfers"):
        monkeypatch.setattr(logging.getLogger(f"a2e_async.{name}"), "disabled", True)
    async with scene() as s:
        assert (await s.a2e.run(FACE_SWAP, **s.swap)).result_url
        s.account.fault(Rule("status", path="/api/v1/userFaceSwapTask/*", status=503))
        with pytest.raises(ServerError):
            await s.a2e.face_swap.tasks.detail(id="65f0c0ffee0000000000000a")
