"""Turns what a session tells into what progress shows: single rows while there are few, counts beyond."""

import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import msgspec

from a2e_async._progress import Pace, progress, span
from a2e_async._saying import Counts, Row, Rows
from a2e_async._telling import Teller
from a2e_async.observer import (
    Event,
    Moved,
    SubmitBegan,
    SubmitEnded,
    TransferBegan,
    TransferEnded,
    TransferMoved,
    WaitBegan,
    WaitEnded,
)
from a2e_async.tasks import TaskState

FEW = 12
"""Rows at the most."""


class _Thing(msgspec.Struct):
    label: str
    word: str
    kind: str = ""
    began: float = msgspec.field(default_factory=time.monotonic)
    ended: float = 0.0
    done: int = 0
    size: int | None = None


@asynccontextmanager
async def following(teller: Teller, usual: Callable[[str], float], total: int | None) -> AsyncGenerator[None]:
    """Show what a session does while the block runs; ``usual`` tells how long a kind takes, 0 where it is not known."""
    follower = Follower(usual, total)
    with teller.observed_by(follower):
        async with progress(follower.counts, total, follower.note, follower.rows, redirect=True):
            yield


class Follower:
    """An observer that keeps in mind how things stand."""

    def __init__(self, usual: Callable[[str], float], total: int | None) -> None:
        self._usual, self._total = usual, total
        self._things: dict[int | str, _Thing] | None = {}
        self._states: dict[str, TaskState | None] = {}
        self._ends = Counter[str]()
        self._submitting: set[int] = set()
        self._transfers = self._saved = 0
        self._coins = 0.0
        self._pace = Pace()

    def __call__(self, event: Event) -> None:
        """Take an event."""
        match event:
            case SubmitBegan():
                self._submitting.add(event.number)
                self._see(event.number, event.kind, "submitting")
            case SubmitEnded():
                self._submitted(event)
            case WaitBegan() | Moved():
                self._stand(event.kind, event.task_id, event.state)
            case WaitEnded() if event.error:
                self._finish(event.task_id, "left")
            case TransferBegan():
                self._transfers += 1
                label = f"{event.direction} {event.task_id or self._transfers}"
                self._see(event.number, label, "under way", size=event.size)
            case TransferMoved():
                self._transfer(event.number, event.done, event.size)
            case TransferEnded():
                self._saved += event.direction == "download" and not event.error
                self._finish(event.number, "failed" if event.error else "done")
            case _:
                pass

    def counts(self) -> Counts:
        """Return the tasks by state; odd ones only where there are any."""
        known = Counter(state.value if state else "unknown" for state in self._states.values()) + self._ends
        counts = {"submitting": len(self._submitting)} | {w: known[w] for w in ("queued", "running", "done", "failed")}
        odd = {"unknown": known["unknown"]} if known["unknown"] else {}
        return counts | odd | ({"saved": self._saved} if self._saved else {})

    def rows(self) -> Rows:
        """Return what is under way or was, one by one; nothing as soon as that is too much."""
        return [] if self._things is None else [self._row(thing) for thing in self._things.values()]

    def note(self) -> str:
        """Return the coins, and how fast it goes."""
        ended = self._ends.total()
        left = None if self._total is None else self._total - ended
        coins = f"{self._coins:g} coins" if self._coins else ""
        return ", ".join(filter(None, [coins, self._pace.text(ended, left)]))

    def _row(self, thing: _Thing) -> Row:
        seconds = (thing.ended or time.monotonic()) - thing.began
        if thing.size is not None or thing.done:
            unit, name, digits = (1e6, "MB", 1) if (thing.size or thing.done) >= 1e6 else (1e3, "kB", 0)
            size = f" of {thing.size / unit:.{digits}f}" if thing.size else ""
            part = thing.done / thing.size if thing.size else None
            return Row(thing.label, thing.word, f"{thing.done / unit:.{digits}f}{size} {name}", part)
        usual = self._usual(thing.kind) if thing.kind and not thing.ended else 0.0
        text = f"{span(seconds)}, usually {span(usual)}" if usual else span(seconds)
        part = 1.0 if thing.word == "done" else min(seconds / usual, 0.99) if usual else None
        return Row(thing.label, thing.word, text, part)

    def _see(self, key: int | str, label: str, word: str, kind: str = "", size: int | None = None) -> None:
        if self._things is None:
            return
        self._things[key] = _Thing(label, word, kind, size=size)
        if len(self._things) > FEW:
            self._things = None

    def _finish(self, key: int | str, word: str) -> None:
        thing = (self._things or {}).get(key)
        if thing is not None and not thing.ended:
            thing.word, thing.ended = word, time.monotonic()

    def _transfer(self, number: int, done: int, size: int | None) -> None:
        thing = (self._things or {}).get(number)
        if thing is not None:
            thing.done, thing.size = done, size

    def _submitted(self, event: SubmitEnded) -> None:
        self._submitting.discard(event.number)
        self._coins += event.coins or 0.0
        if event.error:
            self._ends["failed"] += 1
            self._finish(event.number, "failed")
            return
        if self._things is not None:
            self._things.pop(event.number, None)
        self._stand(event.kind, event.task_id, event.state)

    def _stand(self, kind: str, task_id: str, state: TaskState | None) -> None:
        word, final = (state.value, state.final) if state else ("waiting", False)
        if final:
            self._states.pop(task_id, None)
            self._ends[word] += 1
        else:
            self._states[task_id] = state
        thing = (self._things or {}).get(task_id)
        if thing is None:
            self._see(task_id, f"{kind} {task_id}", word, kind)
        else:
            thing.word, thing.ended = word, 0.0
        if final:
            self._finish(task_id, word)
