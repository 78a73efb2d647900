"""A task and a watcher written down, and taken up again elsewhere."""

import asyncio
import json

import pytest

from a2e_async import FACE_SWAP, A2ESession, RequestError, TaskState, TaskTimeoutError, TaskWatcher
from a2e_async.tasks import Handle
from tests.service import KEY, SWIFT, scene
from tests.stepping import Service, stepped


@pytest.mark.anyio
async def test_a_task_is_taken_up_by_another_session() -> None:
    async with scene() as s:
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        written = task.handle()
        assert json.loads(written) == {"a2e": 1, "kind": "face_swap", "id": task.id}
        async with A2ESession(KEY, base_url=s.sandbox.url, **SWIFT) as other:
            assert (await other.take_up(written)).id == task.id


@pytest.mark.anyio
async def test_what_was_told_is_not_told_again() -> None:
    async with scene(clock="stepped") as s:
        watcher = s.a2e.watch(await s.a2e.face_swap.tasks.add(**s.swap))
        first = await anext(watcher)
        written = watcher.handle()
        assert KEY not in written
        s.account.advance(3600)
        async with A2ESession(KEY, base_url=s.sandbox.url, **SWIFT) as other:
            rest = [(change.previous, change.state) async for change in other.take_up(written.encode())]
        assert rest == [(first.state, TaskState.DONE)]


@pytest.mark.anyio
async def test_one_that_has_ended_tells_nothing_and_still_gives_its_task() -> None:
    async with scene() as s:
        task = await s.a2e.watch(await s.a2e.face_swap.tasks.add(**s.swap))
        watcher = s.a2e.watch(task)
        assert [change.state async for change in watcher] == [TaskState.DONE]
        written = watcher.handle()
        assert [change async for change in s.a2e.take_up(written)] == []
        assert (await s.a2e.take_up(written)).result_url == task.result_url


def test_a_deadline_runs_on() -> None:
    async def main() -> tuple[float | None, float | None]:
        service = Service(lambda _: 1e9)
        service.add("a")
        watcher = TaskWatcher(service, FACE_SWAP, "a", deadline=100.0)
        fresh = Handle.from_json(watcher.handle()).until
        await anext(watcher)
        await asyncio.sleep(40)
        return fresh, Handle.from_json(watcher.handle()).until

    fresh, later = stepped(main())
    assert fresh is not None
    assert later is not None
    assert 39 < fresh - later < 41


@pytest.mark.anyio
async def test_a_deadline_that_has_passed_ends_the_wait_at_once() -> None:
    async with scene(clock="stepped") as s:
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        written = Handle("face_swap", task.id, until=1.0).to_json()
        with pytest.raises(TaskTimeoutError, match="still queued"):
            await s.a2e.take_up(written)
        assert len(s.sent("GET", task.id)) == 1
        s.account.advance(3600)
        assert (await s.a2e.take_up(written)).state is TaskState.DONE


@pytest.mark.parametrize(
    "text",
    ["", "no json", "{}", '{"a2e":2,"kind":"face_swap","id":"x"}', '{"a2e":1,"kind":"holo","id":"x"}', b"\xff",
     "\ud800", b'{"a2e":1,"kind":"face_swap","id":"x","more":' + b"[" * 5000],
)  # fmt: skip
def test_what_is_no_handle_is_refused(text: str | bytes) -> None:
    with pytest.raises(RequestError, match=r"^handle: "):
        Handle.from_json(text)
