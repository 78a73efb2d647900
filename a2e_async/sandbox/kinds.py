"""Kinds of task, and the verbs that all groups of tasks share."""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple, TypeAlias

import msgspec

from a2e_async.sandbox.account import Document, Draft
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.life import Task
from a2e_async.sandbox.routing import Handler, serves
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


class Paging(NamedTuple):
    """How a listing is asked for its pages: the longest one, if there is one, and what number and size are called."""

    limit: int | None = PAGE_LIMIT
    number: str = "pageNum"
    size: str = "pageSize"


PAGES = Paging()

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
    verbs = task_verbs(kind, Paging(limit))
    rows = (
        ("GET", "{_id}", "detail"),
        ("DELETE", "{_id}" if removal else "", "remove"),
        ("POST", "batchDetail" if batch else "", "batch"),
        ("GET", listing, "records"),
        ("GET", running, "processing"),
    )
    for method, word, verb in rows:
        if word:
            serves(method, f"{path}/{word}")(verbs[verb])


def task_verbs(kind: Kind, paging: Paging, key: str = "rows") -> dict[str, Handler]:
    """Return what can be asked about tasks of a kind; a page of `records` holds them below `key`."""

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
        number, size = page_of(call, paging)
        if wanted := call.text("status"):
            now = call.account.clock.now()
            found = [task for task in call.account.page(kind.noun, 1, -1)[0] if task.state(now) == wanted]
            tasks, count = found[(number - 1) * size : number * size], len(found)
        else:
            tasks, count = call.account.page(kind.noun, number, size)
        return {key: [kind.row(call, task) for task in tasks], "count": count}

    async def processing(call: Call) -> object:
        call.account.polled()
        return [kind.row(call, task) for task in call.account.running(kind.noun)]

    return {
        "detail": detail,
        "remove": remove,
        "batch": batch_detail,
        "records": records,
        "processing": processing,
    }


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
    """Return the task named by `_id` or `id`, or Refusal: 400 for a malformed one, 404 for an unknown one."""
    found = call.account.find(noun, call.id("id" if "id" in call.args else "_id"))
    if not found:
        raise Refusal("no such task", status=404)
    return found[0]


def polled(call: Call, noun: str) -> Task:
    """Return the task named by `_id` after a status read has moved a per-poll clock."""
    call.account.polled()
    return existing(call, noun)


def page_of(call: Call, paging: Paging = PAGES) -> tuple[int, int]:
    """Return the number of a page and its size; Refusal when out of range."""
    limit = paging.limit
    number, size = call.integer(paging.number, 1), call.integer(paging.size, 10)
    if number < 1:
        raise Refusal(f"{paging.number} must be at least 1")
    if size < 1 or (limit and size > limit):
        raise Refusal(f"{paging.size} must be within 1..{limit}" if limit else f"{paging.size} must be at least 1")
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
