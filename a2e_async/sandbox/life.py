"""A task's life: its state follows from its record and the time alone, so nothing has to run for it."""

from pathlib import Path
from typing import NamedTuple

import msgspec

from a2e_async.sandbox.draws import between

QUICK, USUAL = (4.0, 10.0), (20.0, 60.0)
"""Shortest and longest run in seconds of account time; the one documented face swap took 36 s."""


class Phases(NamedTuple):
    """When a task enters each word after `initialized`, in milliseconds since 1970."""

    sent: int
    pending: int
    processing: int
    ends: int


class Task(msgspec.Struct, frozen=True):
    """A task as stored; times are milliseconds of its account's clock, `failure` its fate from the start."""

    id: str
    account: int
    noun: str
    ordinal: int
    created: int
    sent: int
    pending: int
    processing: int
    ends: int
    failure: str
    coins: float
    fields: str
    inputs: str
    suffix: str

    def state(self, now: int) -> str:
        """Return the wire word for this moment."""
        if now >= self.ends:
            return "failed" if self.failure else "completed"
        if now >= self.processing:
            return "processing"
        if now >= self.pending:
            return "pending"
        return "sent" if now >= self.sent else "initialized"

    def changed(self, now: int) -> int:
        """Return when the task took on its present state."""
        marks = (self.created, self.sent, self.pending, self.processing, self.ends)
        return max(mark for mark in marks if mark <= now or mark == self.created)

    def wire_fields(self) -> dict[str, object]:
        """Return the fields of its start that its record repeats."""
        return msgspec.json.decode(self.fields, type=dict[str, object])

    def input_files(self) -> list[Path]:
        """Return the files its result is made of."""
        return [Path(name) for name in msgspec.json.decode(self.inputs, type=list[str])]


def phases(created: int, span: tuple[float, float], *who: object) -> Phases:
    """Draw the phases of a task: most of its life is processing; span is in seconds."""
    sent = created + round(between(300, 900, *who, "initialized"))
    pending = sent + round(between(200, 600, *who, "sent"))
    processing = pending + round(between(200, 900, *who, "pending"))
    return Phases(sent, pending, processing, created + round(1000 * between(*span, *who, "run")))
