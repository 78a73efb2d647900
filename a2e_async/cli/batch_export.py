"""`a2e batch export`: every job of a journal, row by row; requests and what they hold stay where they are."""

import asyncio
import csv
import json
import sys
from datetime import UTC, datetime
from typing import NamedTuple

from a2e_async._frozen import Refusal, revive
from a2e_async._rows import Entry, Phase, Summary
from a2e_async.errors import A2EError, visible
from a2e_async.journal import read_entries, read_summaries
from a2e_async.tasks import KINDS
from a2e_async.watcher import failure


class Row(NamedTuple):
    """One job; times are UTC, ISO 8601."""

    batch: int
    kind: str
    name: str
    key: str
    phase: str
    task_id: str | None
    coins: float | None
    lost: float
    """Coins besides, for `twins` and what was sent anew in doubt."""
    submitted_at: str | None
    """When it was sent last, if it may have been started."""
    ended_at: str | None
    path: str | None
    error: str | None
    twins: list[str]
    result_url: str | None


async def run(*, journal: str, as_json: bool) -> int:
    """Write all jobs of all batches."""
    batches = read_summaries(journal)
    table = csv.writer(sys.stdout, lineterminator="\n")
    if not as_json:
        table.writerow(Row._fields)
    for batch in batches:
        for entry in read_entries(journal, batch.id):
            row = _row(batch, entry)._asdict()
            if as_json:
                sys.stdout.write(json.dumps(row) + "\n")
            else:
                table.writerow(map(_cell, (row | {"twins": entry.twins}).values()))
            await asyncio.sleep(0)  # so that Ctrl-C is noticed
    return 0


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    # A spreadsheet would take it for a formula, and whoever chose the text for its author.
    return "'" * value.lstrip().startswith(("=", "+", "-", "@")) + visible(value)


def _row(batch: Summary, entry: Entry) -> Row:
    kind = KINDS.get(batch.kind)
    task = revive(kind, entry.record) if kind and entry.record else None
    return Row(
        batch.id,
        batch.kind,
        batch.name,
        entry.key,
        entry.phase,
        entry.task_id or None,
        entry.coins,
        entry.lost,
        None if entry.phase == Phase.NEW else _time(entry.intended),
        _time(entry.ended),
        entry.path,
        _error(entry, failure(kind, task) if kind and task else None),
        entry.twins.split(),
        (task.result_url or None) if task else None,
    )


def _error(entry: Entry, verdict: A2EError | None) -> str | None:
    if entry.phase == Phase.UNCERTAIN:
        return "sent, no answer, and nothing can tell what became of it: it may have cost coins"
    if entry.phase != Phase.FAILED:
        return None
    return verdict.message if verdict else Refusal.read(entry.failure).message


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
