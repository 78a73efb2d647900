"""Results: made when first asked for, kept, and gone some days after the task ended."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal, TypeAlias

import anyio
import anyio.to_thread
from yarl import URL

from a2e_async.sandbox.flight import SingleFlight
from a2e_async.sandbox.life import Task
from a2e_async.sandbox.objects import Objects

LIFETIME = 3 * 24 * 3600 * 1000
"""How long a result can be fetched, in milliseconds of its account's clock."""

How: TypeAlias = Literal["rendered", "passthrough"]
_WAYS: tuple[How, How] = ("rendered", "passthrough")
Render: TypeAlias = Callable[[Task, Path], How]

RENDERERS: dict[str, Render] = {}
"""How the result of a noun's task is made, at an output path; its id is what labels it."""
LIFETIMES: dict[str, int] = {}
"""Of the nouns whose results can be fetched for another time than LIFETIME."""


def expiry(task: Task) -> int:
    """Return when a task's results are gone, in milliseconds of its account's clock."""
    return task.ends + LIFETIMES.get(task.noun, LIFETIME)


def task_id(name: str) -> str:
    """Return the id of the task that a result of that name, without its suffix, belongs to."""
    return name.partition("-")[0]


class Results:
    """The files behind result URLs; two are rendered at a time, each once."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._flight: SingleFlight[tuple[Path, How]] = SingleFlight()
        self._limit = anyio.CapacityLimiter(2)

    def url(self, base: URL, task: Task, part: str = "") -> str:
        """Return the signed URL of a finished task's result, on the host the caller used.

        A task with several results tells them apart by a word, which is joined to its id by a dash.
        """
        name = f"{task.id}-{part}" if part else task.id
        path, expires = f"/results/{name}.{task.suffix}", str(expiry(task) // 1000)
        signature = self._objects.signature(path, {"expires": expires})
        # Nothing in it needs quoting, and yarl would take longer than all the rest of a record.
        return f"{base.scheme}://{base.raw_authority}{path}?expires={expires}&sig={signature}"

    async def file(self, task: Task) -> tuple[Path, How]:
        """Return the result of a task and whether it was rendered or is the input unchanged.

        One of several is asked for with the task under that result's name.
        """
        for how in _WAYS:
            if (path := self._kept(task, how)).exists():
                return path, how
        return await self._flight.run(task.id, lambda: self._make(task))

    async def aclose(self) -> None:
        """Wait for what is being rendered: a thread cannot be stopped."""
        await self._flight.aclose()

    async def _make(self, task: Task) -> tuple[Path, How]:
        part = self._objects.scratch(f".{task.suffix}")
        try:
            how = await anyio.to_thread.run_sync(RENDERERS[task.noun], task, part, limiter=self._limit)
            return part.replace(self._kept(task, how)), how
        finally:
            part.unlink(missing_ok=True)

    def _kept(self, task: Task, how: How) -> Path:
        return self._objects.root / "results" / f"{task.id}.{how}.{task.suffix}"
