"""Metrics for Prometheus: requests, brakes, tasks, waits, coins, transfers."""

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
except ImportError as error:
    raise ImportError("metrics need prometheus-client: pip install 'a2e-async[prometheus]'") from error

from a2e_async.observer import Braked, Event, Moved, RequestEnded, SubmitEnded, TransferEnded, WaitBegan, WaitEnded
from a2e_async.tasks import TaskState

LONG = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
"""Upper bounds in seconds, for what takes as long as a video does."""
REMEMBERED = 10_000
"""Tasks of which it is remembered what they were charged, until they are seen to end; the oldest are forgotten."""


class Metrics:
    """An observer of sessions: ``A2ESession(observers=[Metrics()])``. One serves all sessions of a process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"a2e_{name}", text, labels, registry=registry)

        self._requests = counter("requests", "Requests by row of the API and outcome.", "endpoint", "outcome")
        self._request_seconds = Histogram(
            "a2e_request_seconds", "From a request's leaving to its answer.", ["endpoint"], registry=registry
        )
        self._brakes = counter("brakes", "Answers that asked for a pause.")
        self._submissions = counter("submissions", "Tasks started, or not, by outcome.", "kind", "outcome")
        self._task_seconds = Histogram(
            "a2e_task_seconds", "From a task's start to its end.", ["kind", "state"], buckets=LONG, registry=registry
        )
        self._wait_seconds = Histogram(
            "a2e_wait_seconds", "How long somebody waited.", ["kind", "outcome"], buckets=LONG, registry=registry
        )
        self._waits = Gauge("a2e_waits_in_progress", "Waits for tasks under way.", ["kind"], registry=registry)
        self._charged = counter("coins_charged", "Coins charged, as told when tasks are started.", "kind")
        self._refunded = counter("coins_refunded", "Coins given back for tasks that failed or cost less.", "kind")
        self._bytes = counter("transfer_bytes", "Bytes of files moved.", "direction")
        self._transfers = counter("transfers", "Files moved, or not, by outcome.", "direction", "outcome")
        self._started: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        """Count an event."""
        match event:
            case RequestEnded(endpoint=endpoint, seconds=seconds, error=error):
                self._requests.labels(endpoint, error or "ok").inc()
                self._request_seconds.labels(endpoint).observe(seconds)
            case Braked():
                self._brakes.inc()
            case SubmitEnded(kind=kind, coins=coins, error=error):
                self._submissions.labels(kind, error or "ok").inc()
                if not error:
                    self._charge(event, coins or 0.0)
            case WaitBegan(kind=kind):
                self._waits.labels(kind).inc()
            case WaitEnded(kind=kind, seconds=seconds, error=error):
                self._waits.labels(kind).dec()
                self._wait_seconds.labels(kind, error or "ok").observe(seconds)
            case Moved(kind=kind, state=state, seconds=seconds, previous=previous) if state.final:
                if previous is not None:  # or it was over before anybody looked
                    self._task_seconds.labels(kind, state.value).observe(seconds)
                self._settle(event)
            case TransferEnded(direction=direction, done=done, error=error):
                self._bytes.labels(direction).inc(done)
                self._transfers.labels(direction, error or "ok").inc()
            case _:
                pass

    def _charge(self, event: SubmitEnded, coins: float) -> None:
        self._charged.labels(event.kind).inc(coins)
        self._started[event.task_id] = coins
        if len(self._started) > REMEMBERED:
            del self._started[next(iter(self._started))]

    def _settle(self, event: Moved) -> None:
        paid = self._started.pop(event.task_id, None)
        if paid is None:
            return  # started elsewhere, and counted there
        cost = 0.0 if event.state is TaskState.FAILED else paid if event.coins is None else event.coins
        self._charged.labels(event.kind).inc(max(0.0, cost - paid))
        self._refunded.labels(event.kind).inc(max(0.0, paid - cost))
