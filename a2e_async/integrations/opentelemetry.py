"""One span for each task, with children for its submission, its time in the queue, its run and its download."""

import time
from contextvars import Token
from itertools import islice

import msgspec

try:
    from opentelemetry import context, trace
    from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanKind, Status, StatusCode
except ImportError as error:
    raise ImportError("spans need opentelemetry-api: pip install 'a2e-async[otel]'") from error

from a2e_async._version import __version__
from a2e_async.observer import (
    Braked,
    Event,
    Moved,
    RequestEnded,
    SubmitBegan,
    SubmitEnded,
    TransferBegan,
    TransferEnded,
    WaitBegan,
    WaitEnded,
)
from a2e_async.tasks import TaskState

REMEMBERED = 10_000
"""Tasks of which the spans are kept at the most: open ones are ended beyond it, and later downloads are no children."""
_SCHEMA = "https://opentelemetry.io/schemas/1.37.0"


class _Run(msgspec.Struct):
    span: Span
    state: TaskState | None = None
    phase: Span | None = None
    waits: int = 0


class _Step(msgspec.Struct):
    span: Span
    token: Token[context.Context]
    task: Span | None = None


class OpenTelemetry:
    """An observer of sessions: ``A2ESession(observers=[OpenTelemetry()])``.

    A task's span is a child of the span that is current where it is started, or first waited for, and ends when the
    task is seen to end or is given up. ``tracer_provider`` is the global one unless told otherwise. HTTP requests get
    no spans here, and no header tells the service of them: whoever instruments aiohttp finds its spans below these.
    """

    def __init__(self, tracer_provider: trace.TracerProvider | None = None) -> None:
        self._tracer = trace.get_tracer("a2e_async", __version__, tracer_provider, _SCHEMA)
        self._runs: dict[str, _Run] = {}
        self._ended: dict[str, trace.SpanContext] = {}
        self._steps: dict[int, _Step] = {}

    def __call__(self, event: Event) -> None:
        """Take an event."""
        match event:
            case SubmitBegan():
                self._submit(event)
            case SubmitEnded():
                self._submitted(event)
            case RequestEnded() | Braked():
                self._note(event)
            case WaitBegan():
                self._wait(event)
            case Moved():
                self._move(event)
            case WaitEnded():
                self._waited(event)
            case TransferBegan():
                self._transfer(event)
            case TransferEnded():
                self._transferred(event)
            case _:
                pass

    def close(self) -> None:
        """End the spans of tasks that nobody saw end, before the provider is shut down."""
        while self._runs:
            self._end(next(iter(self._runs)))

    def _submit(self, event: SubmitBegan) -> None:
        method, _, path = event.endpoint.partition(" ")
        task = self._open(event.kind, event.server)
        where = {"http.request.method": method, "url.template": path, "server.address": event.server}
        span = self._tracer.start_span("submit", trace.set_span_in_context(task), SpanKind.CLIENT, where)
        self._steps[event.number] = _Step(span, context.attach(trace.set_span_in_context(span)), task)

    def _submitted(self, event: SubmitEnded) -> None:
        step = self._steps.pop(event.number, None)
        if step is None:
            # The request's further tasks: the first has taken its span.
            task = self._open(event.kind, event.server, start=time.time_ns() - int(event.seconds * 1e9))
        else:
            context.detach(step.token)
            task = step.task or step.span
            _close(step.span, event.error, {"http.response.status_code": event.http_status})
        if event.error:
            _close(task, event.error, {"a2e.error.code": event.code or None})
            return
        self._begin(event.task_id, task)
        self._enter(event.task_id, event.state, coins=event.coins)

    def _note(self, event: RequestEnded | Braked) -> None:
        span = trace.get_current_span()
        if not any(span is step.span for step in self._steps.values()):
            return  # readings are shared by all who wait
        if isinstance(event, Braked):
            span.add_event("braked", {"a2e.brake.seconds": event.seconds})
            return
        method, _, path = event.endpoint.partition(" ")
        about = {
            "http.request.method": method,
            "url.template": path,
            "http.response.status_code": event.http_status,
            "http.request.resend_count": event.attempt - 1 or None,
            "error.type": event.error or None,
        }
        span.add_event("request", {name: value for name, value in about.items() if value is not None})

    def _wait(self, event: WaitBegan) -> None:
        if event.task_id not in self._runs:
            before = self._ended.get(event.task_id)
            span = self._open(event.kind, event.server, before)
            self._begin(event.task_id, span)
            self._enter(event.task_id, event.state)
        self._runs[event.task_id].waits += 1

    def _move(self, event: Moved) -> None:
        if event.task_id in self._runs:
            self._enter(event.task_id, event.state, coins=event.coins, code=event.code)

    def _waited(self, event: WaitEnded) -> None:
        run = self._runs.get(event.task_id)
        if run is None:
            return
        run.waits -= 1
        if event.error and not run.waits:
            self._end(event.task_id, event.error)

    def _transfer(self, event: TransferBegan) -> None:
        run, ended = self._runs.get(event.task_id), self._ended.get(event.task_id)
        parent = run.span if run else NonRecordingSpan(ended) if ended else trace.get_current_span()
        span = self._tracer.start_span(event.direction, trace.set_span_in_context(parent))
        self._steps[event.number] = _Step(span, context.attach(trace.set_span_in_context(span)))

    def _transferred(self, event: TransferEnded) -> None:
        step = self._steps.pop(event.number, None)
        if step is not None:
            context.detach(step.token)
            _close(step.span, event.error, {"a2e.transfer.bytes": event.done})

    def _open(self, kind: str, server: str, before: trace.SpanContext | None = None, start: int | None = None) -> Span:
        about = {"gen_ai.provider.name": "a2e", "gen_ai.operation.name": kind, "server.address": server}
        links = [Link(before)] if before else []
        return self._tracer.start_span(kind, None, SpanKind.CLIENT, about, links, start)

    def _begin(self, task_id: str, span: Span) -> None:
        span.set_attribute("a2e.task.id", task_id)
        self._runs[task_id] = _Run(span)
        if len(self._runs) > REMEMBERED:
            self._end(next(iter(self._runs)))

    def _enter(self, task_id: str, state: TaskState | None, *, coins: float | None = None, code: int = 0) -> None:
        run = self._runs[task_id]
        if coins is not None:
            run.span.set_attribute("a2e.task.coins", coins)
        if run.phase is not None:
            if run.state is TaskState.QUEUED and state is TaskState.DONE:
                run.phase.update_name("queued and running")  # no reading fell into the time between
            run.phase.end()
        run.state, run.phase = state, None
        if state is not None and state.final:
            failed = state is TaskState.FAILED
            if code:
                run.span.set_attribute("a2e.error.code", code)
            self._end(task_id, "TaskFailedError" if failed else "")
        elif state is not None:
            run.phase = self._tracer.start_span(state.value, trace.set_span_in_context(run.span))

    def _end(self, task_id: str, error: str = "") -> None:
        run = self._runs.pop(task_id)
        if run.phase is not None:
            run.phase.end()
        _close(run.span, error, {"a2e.task.state": run.state and run.state.value})
        self._ended[task_id] = run.span.get_span_context()
        for old in tuple(islice(self._ended, max(0, len(self._ended) - REMEMBERED))):
            del self._ended[old]


def _close(span: Span, error: str, about: "dict[str, str | int | None]") -> None:
    span.set_attributes({name: value for name, value in about.items() if value is not None})
    if error:
        span.set_attribute("error.type", error)
        if error != "CancelledError":  # whoever cancels has not failed
            span.set_status(Status(StatusCode.ERROR))
    span.end()
