"""Metrics for Prometheus: requests, brakes, tasks, waits, coins, transfers; jobs and workers of several machines."""

import asyncio
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

try:
    from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
    from prometheus_client.core import GaugeMetricFamily
    from prometheus_client.registry import Collector
except ImportError as error:
    raise ImportError("metrics need prometheus-client: pip install 'a2e-async[prometheus]'") from error

from a2e_async._secret import Secret
from a2e_async.errors import JournalError
from a2e_async.observer import Braked, Event, Moved, RequestEnded, SubmitEnded, TransferEnded, WaitBegan, WaitEnded
from a2e_async.tasks import TaskState

if TYPE_CHECKING:
    from a2e_async.integrations._operations import Standing

log = logging.getLogger("a2e_async.postgres")
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


class SharedMetrics(Collector):
    """How what several machines share stands, read from their database at each scrape: one process of them tells it.

    ``SharedMetrics("postgresql://...")`` registers itself. While the database cannot be read, ``a2e_database_up`` is 0
    and the others are left out.
    """

    def __init__(self, dsn: str, registry: CollectorRegistry = REGISTRY) -> None:
        self._dsn = Secret(dsn)
        registry.register(self)

    def describe(self) -> list[GaugeMetricFamily]:
        """Return nothing, so that the database need not be there yet."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the database, and yield each metric."""
        from a2e_async.integrations._operations import read_status  # noqa: PLC0415 - of another extra

        up = _gauge("database_up", "Whether the database that machines share can be read.")
        try:
            # Whoever scrapes may have a loop running already.
            with ThreadPoolExecutor(1) as thread:
                status = thread.submit(lambda: asyncio.run(read_status(self._dsn))).result()
        except JournalError as error:
            log.warning("No metrics of what machines share: %s", error)
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        for name, text, value in (
            ("workers", "Workers whose heartbeat was seen lately.", status.workers),
            ("queue_waiting", "Jobs in the queue that no worker has taken up.", status.waiting),
            ("queue_running", "Jobs that a worker has taken up.", status.running),
            ("brake_seconds", "Seconds for which nobody sends, as the service asked.", status.brake),
        ):
            yield GaugeMetricFamily(f"a2e_{name}", text, value)
        yield from _of_batches(status.batches)


def _of_batches(batches: "list[Standing]") -> Iterator[GaugeMetricFamily]:
    jobs = _gauge("jobs", "Jobs by how far they have come.", "kind", "batch", "phase")
    dead = _gauge("jobs_dead", "Jobs that go no further by themselves.", "kind", "batch")
    coins = _gauge("batch_coins", "Coins spent, and set aside for what is not certain.", "kind", "batch")
    oldest = _gauge("oldest_open_job_seconds", "Age of the oldest job without an end.", "kind", "batch")
    for one in batches:
        labels = [one.kind, one.name]
        for phase, count in one.counts.items():
            jobs.add_metric([*labels, phase], count)
        dead.add_metric(labels, one.dead)
        coins.add_metric(labels, one.coins)
        oldest.add_metric(labels, one.oldest or 0.0)
    yield from (jobs, dead, coins, oldest)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"a2e_{name}", text, labels=labels)
