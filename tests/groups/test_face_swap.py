"""Every face-swap endpoint, over TCP against the sandbox."""

from datetime import datetime
from pathlib import Path

import pytest

from a2e_async import APIError, ModerationError, NotFoundError, RequestError, TaskState
from a2e_async._answer import Page
from a2e_async.groups.face_swap import Face, Swap, SwapPreview
from a2e_async.sandbox import Account
from tests.service import Scene, scene

pytestmark = pytest.mark.anyio

NO_ID = "0" * 24
LONG = 3600.0


def ended(account: Account) -> None:
    account.advance(LONG)


async def test_faces_are_kept_listed_and_forgotten() -> None:
    async with scene("stepped") as s:
        images, other = s.a2e.face_swap.images, f"{s.sandbox.face_url}?second"
        assert await images.records() == []
        first = await images.add(face_url=s.sandbox.face_url)
        s.account.advance(1)
        both = await images.add(face_url=other)

        assert [(type(face), face.face_url) for face in both] == [(Face, other), (Face, s.sandbox.face_url)]
        assert both[1] == first[0]
        assert datetime.fromisoformat(both[0].created_at) > datetime.fromisoformat(both[1].created_at)
        assert await images.records() == both
        await images.remove(id=both[0].id)
        assert await images.records() == first
        with pytest.raises(NotFoundError):
            await images.remove(id=both[0].id)


async def test_a_preview_is_queued_and_read() -> None:
    async with scene("stepped") as s:
        previews = s.a2e.face_swap.previews
        queued = await previews.add(face_url=s.sandbox.face_url, video_url=s.sandbox.face_url)
        assert (type(queued), queued.state, queued.result_url) == (SwapPreview, TaskState.QUEUED, "")
        ended(s.account)
        done = await previews.status(id=queued.id)

        assert (done.id, done.state, done.face_url) == (queued.id, TaskState.DONE, s.sandbox.face_url)
        assert (done.result_url or "").startswith(s.sandbox.url)
        assert done.raw["user_id"]
        with pytest.raises(NotFoundError):
            await previews.status(id=NO_ID)


async def test_a_swap_from_start_to_end() -> None:
    async with scene("stepped") as s:
        tasks = s.a2e.face_swap.tasks
        queued = await tasks.add(**s.swap)
        assert (type(queued), queued.name, queued.state, queued.code) == (Swap, "clip", TaskState.QUEUED, 0)
        assert queued.coins
        assert queued.coins == 1000 - s.account.coins
        assert queued.duration
        assert [(type(task), task.id) for task in await tasks.processing()] == [(Swap, queued.id)]

        ended(s.account)
        done = await tasks.detail(id=queued.id)
        assert (done.id, done.state, done.error, done.code) == (queued.id, TaskState.DONE, "", 0)
        assert (done.result_url or "").startswith(s.sandbox.url)
        assert (done.face_url, done.video_url) == (s.sandbox.face_url, s.sandbox.video_url)
        assert done.raw["result_url"] == done.result_url
        assert await tasks.processing() == []

        (listed,) = await tasks.details(ids=[queued.id, queued.id, NO_ID])
        assert (listed.id, listed.state) == (done.id, done.state)
        steps = [listed.initialized_time, listed.processing_time, listed.completed_time]
        times = [datetime.fromisoformat(step or "") for step in steps]
        assert times == sorted(times)
        assert times[0].tzinfo is not None


async def test_all_fields_of_a_start_reach_the_service() -> None:
    async with scene("stepped") as s:
        swap = {**s.swap, "video_url": s.sandbox.face_url}
        task = await s.a2e.face_swap.tasks.add(
            **swap,
            cover_url=s.sandbox.face_url,
            model_version="v2",
            webhook_url="https://example.com/hook",
            webhook_token="secret",
        )

        sent = s.account.requests[-1].body
        assert task.state is TaskState.QUEUED
        assert isinstance(sent, dict)
        assert sent.keys() == {*swap, "cover_url", "model_version", "webhook_url", "webhook_token"}


async def test_a_failed_swap_tells_why_and_is_refunded() -> None:
    async with scene("stepped") as s:
        queued = await s.a2e.face_swap.tasks.add(**{**s.swap, "name": "fail:no face found"})
        ended(s.account)
        task = await s.a2e.face_swap.tasks.detail(id=queued.id)

        assert (task.state, task.error, task.code) == (TaskState.FAILED, "no face found", 1001)
        assert s.account.coins == 1000


