"""What every web framework's module does: the same app in each, served over TCP before a sandbox."""

import asyncio

import pytest

from a2e_async import PollPolicy
from tests.integrations.serving import FRAMEWORKS, Told, lasting, made, run, served, staged
from tests.integrations.shared import HEARTBEAT, TOKEN
from tests.service import KEY

pytestmark = pytest.mark.parametrize("framework", FRAMEWORKS)

RARE = PollPolicy(shortest=3600.0, longest=7200.0)
"""Nothing is read a second time but upon a callback."""


def connections(sandbox) -> int:
    return len(sandbox._live._http.connections)


def names(told: list[Told]) -> list[tuple[str, str]]:
    return [(event.event, event.id) for event in told]


def test_the_session_lives_as_long_as_the_app(framework: str) -> None:
    async def main() -> None:
        async with staged(framework, "per-poll:60") as s:
            await s.get(f"/wait/{await s.add()}")
            assert connections(s.sandbox) == 1
            s.server.stop()
            await asyncio.sleep(2)
            assert connections(s.sandbox) == 0

    run(main())


def test_requests_share_one_session(framework: str) -> None:
    async def main() -> None:
        async with staged(framework) as s:
            assert await s.get("/session") == await s.get("/session")

    run(main())


def test_without_a_session_the_environment_makes_one(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A2E_API_KEY", KEY)

    async def main() -> None:
        async with served(made(framework, None)):
            pass

    run(main())


def test_without_a_key_the_app_does_not_start(framework: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A2E_API_KEY", raising=False)

    async def main() -> None:
        with pytest.raises(Exception, match=r"did not start|A2E_API_KEY"):
            async with served(made(framework, None)):
                pass

    run(main())


@pytest.mark.parametrize(("name", "status"), [("request", 422), ("missing", 404), ("rate", 503)])
def test_errors_become_answers(framework: str, name: str, status: int) -> None:
    async def main() -> None:
        async with staged(framework) as s, s.http.get(f"{s.server.url}/fail/{name}") as response:
            assert response.status == status
            assert response.content_type == "application/problem+json"
            assert response.headers.get("Retry-After") == ("2" if name == "rate" else None)
            found = await response.json(content_type=None)
        assert found["status"] == status
        assert found.get("field") == ("face_url" if name == "request" else None)

    run(main())


def test_a_callback_ends_the_wait(framework: str) -> None:
    async def main() -> None:
        async with staged(framework, "stepped", RARE) as s:
            task_id = await s.add(webhook_url=f"{s.server.url}/a2e", webhook_token=TOKEN)
            wait = asyncio.create_task(s.get(f"/wait/{task_id}"))
            await asyncio.sleep(10)
            s.account.advance(100)
            assert await wait == {"state": "done"}
            assert [callback.status for callback in s.account.webhooks] == [200]
            assert s.looks() == 2

    run(main())


def test_a_callback_with_a_wrong_token_is_refused(framework: str) -> None:
    async def main() -> None:
        async with staged(framework) as s:
            for method, token, status in (("POST", "guessed", 401), ("POST", TOKEN, 400), ("GET", TOKEN, 405)):
                headers = {"X-A2e-Webhook-Token": token}
                async with s.http.request(method, f"{s.server.url}/a2e", headers=headers, data=b"{}") as response:
                    assert response.status == status

    run(main())


def test_states_come_in_order_each_with_its_id(framework: str) -> None:
    async def main() -> None:
        async with staged(framework) as s:
            task_id, url = await s.add(), s.sandbox.url
            told = await s.told(task_id)
        assert names(told) == [("state", "queued"), ("state", "running"), ("state", "done"), ("end", "end")]
        assert [event.data["state"] for event in told] == ["queued", "running", "done", "done"]
        assert [event.data.get("previous") for event in told] == [None, "queued", "running", None]
        assert {event.data["id"] for event in told} == {task_id}
        done = told[2].data
        assert (done["kind"], done["coins"], done["error"]) == ("face_swap", 10.0, None)
        assert done["result_url"].startswith(f"{url}/")

    run(main())


def test_whoever_comes_again_is_told_what_is_newer(framework: str) -> None:
    async def main() -> None:
        async with staged(framework) as s:
            task_id = await s.add()
            async with s.stream(task_id) as events:
                assert (await anext(events)).id == "queued"
            assert names(await s.told(task_id, "queued")) == [("state", "running"), ("state", "done"), ("end", "end")]
            looks = s.looks()
            assert names(await s.told(task_id, "done")) == [("end", "end")]
            assert s.looks() == looks
            async with s.http.get(
                f"{s.server.url}/swaps/{task_id}/events", headers={"Last-Event-ID": "end"}
            ) as response:
                assert response.status == 204

    run(main())


def test_silence_is_filled_with_comments(framework: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with staged(framework, "stepped") as s:
            async with s.stream(await s.add()) as events:
                assert (await anext(events)).event == "state"
                for _ in range(2):
                    began = loop.time()
                    assert (await anext(events)).event == ""
                    assert HEARTBEAT - 1 <= loop.time() - began <= HEARTBEAT + 1

    run(main())


def test_a_browser_that_leaves_cancels_nothing_else(framework: str) -> None:
    async def main() -> None:
        async with staged(framework, "stepped") as s:
            task_id = await s.add()
            async with s.stream(task_id) as left, s.stream(task_id) as stays:
                await anext(left)
                await anext(stays)
                assert lasting().count("a2e-events") == 2
            await asyncio.sleep(3)
            assert lasting() == []
            async with s.stream(task_id) as events:
                await anext(events)
                assert not [entry for entry in s.account.requests if entry.method == "DELETE"]
                s.account.advance(100)
                assert (await anext(events)).id == "done"

    run(main())


def test_the_server_does_not_wait_for_streams_when_it_stops(framework: str) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with staged(framework, "stepped") as s:
            async with s.stream(await s.add()) as events:
                await anext(events)
                began = loop.time()
                s.server.stop()
                assert [told async for told in events if told.event] == []
                assert loop.time() - began < 5
            await asyncio.sleep(1)
            assert lasting() == []

    run(main())


def test_two_browsers_on_one_task_share_requests(framework: str) -> None:
    async def looks(browsers: int) -> int:
        async with staged(framework, "stepped") as s:
            task_id = await s.add()
            async with s.stream(task_id) as one, s.stream(task_id) as other:
                for events in (one, other)[:browsers]:
                    await anext(events)
                await asyncio.sleep(120)
                return s.looks()

    few, many = run(looks(1)), run(looks(2))
    assert few > 10
    assert many <= few + 2


def test_a_watch_that_cannot_go_on_says_why(framework: str) -> None:
    async def main() -> None:
        async with staged(framework) as s:
            told = await s.told("0" * 24)
        assert names(told) == [("problem", ""), ("end", "end")]
        assert told[0].data["error"] == "NotFoundError"
        assert told[0].data["status"] == 404

    run(main())
