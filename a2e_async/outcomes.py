"""What a batch tells: the outcome of each job, and how it stands."""

from datetime import datetime
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from a2e_async.tasks import Task, TaskState, shown

TaskT = TypeVar("TaskT", bound=Task)


class Outcome(msgspec.Struct, Generic[TaskT], frozen=True, kw_only=True, repr_omit_defaults=True):
    """How one job ended. A DONE job has an ``error`` only if its result could not be saved; any other always has."""

    key: str
    """The job's own key; else a hash of its content where there is a journal, its place in the input without."""
    state: TaskState
    """DONE; FAILED (refused, or given up by the service); UNCERTAIN; else where the task stood when last seen."""
    task: TaskT | None = None
    """The task as last read; None if it never started."""
    error: Exception | None = None
    coins: float = 0.0
    """Coins that the task cost; 0 where it failed."""
    path: Path | None = None
    """Where the result was saved."""
    known: bool = False
    """The journal had this end from before: nothing was paid for it now."""
    twins: tuple[str, ...] = ()
    """Ids of further tasks that one submission became, which the service charged too: tell its support."""
    seconds: float = 0.0
    """From taking up the job to its outcome."""
    submitted_at: datetime | None = None
    """When it was sent, UTC; None if it never was."""

    def _repr_html_(self) -> str:
        from a2e_async._html import told  # noqa: PLC0415 - notebooks alone need it

        known = self.error is None or (self.task is not None and bool(self.task.error))
        error = "" if known else f"{type(self.error).__name__}: {self.error}"
        below = "" if self.task is None else shown(self.task)
        return told(self.key, self.state, error=error, path=self.path, below=below)


class BatchStatus(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """How a batch stands: jobs taken up so far, by state, and coins."""

    submitting: int = 0
    """Being checked, uploaded or sent."""
    queued: int = 0
    """With the service, not begun."""
    running: int = 0
    """Being worked on."""
    done: int = 0
    failed: int = 0
    """Refused, or given up by the service."""
    uncertain: int = 0
    """Sent, and nobody knows what became of them."""
    unknown: int = 0
    """In a state that is not documented."""
    saved: int = 0
    """Results on disk."""
    coins: float = 0.0
    """Coins spent, earlier runs of the same journal included, and those of submissions in doubt."""

    def _repr_html_(self) -> str:
        from a2e_async._html import table  # noqa: PLC0415 - notebooks alone need it

        return table({name: getattr(self, name) for name in self.__struct_fields__ if getattr(self, name)})

    @property
    def total(self) -> int:
        """Jobs taken up so far."""
        return sum((self.submitting, self.queued, self.running, self.ended))

    @property
    def ended(self) -> int:
        """Jobs that have an outcome."""
        return sum((self.done, self.failed, self.uncertain, self.unknown))