async def test_moderation_refuses_at_the_start() -> None:
    async with scene("stepped") as s:
        with pytest.raises(ModerationError, match="not this one") as caught:
            await s.a2e.face_swap.tasks.add(**{**s.swap, "name": "moderation: not this one"})

        assert (caught.value.code, caught.value.spent) == (1003, "no")
        assert s.account.coins == 1000


async def test_records_by_page_and_one_by_one() -> None:
    async with scene("stepped") as s:
        records = s.a2e.face_swap.tasks.records
        made = [(await s.a2e.face_swap.tasks.add(**{**s.swap, "name": f"{n}"})).id for n in range(5)]

        first = await records(size=2)
        assert isinstance(first, Page)
        assert ([type(task) for task in first.items], first.count) == ([Swap, Swap], 5)
        assert [task.id for task in (await records(page=3, size=2)).items] == made[:1]
        assert (await records(page=4, size=2)).items == []
        assert [task.id async for task in records.each(size=2)] == made[::-1]
        assert [task.id async for task in records.each(page=2, size=2)] == made[2::-1]
        assert [task.name async for task in records.each()] == ["4", "3", "2", "1", "0"]


async def test_a_walk_gives_no_record_twice_while_new_ones_arrive() -> None:
    async with scene("stepped") as s:
        made = [(await s.a2e.face_swap.tasks.add(**s.swap)).id for _ in range(4)]
        seen: list[str] = []
        async for task in s.a2e.face_swap.tasks.records.each(size=2):
            seen.append(task.id)
            if len(seen) == 2:
                await s.a2e.face_swap.tasks.add(**s.swap)

        assert seen == made[::-1]


async def removed(s: Scene, seconds: float) -> str:
    task = await s.a2e.face_swap.tasks.add(**s.swap)
    s.account.advance(seconds)
    await s.a2e.face_swap.tasks.remove(id=task.id)
    return task.id


async def test_removal() -> None:
    async with scene("stepped") as s:
        fresh = await removed(s, 0)
        assert s.account.coins == 1000
        finished = await removed(s, LONG)
        assert s.account.coins < 1000
        for task_id in (fresh, finished):
            with pytest.raises(NotFoundError):
                await s.a2e.face_swap.tasks.detail(id=task_id)


async def test_a_running_task_cannot_be_removed() -> None:
    async with scene("stepped") as s:
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        while task.state is TaskState.QUEUED:
            s.account.advance(1)
            task = await s.a2e.face_swap.tasks.detail(id=task.id)

        with pytest.raises(APIError, match="cannot be deleted") as caught:
            await s.a2e.face_swap.tasks.remove(id=task.id)
        assert (caught.value.http_status, task.state) == (400, TaskState.RUNNING)


async def test_local_files_are_uploaded_first(tmp_path: Path) -> None:
    async with scene("stepped") as s:
        await s.a2e.files.save(s.sandbox.face_url, face := tmp_path / "face.jpg")
        (kept,) = await s.a2e.face_swap.images.add(face_url=face)

        assert kept.face_url.startswith(f"{s.sandbox.url}/cdn/")


async def test_what_is_refused_here_never_reaches_the_service(tmp_path: Path) -> None:
    async with scene("stepped") as s:
        with pytest.raises(RequestError, match="name"):
            await s.a2e.face_swap.tasks.add(**{**s.swap, "name": ""})
        with pytest.raises(RequestError, match=r"face_url.*face\.jpg"):
            await s.a2e.face_swap.images.add(face_url=tmp_path / "face.jpg")
        with pytest.raises(RequestError, match="_id"):
            await s.a2e.face_swap.tasks.detail(id="..")

        assert s.account.requests == []


async def test_an_id_with_odd_characters_stays_one_segment() -> None:
    async with scene("stepped") as s:
        for odd in ("a/b", "../status", "a?b=c", "a#b", "é%2F"):
            with pytest.raises(APIError):
                await s.a2e.face_swap.tasks.detail(id=odd)

        paths = [entry.path for entry in s.account.requests]
        assert all(path.startswith("/api/v1/userFaceSwapTask/") for path in paths)
        assert "/api/v1/userFaceSwapTask/status" not in paths
        assert {entry.query for entry in s.account.requests} == {""}
