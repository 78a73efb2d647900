"""Kinds of task, and the verbs that all groups of tasks share."""

from collections.abc import Awaitable, Callable

import msgspec

from a2e_async.sandbox.account import Document
from a2e_async.sandbox.call import Call
from a2e_async.sandbox.life import Task
from a2e_async.sandbox.routing import serves
from a2e_async.sandbox.wire import MODERATED, Refusal, iso

BATCH_LIMIT = 200
PAGE_LIMIT = 100


class Kind(msgspec.Struct, frozen=True):
    """A noun of the API whose records are tasks: how detail and lists show one on the wire."""

    noun: str
    shape: Callable[[Call, Task], dict[str, object]]
    row: Callable[[Call, Task], dict[str, object]]


QUOTES: dict[str, Callable[[Call], Awaitable[float]]] = {}
"""What a start costs, by its path: asked by the start itself and by generation/quote."""


def task_group(kind: Kind, *, listing: str) -> None:
    """Serve detail, removal, batchDetail and the paged listing (the last word of its path) of a kind."""
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
        tasks, count = call.account.page(kind.noun, *page_of(call))
        return {"rows": [kind.row(call, task) for task in tasks], "count": count}

    serves("GET", path + "/{_id}")(detail)
    serves("DELETE", path + "/{_id}")(remove)
    serves("POST", path + "/batchDetail")(batch_detail)
    serves("GET", f"{path}/{listing}")(records)


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


def page_of(call: Call, limit: int | None = PAGE_LIMIT) -> tuple[int, int]:
    """Return pageNum and pageSize, or Refusal when they are out of range."""
    number, size = call.integer("pageNum", 1), call.integer("pageSize", 10)
    if number < 1:
        raise Refusal("pageNum must be at least 1")
    if size < 1 or (limit and size > limit):
        raise Refusal(f"pageSize must be within 1..{limit}" if limit else "pageSize must be at least 1")
    return number, size


def fate(name: str) -> str:
    """Return how a task of that name fails, if it does; Refusal 403 for what moderation stops.

    The magic is for those who cannot set rules: `fail:reason` and `moderation:reason`.
    """
    word, _, reason = name.partition(":")
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
