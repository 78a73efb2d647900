"""Spans: one for each task, with its phases below it and the caller's span above."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

pytest.importorskip("opentelemetry.sdk", reason="needs the dependency group `observability`")

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from a2e_async import FACE_SWAP, InsufficientCoinsError, RetryPolicy, TaskFailedError, TaskTimeoutError
from a2e_async.integrations import opentelemetry
from a2e_async.integrations.opentelemetry import OpenTelemetry
from a2e_async.sandbox import Rule
from tests.service import host, scene

pytestmark = pytest.mark.anyio

ADD = "/api/v1/userFaceSwapTask/add"


class Spans:
    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.observer = OpenTelemetry(self.provider)

    def named(self, *names: str) -> list[ReadableSpan]:
        """Return the spans of these names that have ended, in the order of their beginning."""
        spans = [span for span in self.exporter.get_finished_spans() if span.name in names]
        return sorted(spans, key=lambda span: span.start_time)

    def names(self) -> list[str]:
        return sorted(span.name for span in self.exporter.get_finished_spans())


@pytest.fixture
def spans() -> Iterator[Spans]:
    made = Spans()
    yield made
    made.provider.shutdown()


async def test_a_task_is_one_span_with_its_phases_below_the_callers(spans: Spans, tmp_path: Path) -> None:
    async with scene(observers=[spans.observer]) as s:
        with spans.provider.get_tracer("app").start_as_current_span("order") as order:
            swap = await s.a2e.run(FACE_SWAP, **s.swap)
            path = await s.a2e.files.save(swap, tmp_path / "out.mp4")

    (task,) = spans.named("face_swap")
    assert task.parent.span_id == order.get_span_context().span_id
    assert dict(task.attributes) == {
        "gen_ai.provider.name": "a2e",
        "gen_ai.operation.name": "face_swap",
        "server.address": "127.0.0.1",
        "a2e.task.id": swap.id,
        "a2e.task.state": "done",
        "a2e.task.coins": swap.coins,
    }
    assert task.status.is_ok or task.status.status_code is trace.StatusCode.UNSET
    below = spans.named("submit", "queued", "queued and running", "running", "download")
    assert {span.parent.span_id for span in below} == {task.context.span_id}
    submit, *phases, download = below
    assert (submit.name, download.name) == ("submit", "download")
    assert [phase.name for phase in phases] in (["queued", "running"], ["queued and running"])
    assert task.start_time <= submit.start_time < submit.end_time <= phases[0].start_time
    assert phases[-1].end_time <= task.end_time <= download.start_time
    assert download.attributes["a2e.transfer.bytes"] == path.stat().st_size
    assert submit.attributes["http.request.method"] == "POST"
    assert submit.attributes["url.template"] == ADD


async def test_what_is_done_meanwhile_is_below_the_step_and_nothing_stays_current(spans: Spans) -> None:
    current: list[trace.Span] = []

    async with scene(observers=[spans.observer, lambda _: current.append(trace.get_current_span())]) as s:
        await s.a2e.face_swap.tasks.add(**s.swap)
        assert trace.get_current_span() is trace.INVALID_SPAN

    (submit,) = spans.named("submit")
    began, requested, ended = current
    assert began is requested
    assert requested.get_span_context() == submit.context
    assert ended is trace.INVALID_SPAN


async def test_repeats_and_brakes_are_events_of_the_submission(spans: Spans) -> None:
    async with scene(observers=[spans.observer]) as s:
        s.account.fault(Rule("status", path=ADD, status=429, retry_after=0, first=1))
        await s.a2e.face_swap.tasks.add(**s.swap)

    (submit,) = spans.named("submit")
    assert [event.name for event in submit.events] == ["braked", "request", "request"]
    _, first, second = submit.events
    assert (first.attributes["error.type"], first.attributes["http.response.status_code"]) == ("RateLimitError", 429)
    assert (second.attributes["http.request.resend_count"], second.attributes["http.response.status_code"]) == (1, 200)


async def test_a_refused_start_is_an_error_of_both_spans(spans: Spans) -> None:
    async with scene(observers=[spans.observer], coins=0.0) as s:
        with pytest.raises(InsufficientCoinsError):
            await s.a2e.run(FACE_SWAP, **s.swap)

    assert spans.names() == ["face_swap", "submit"]
    for span in spans.named("face_swap", "submit"):
        assert span.attributes["error.type"] == "InsufficientCoinsError"
        assert span.status.status_code is trace.StatusCode.ERROR
        assert not span.status.description


async def test_a_failed_task_is_an_error(spans: Spans) -> None:
    async with scene(observers=[spans.observer]) as s:
        with pytest.raises(TaskFailedError):
            await s.a2e.run(FACE_SWAP, **s.swap | {"name": "fail:because"})

    (task,) = spans.named("face_swap")
    assert (task.attributes["a2e.task.state"], task.attributes["error.type"]) == ("failed", "TaskFailedError")
    assert task.status.status_code is trace.StatusCode.ERROR


async def test_a_wait_that_is_given_up_ends_the_span_and_a_later_one_is_linked_to_it(spans: Spans) -> None:
    async with scene(observers=[spans.observer], clock="stepped") as s:
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        with pytest.raises(TaskTimeoutError):
            await s.a2e.watch(task, deadline=0.3)
        waiting = asyncio.ensure_future(s.a2e.watch(task)._result())
        await asyncio.sleep(0.2)
        waiting.cancel()
        await asyncio.wait([waiting])

    first, second = spans.named("face_swap")
    assert first.attributes["error.type"] == "TaskTimeoutError"
    assert first.status.status_code is trace.StatusCode.ERROR
    assert [link.context.span_id for link in second.links] == [first.context.span_id]
    assert second.attributes["error.type"] == "CancelledError"
    assert second.status.status_code is trace.StatusCode.UNSET
    assert {first.attributes["a2e.task.state"], second.attributes["a2e.task.state"]} == {"queued"}


async def test_several_waits_for_one_task_share_its_span(spans: Spans) -> None:
    async with scene(observers=[spans.observer]) as s:
        task = await s.a2e.face_swap.tasks.add(**s.swap)
        await asyncio.gather(s.a2e.watch(task), s.a2e.watch(FACE_SWAP, task.id))
        assert spans.names().count("face_swap") == spans.names().count("submit") == 1


async def test_a_batch_is_below_its_caller_and_its_jobs_do_not_mix(spans: Spans, tmp_path: Path) -> None:
    async with scene(observers=[spans.observer]) as s:
        with spans.provider.get_tracer("app").start_as_current_span("order") as order:
            async with s.a2e.batch(FACE_SWAP, out=str(tmp_path / "{key}.mp4")) as batch:
                done = [o async for o in batch.run([s.swap | {"name": f"n{n}"} for n in range(5)])]

    tasks = spans.named("face_swap")
    assert {span.attributes["a2e.task.id"] for span in tasks} == {o.task.id for o in done}
    assert {span.parent.span_id for span in tasks} == {order.get_span_context().span_id}
    for name in ("submit", "download"):
        assert {span.parent.span_id for span in spans.named(name)} == {span.context.span_id for span in tasks}


async def test_tasks_that_nobody_waits_for_are_bounded_and_ended_at_last(
    spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opentelemetry, "REMEMBERED", 2)
    async with scene(observers=[spans.observer], clock="stepped") as s:
        for _ in range(5):
            await s.a2e.face_swap.tasks.add(**s.swap)
        assert len(spans.named("face_swap")) == 3
        spans.observer.close()
    assert len(spans.named("face_swap")) == 5
    assert len(spans.observer._ended) == 2


async def test_the_service_is_told_of_no_trace(spans: Spans) -> None:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"code": 1}, status=400)

    async with host(refuse, observers=[spans.observer], retry=RetryPolicy(attempts=1)) as (_, seen, a2e):
        with spans.provider.get_tracer("app").start_as_current_span("order"), pytest.raises(Exception, match="400"):
            await a2e.face_swap.tasks.add(name="n", face_url="https://x.y/f.jpg", video_url="https://x.y/v.mp4")

    assert not {"traceparent", "tracestate", "baggage"} & {name.lower() for name in seen[0].headers}
