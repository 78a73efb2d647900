"""A watcher's transitions as Server-Sent Events. Knows no framework."""

import asyncio
import signal
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec

from a2e_async._surely import outlast
from a2e_async._wire import url_problem
from a2e_async.errors import A2EError
from a2e_async.integrations._problems import problem, reported
from a2e_async.tasks import Task, TaskState, kind_of
from a2e_async.watcher import TaskWatcher, Transition, failure

MEDIA_TYPE = "text/event-stream"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Neither caches nor nginx are to hold events back."""
HEARTBEAT = 15.0
"""Seconds: proxies cut lines that are silent for thirty or sixty."""
_LOOK = 1.0
"""Seconds between two looks whether anybody still listens."""

_END = "end"
_OPENING = b"retry: 2000\n\n"
_PING = b": ping\n\n"
# Ids tell what was told, and nothing of this process: a browser goes on where it was, also after a restart. An unknown
# state has none, so that going on from it is going on from the last one known.
_IDS = {str(state): state for state in (TaskState.QUEUED, TaskState.RUNNING, TaskState.DONE, TaskState.FAILED)}


def is_over(last_event_id: str) -> bool:
    """Return whether all was told: then HTTP 204 is the answer that keeps a browser from asking again."""
    return last_event_id == _END


def is_stopping() -> bool:
    """Return whether uvicorn was told to stop: it waits for open answers, and no message of ASGI's tells them."""
    server = getattr(signal.getsignal(signal.SIGINT), "__self__", None)
    return getattr(server, "should_exit", None) is True


async def events(
    watcher: TaskWatcher[Any],
    last_event_id: str = "",
    *,
    heartbeat: float = HEARTBEAT,
    gone: Callable[[], bool] = is_stopping,
) -> AsyncGenerator[bytes]:
    """Yield what to send: `state` for each transition, `problem` if the watch cannot go on, `end` in the end.

    Without news for ``heartbeat`` seconds a comment. Once ``gone`` is true it just stops: a browser comes again later,
    and nothing is lost to it. However it stops, no job is cancelled.
    """
    state = _IDS.get(last_event_id)
    if state is not None:
        watcher.skip(state)
    loop = asyncio.get_running_loop()
    step: asyncio.Task[Transition[Any] | None] | None = None
    yield _OPENING
    due = loop.time() + heartbeat
    try:
        while True:
            # The step outlasts the heartbeats: cancelling it would cancel the reading that is under way.
            step = step or loop.create_task(_next(watcher), name="a2e-events")
            await asyncio.wait([step], timeout=min(_LOOK, heartbeat))
            if step.done():
                change, step = step.result(), None
                if change is None:
                    break
                state = change.state
                yield _event("state", _shown(change), state if state in _IDS else "")
            elif gone():
                return
            elif loop.time() >= due:
                yield _PING
            else:
                continue
            due = loop.time() + heartbeat
    except A2EError as error:
        yield _event("problem", reported(error))
    finally:
        if step is not None:
            step.cancel()
            await outlast(step)
    yield _event("end", {"id": watcher.task_id, "state": state}, _END)


async def _next(watcher: TaskWatcher[Any]) -> Transition[Any] | None:
    return await anext(watcher, None)


def _shown(change: Transition[Any]) -> dict[str, Any]:
    task: Task = change.task
    kind, url = kind_of(task), task.result_url or ""
    why = failure(kind, task) if change.state is TaskState.FAILED else None
    return {
        "id": task.id,
        "kind": kind.name,
        "state": change.state,
        "previous": change.previous,
        "at": change.at,
        "result_url": None if url_problem(url, local=False) else url,  # a page may make a link of it
        "coins": task.coins,
        "error": why and problem(why),
    }


def _event(name: str, data: dict[str, Any], event_id: str = "") -> bytes:
    number = f"id: {event_id}\n" if event_id else ""
    return f"event: {name}\n{number}data: ".encode() + msgspec.json.encode(data) + b"\n\n"
