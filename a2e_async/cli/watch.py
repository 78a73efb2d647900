"""`a2e watch`."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from a2e_async._saying import say
from a2e_async.cli._inputs import kind_named
from a2e_async.cli._terminal import FAILED, complain, give, if_interrupted, resumption
from a2e_async.errors import NotFoundError, TaskTimeoutError
from a2e_async.session import A2ESession
from a2e_async.tasks import Task, TaskKind, TaskState
from a2e_async.watcher import Transition, failure


async def run(*, kind: str, ids: list[str], as_json: bool) -> int:
    """Follow all tasks at once, each to its end."""
    chosen = kind_named(kind, "KIND")
    left = dict.fromkeys(ids)
    ends: list[bool] = []
    async with A2ESession() as a2e:

        async def follow(task_id: str) -> None:
            ends.append(await _follow(a2e, chosen, task_id, as_json=as_json))
            del left[task_id]

        with if_interrupted(lambda: resumption(kind, left)):
            try:
                async with asyncio.TaskGroup() as group:
                    for task_id in tuple(left):
                        group.create_task(follow(task_id))
            except ExceptionGroup as broken:
                # What is not about one task, such as a wrong key, is the same for all of them.
                raise broken.exceptions[0] from None
    return 0 if all(ends) else FAILED


async def _follow(a2e: A2ESession, kind: TaskKind[..., Task], task_id: str, *, as_json: bool) -> bool:
    state = None
    try:
        async for change in a2e.watch(kind, task_id):
            state = change.state
            if as_json:
                error = failure(kind, change.task).message if state is TaskState.FAILED else None
                give(_record(kind, task_id, change.previous, state, task=change.task, error=error))
            else:
                _tell(kind, change)
    except (NotFoundError, TaskTimeoutError) as error:
        complain(error)
        if as_json:
            give(_record(kind, task_id, state, None, error=str(error)))
    return state is TaskState.DONE


def _tell(kind: TaskKind[..., Task], change: Transition[Task]) -> None:
    task = change.task
    say(f"{task.id} " + (f"{change.previous} -> " if change.previous else "") + change.state)
    if change.state is TaskState.DONE:
        give(f"{task.id} done {task.result_url or ''}".rstrip())
    elif change.state is TaskState.FAILED:
        give(f"{task.id} failed {failure(kind, task).message}")


def _record(  # noqa: PLR0913 - the members of one JSON object
    kind: TaskKind[..., Task],
    task_id: str,
    previous: TaskState | None,
    state: TaskState | None,
    *,
    task: Task | None = None,
    error: str | None = None,
) -> dict[str, Any]:
    return {
        "kind": kind.name,
        "id": task_id,
        "previous": previous,
        "state": state,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "result_url": (task.result_url or None) if task else None,
        "coins": task.coins if task else None,
        "error": error,
    }
