"""What `a2e batch` and `a2e batch resume` share: outcomes to stdout, progress to stderr, and how to go on."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypedDict

from a2e_async._parting import OnCancel
from a2e_async._progress import Pace, progress, span
from a2e_async._saying import Counts, say
from a2e_async.batch import Batch
from a2e_async.cli._terminal import FAILED, STOPPED, check_writable, complain, line, number, one_line
from a2e_async.errors import A2EError
from a2e_async.outcomes import Outcome
from a2e_async.tasks import Task, TaskState


class Settings(TypedDict):
    """The options that both take, as the session's `batch` has them."""

    out: str | None
    max_coins: float | None
    max_in_flight: int
    rate: float | None
    deadline: float | None
    on_cancel: OnCancel
    max_failed: float | None
    rekey: bool


class Tally:
    """How a batch stands, in the words of progress and of the last line."""

    def __init__(self, batch: Batch[Task], total: int | None, *, saves: bool) -> None:
        self._batch, self._total, self._saves = batch, total, saves
        self._began, self._before = time.monotonic(), batch.status().coins
        self._pace = Pace()
        self._known = 0
        self.bad = False
        """Some job is not done, or its result not saved."""

    def add(self, outcome: Outcome[Task]) -> None:
        """Count an outcome."""
        self._known += outcome.known
        self.bad = self.bad or outcome.state is not TaskState.DONE or outcome.error is not None

    def counts(self) -> Counts:
        """Return the jobs by state; odd states only where there are any."""
        status = self._batch.status()
        counts = {name: getattr(status, name) for name in ("submitting", "queued", "running", "done", "failed")}
        odd = {"uncertain": status.uncertain, "unknown": status.unknown}
        saved = {"saved": status.saved} if self._saves else {}
        return counts | {name: count for name, count in odd.items() if count} | saved

    def note(self) -> str:
        """Return the coins, and how fast it goes; what was known from before says nothing about that."""
        status = self._batch.status()
        left = None if self._total is None else self._total - status.ended
        coins = f"{number(status.coins - self._before)} coins"
        return ", ".join(filter(None, [coins, self._pace.text(status.ended - self._known, left)]))

    @property
    def open(self) -> int:
        """Jobs without an end: under way, or known not to be taken up."""
        status = self._batch.status()
        begun = status.total - status.done - status.failed - status.uncertain
        return begun + max(0, (self._total or 0) - status.total)

    def summary(self) -> str:
        """Return the last line."""
        status = self._batch.status()
        ends = {"done": status.done, "failed": status.failed, "uncertain": status.uncertain, "open": self.open}
        jobs = ", ".join(f"{count} {name}" for name, count in ends.items() if count) or "no jobs"
        known = f" ({self._known} known from before)" if self._known else ""
        now, ever = status.coins - self._before, status.coins
        coins = f"{number(now)} coins" + (f", {number(ever)} with earlier runs" if ever != now else "")
        return f"a2e: {jobs}{known}; {coins}; {span(time.monotonic() - self._began)}"


async def pursue(  # noqa: PLR0913 - a batch, and what to tell of it
    batch: Batch[Task],
    outcomes: AsyncGenerator[Outcome[Task]],
    *,
    total: int | None,
    saves: bool,
    go_on: str,
    as_json: bool,
) -> int:
    """Tell the outcomes as they come, and return the exit code; `go_on` is said if something is left to do."""
    async with batch:
        tally, whole = Tally(batch, total, saves=saves), False
        try:
            async with progress(tally.counts, total, tally.note) as display, aclosing(outcomes):
                async for outcome in outcomes:
                    tally.add(outcome)
                    display.give(line(_record(outcome) if as_json else _text(outcome)))
            whole = True
        except asyncio.CancelledError:
            say("a2e: interrupted.")
            raise
        except A2EError as error:
            complain(error)
            return STOPPED
        finally:
            if batch.removed:
                say(f"a2e: taken back, as still queued: {len(batch.removed)}")
            say(tally.summary())
            if tally.open or not whole:
                say(go_on)
    return FAILED if tally.bad else 0


def check_place(out: str | None) -> None:
    """Raise ConfigError if results cannot be put where a pattern says."""
    if out is not None:
        check_writable(next(folder for folder in Path(out).parents if "{" not in str(folder)))


def _record(outcome: Outcome[Task]) -> dict[str, Any]:
    return {
        "key": outcome.key,
        "state": outcome.state,
        "id": outcome.task.id if outcome.task else None,
        "coins": outcome.coins,
        "path": str(outcome.path) if outcome.path else None,
        "error": str(outcome.error) if outcome.error else None,
        "known": outcome.known,
        "seconds": round(outcome.seconds, 3),
        "result_url": (outcome.task.result_url or None) if outcome.task else None,
        "twins": outcome.twins,
    }


def _text(outcome: Outcome[Task]) -> str:
    where = outcome.path or (outcome.task.result_url if outcome.task else None) or ""
    return one_line(f"{outcome.key} {outcome.state} {outcome.error or where}")
