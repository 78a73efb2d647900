"""What every command that makes something does: start a job, tell its states, save its result."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypedDict, TypeVar, Unpack

from a2e_async._parting import OnCancel
from a2e_async._saying import say
from a2e_async._wire import Request
from a2e_async.cli._terminal import check_writable, give, if_interrupted, number, resumption
from a2e_async.errors import A2EError, ModerationError, TaskFailedError
from a2e_async.job import Job
from a2e_async.session import A2ESession
from a2e_async.tasks import Task, TaskKind

TaskT = TypeVar("TaskT", bound=Task)


class Waiting(TypedDict):
    """The options of every command that waits for a task."""

    deadline: float | None
    on_cancel: OnCancel
    as_json: bool


async def make(kind: TaskKind[..., TaskT], request: Request, *, out: str, **waiting: Unpack[Waiting]) -> int:
    """Start a job, wait, save; the place of the result is looked into before anything is spent."""
    target = place(out)
    async with at_work(kind, **waiting) as (_, job):
        return await deliver(job, kind, request, target=target, as_json=waiting["as_json"])


def place(out: str) -> Path:
    """Return where the result goes; raise ConfigError if nothing can be written there."""
    path = Path(out)
    check_writable(path if path.is_dir() else path.parent)
    return path


async def deliver(job: Job, kind: TaskKind[..., TaskT], request: Request, *, target: Path, as_json: bool) -> int:
    """Start a job, wait, save; with several results, the second and further ones are numbered."""
    task = await followed(job, kind, request)
    paths = [str(path) for path in await job.save_all(task, target)]
    say(f"{task.id} saved{cost(task)}")
    if as_json:
        several = {"paths": paths} if len(paths) > 1 else {}
        give({"id": task.id, "path": paths[0], "coins": task.coins, **several})
    else:
        give("\n".join(paths))
    return 0


async def followed(job: Job, kind: TaskKind[..., TaskT], request: Request) -> TaskT:
    """Start a job, tell its states, and return it done."""
    watcher = job.watch(await job.submit(kind, request))
    async for change in watcher:
        say(f"{watcher.task_id} {change.state}")
    return await watcher


@asynccontextmanager
async def at_work(
    kind: TaskKind[..., TaskT], nothing: str = "Nothing was started.", **waiting: Unpack[Waiting]
) -> AsyncGenerator[tuple[A2ESession, Job]]:
    """Open a session and a job; what ends the block early says what became of the task, and how to go on.

    ``nothing`` is said after Ctrl-C, as long as there is no task.
    """
    async with A2ESession() as a2e:
        job = a2e.job(deadline=waiting["deadline"], on_cancel=waiting["on_cancel"])
        try:
            with if_interrupted(lambda: _fate(kind, job) or nothing):
                async with job:
                    yield a2e, job
        except (TaskFailedError, ModerationError):
            raise
        except (A2EError, OSError) as error:
            if ids := [task_id for task_id in job.started if task_id not in job.removed]:
                error.add_note(resumption(kind.name, ids))
            raise


def cost(task: Task) -> str:
    """Say what a job cost, where that is known."""
    return "" if task.coins is None else f"; it cost {number(task.coins)} coins"


def _fate(kind: TaskKind[..., TaskT], job: Job) -> str:
    if job.removed:
        return f"Taken back, as it was still queued: {', '.join(job.removed)}"
    if job.started:
        return resumption(kind.name, job.started)
    if job.doubts:
        look = f" To look: a2e call {kind.records.noun}.{kind.records.name}" if kind.records else ""
        return f"The job may have started.{look}"
    return ""
