"""What becomes of tasks at the service when whoever started them goes away."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Literal

import anyio

from a2e_async._endpoint import Caller
from a2e_async._wire import ById
from a2e_async.errors import A2EError, RequestError
from a2e_async.tasks import TaskKind, TaskState, about, log

OnCancel = Literal["detach", "remove"]
"""``detach`` leaves tasks alone; ``remove`` takes back those that are still queued, which the service refunds."""

PARTING = 5.0
"""Seconds that whoever is cancelled may still take to remove what is queued."""
FAREWELL = 2.0
"""Seconds that a paid request under way is given to be answered, so that its task is known."""
_AT_ONCE = 8


def checked(on_cancel: OnCancel) -> OnCancel:
    """Raise RequestError for what is no such policy."""
    if on_cancel not in {"detach", "remove"}:
        raise RequestError(f"takes 'detach' and 'remove', not {on_cancel!r}.", field="on_cancel")
    return on_cancel


async def take_back(
    caller: Caller,
    kind: TaskKind[..., Any],
    ids: Iterable[str],
    gone: Callable[[str], Awaitable[None]],
    seconds: float | None = None,
) -> None:
    """Remove the tasks that are still queued, for so many ``seconds``, and tell ``gone`` of each; all are logged.

    Cancelling this may leave unknown what was removed.
    """
    left = dict.fromkeys(ids)
    rest = iter(tuple(left))

    async def work() -> None:
        for task_id in rest:
            reason = await _remove(caller, kind, task_id)
            del left[task_id]
            if reason:
                log.info("Left %s %s: %s.", kind.name, task_id, reason, extra=about(kind, task_id))
            else:
                extra = about(kind, task_id) | {"a2e_state": "removed"}
                log.info("Took back %s %s, which was still queued.", kind.name, task_id, extra=extra)
                await gone(task_id)

    try:
        with anyio.move_on_after(seconds):
            await asyncio.gather(*(work() for _ in range(min(_AT_ONCE, len(left)))))
    finally:
        for task_id in left:
            extra = about(kind, task_id)
            log.info("Left %s %s: the service did not answer in time.", kind.name, task_id, extra=extra)


async def _remove(caller: Caller, kind: TaskKind[..., Any], task_id: str) -> str:
    """Return why it was not removed."""
    if kind.remove is None or kind.detail is None:
        return "its kind cannot be taken back"
    try:
        # One that has ended would lose its result, and not be refunded.
        task = await caller.call(kind.detail, ById(id=task_id))
        if task.state is not TaskState.QUEUED:
            return f"it is {task.state}"
        await caller.call(kind.remove, ById(id=task_id))
    except A2EError as error:
        return f"it could not be taken back ({type(error).__name__})"
    return ""
