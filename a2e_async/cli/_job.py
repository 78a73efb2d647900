"""What every command that makes something does: start a job, tell its states, save its result."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from a2e_async._wire import Request
from a2e_async.cli._terminal import check_writable, give, if_interrupted, number, resumable, say
from a2e_async.session import A2ESession
from a2e_async.tasks import Task, TaskKind

TaskT = TypeVar("TaskT", bound=Task)


async def make(kind: TaskKind[..., TaskT], request: Request, *, out: str, deadline: float | None, as_json: bool) -> int:
    """Start a job, wait, save; the place of the result is looked into before anything is spent."""
    target = place(out)
    async with A2ESession() as a2e:
        return await deliver(a2e, kind, request, target=target, deadline=deadline, as_json=as_json)


def place(out: str) -> Path:
    """Return where the result goes; raise ConfigError if nothing can be written there."""
    path = Path(out)
    check_writable(path if path.is_dir() else path.parent)
    return path


async def deliver(  # noqa: PLR0913 - a job, and what to do with it
    a2e: A2ESession,
    kind: TaskKind[..., TaskT],
    request: Request,
    *,
    target: Path,
    deadline: float | None,
    as_json: bool,
) -> int:
    """Start a job, wait, save."""
    async with followed(a2e, kind, request, deadline) as task:
        path = await a2e.files.save(task, target)
    say(f"{task.id} saved{cost(task)}")
    give({"id": task.id, "path": str(path), "coins": task.coins} if as_json else str(path))
    return 0


@asynccontextmanager
async def followed(
    a2e: A2ESession, kind: TaskKind[..., TaskT], request: Request, deadline: float | None
) -> AsyncGenerator[TaskT]:
    """Start a job and follow it; the block gets it done. What ends any of this early says how to go on."""
    with if_interrupted(lambda: f"The job may have started.{_where(kind)}"):
        task = await a2e.call(kind.start, request)
    with resumable(kind.name, [task.id]):
        watcher = a2e.watch(task, deadline=deadline)
        async for change in watcher:
            say(f"{task.id} {change.state}")
        yield await watcher


def cost(task: Task) -> str:
    """Say what a job cost, where that is known."""
    return "" if task.coins is None else f"; it cost {number(task.coins)} coins"


def _where(kind: TaskKind[..., TaskT]) -> str:
    return f" To look: a2e call {kind.records.noun}.{kind.records.name}" if kind.records else ""
