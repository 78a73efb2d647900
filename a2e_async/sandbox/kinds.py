"""Kinds of task, and the verbs that all groups of tasks share."""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeAlias

import msgspec

from a2e_async.sandbox.account import Document, Draft
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.life import Task
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.webhooks import Hook
from a2e_async.sandbox.wire import MODERATED, Refusal, iso

BATCH_LIMIT = 200
PAGE_LIMIT = 100


Shape: TypeAlias = Callable[[Call, Task], dict[str, object]]


class Kind(msgspec.Struct, frozen=True):
    """A noun of the API whose records are tasks: how detail and lists show one on the wire."""

    noun: str
    shape: Shape
    row: Shape


QUOTES: dict[str, Callable[[Call], Awaitable[float]]] = {}
"""What a start costs, by its path: asked by the start itself and by generation/quote."""


def task_group(
    kind: Kind,
    *,
    listing: str = "",
    running: str = "",
    removal: bool = True,
    batch: bool = True,
    limit: int | None = PAGE_LIMIT,
) -> None:
    """Serve what a kind has of detail, removal, batchDetail, a paged listing and the list of what runs.

    The two lists are named by the last word of their paths; `limit` is the longest page, if there is one.
    """
    path = f"/api/v1/{kind.noun}"

    async def detail(call: Call) -> object:
        return kind.shape(call, polled(call, kind.noun))

    async def remove(call: Call) -> object:
        call.account.remove(existing(call, kind.noun))
        return {}

    async def batch_detail(call: Call) -> object:
        call.account.polled()
        return [kind.row(call, task) for task in call.account.find(kind.noun, *_ids(call))]

    async def records(call: Call) -> object:
        call.account.polled()
        tasks, count = call.account.page(kind.noun, *page_of(call, limit))
        return {"rows": [kind.row(call, task) for task in tasks], "count": count}

    async def processing(call: Call) -> object:
        call.account.polled()
        return [kind.row(call, task) for task in call.account.running(kind.noun)]

    rows = (
        ("GET", "{_id}", detail),
        ("DELETE", "{_id}" if removal else "", remove),
        ("POST", "batchDetail" if batch else "", batch_detail),
        ("GET", listing, records),
        ("GET", running, processing),
    )
    for method, word, handler in rows:
        if word:
            serves(method, f"{path}/{word}")(handler)


def generic(call: Call, task: Task) -> dict[str, object]:
    """Return a task with the field names that most groups share."""
    now = call.account.clock.now()
    state = task.state(now)
    return {
        "_id": task.id,
        **task.wire_fields(),
        "current_status": state,
        "result_url": call.services.results.url(call.base, task) if state == "completed" else "",
        "failed_message": task.failure if state == "failed" else "",
        "failed_code": "1001" if state == "failed" else "",
        "coins": task.coins,
        "createdAt": iso(task.created),
        "updatedAt": iso(task.changed(now)),
    }


def begin(call: Call, shape: Shape, *drafts: Draft) -> list[Task]:
    """Start tasks and charge for them, all or none; each calls back, if that is wanted, with what `shape` shows."""
    hook = Hook.of(call.text("webhook_url"), call.text("webhook_token"))
    tasks = call.account.start_all(drafts)
    if hook:
        for task in tasks:
            call.services.outbox.expect(hook, call.account, task, partial(shape, call))
    return tasks


def existing(call: Call, noun: str) -> Task:
    """Return the task named by `_id`, or Refusal: 400 for a malformed id, 404 for an unknown one."""
    found = call.account.find(noun, call.id("_id"))
    if not found:
        raise Refusal("no such task", status=404)
    return found[0]


def polled(call: Call, noun: str) -> Task:
    """Return the task named by `_id` after a status read has moved a per-poll clock."""
    call.account.polled()
    return existing(call, noun)


def page_of(call: Call, limit: int | None = PAGE_LIMIT, name: str = "pageNum") -> tuple[int, int]:
    """Return the page number, which some lists call `current`, and pageSize; Refusal when out of range."""
    number, size = call.integer(name, 1), call.integer("pageSize", 10)
    if number < 1:
        raise Refusal(f"{name} must be at least 1")
    if size < 1 or (limit and size > limit):
        raise Refusal(f"pageSize must be within 1..{limit}" if limit else "pageSize must be at least 1")
    return number, size


_MAGIC = re.compile(r"(?:^|\s)(fail|moderation):(.*)", re.DOTALL)


def fate(name: str) -> str:
    """Return how a task of that name fails, if it does; Refusal 403 for what moderation stops.

    The magic is for those who cannot set rules: `fail:reason` and `moderation:reason`, at the beginning of a word.
    """
    found = _MAGIC.search(name)
    word, reason = found.groups() if found else ("", "")
    if word == "moderation":
        raise Refusal(reason.strip() or "the input was refused", status=403, code=MODERATED)
    return (reason.strip() or "the task failed") if word == "fail" else ""


def document_row(document: Document) -> dict[str, object]:
    """Return a saved record as lists show it."""
    created = iso(document.created)
    return {**document.fields, "_id": document.id, "createdAt": created, "updatedAt": created}


def _ids(call: Call) -> list[str]:
    ids = list(dict.fromkeys(call.value("ids", list[str])))
    if len(ids) > BATCH_LIMIT:
        raise Refusal(f"ids must hold at most {BATCH_LIMIT}")
    return ids
