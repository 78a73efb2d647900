"""Answers that are well-formed and say something else than is so."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from email.utils import formatdate
from time import time
from typing import TypeAlias, cast

import msgspec
from aiohttp import web

from a2e_async.sandbox.faults.hit import Change, Hit, content
from a2e_async.sandbox.faults.rule import Rule
from a2e_async.sandbox.wire import iso, to_text

Record: TypeAlias = dict[str, object]

_STATUSES = ("current_status", "status")
_RESULTS = ("result_url", "preview_result_url", "result")
_BACK = {
    "completed": "processing", "failed": "processing", "processing": "pending", "pending": "sent",
    "pendding": "sent", "sent": "initialized",
    "success": "process", "fail": "process", "copy": "process", "process": "start", "start": "init",
}  # fmt: skip
_ID = re.compile(r"([0-9a-f]{8})[0-9a-f]{16}")
_TIME = re.compile(r'"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"')


async def _word(rule: Rule, _hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    def change(data: object) -> bool:
        found = list(_tasks(data))
        for task, key in found:
            task[key] = rule.word
        return bool(found)

    return _edited(answer, change)


async def _backwards(_rule: Rule, _hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    def change(data: object) -> bool:
        found = [(task, key) for task, key in _tasks(data) if task[key] in _BACK]
        for task, key in found:
            task[key] = _BACK[str(task[key])]
            task.update({name: "" for name in _RESULTS if task.get(name)})
        return bool(found)

    return _edited(answer, change)


async def _missing(rule: Rule, hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    after = hit.now() / 1000 - rule.age

    def change(data: object) -> bool:
        frame, rows = _listed(data)
        kept = [row for row in rows if _made(row) < after]
        gone = len(rows) - len(kept)
        if gone and isinstance(count := frame.get("count"), int):
            frame["count"] = count - gone
        rows[:] = kept
        return gone > 0

    return _edited(answer, change)


async def _duplicate(_rule: Rule, _hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    def change(data: object) -> bool:
        _, rows = _listed(data)
        rows.extend(rows[:1])
        return bool(rows)

    return _edited(answer, change)


async def _clock_skew(rule: Rule, _hit: Hit, answer: web.Response) -> web.StreamResponse | None:
    def moved(found: re.Match[str]) -> str:
        at = datetime.fromisoformat(found[1]) + timedelta(seconds=rule.skew)
        return f'"{iso(round(at.timestamp() * 1000))}"'

    answer.headers["Date"] = formatdate(time() + rule.skew, usegmt=True)
    if answer.content_type == "application/json":
        answer.body = _TIME.sub(moved, content(answer).decode()).encode()
    return answer


def _edited(answer: web.Response, change: Callable[[object], bool]) -> web.Response | None:
    """Return the answer with its `data` changed; None where nothing was to be changed."""
    if answer.content_type != "application/json":
        return None
    envelope = msgspec.json.decode(content(answer), type=Record)
    if not change(envelope.get("data")):
        return None
    answer.body = to_text(envelope).encode()
    return answer


def _made(row: Record) -> int:
    # An id begins with the second of its making; not every row tells it otherwise.
    found = _ID.fullmatch(str(row["_id"]))
    return int(found[1], 16) if found else 0


def _tasks(data: object) -> Iterator[tuple[Record, str]]:
    """Yield every record that tells a status, with the name it has there."""
    if isinstance(data, dict):
        record = cast("Record", data)
        yield from ((record, key) for key in _STATUSES if isinstance(record.get(key), str))
        inner = list(record.values())
    else:
        inner = cast("list[object]", data) if isinstance(data, list) else []
    for value in inner:
        yield from _tasks(value)


def _listed(data: object) -> tuple[Record, list[Record]]:
    """Return the list of records in an answer, and what is around it; an empty one where there is none."""
    frame = cast("Record", data) if isinstance(data, dict) else {"rows": data}
    for key in ("rows", "list", "data"):
        rows = frame.get(key)
        if isinstance(rows, list) and all(isinstance(row, dict) and "_id" in row for row in cast("list[object]", rows)):
            return frame, cast("list[Record]", rows)
    return frame, []


CHANGES: dict[str, Change] = {
    "word": _word,
    "backwards": _backwards,
    "missing": _missing,
    "duplicate": _duplicate,
    "clock_skew": _clock_skew,
}
