"""`a2e batch`."""

import asyncio
import csv
from contextlib import aclosing
from pathlib import Path
from typing import Unpack

from a2e_async._saying import say
from a2e_async.cli._batch import Settings, check_place, pursue
from a2e_async.cli._inputs import kind_named
from a2e_async.config import WaitLimits
from a2e_async.errors import RequestError
from a2e_async.jobs import items
from a2e_async.session import A2ESession
from a2e_async.tasks import Task, TaskKind

_LARGE = 1 << 26
_RISK = "a2e: without --journal this cannot be continued: run again, it would pay for every job anew."


async def run(  # noqa: PLR0913 - the options of the command
    *,
    jobs: str,
    kind: str,
    journal: str | None,
    name: str,
    retry: list[str],
    limits: list[tuple[str, float]],
    as_json: bool,
    again: str,
    **settings: Unpack[Settings],
) -> int:
    """Run the jobs of a file to their ends."""
    path, chosen = Path(jobs), kind_named(kind, "--kind")
    if journal is None and (name or retry or settings["rekey"]):
        raise RequestError("--name, --retry and --rekey are about a journal: name one with --journal.")
    async with A2ESession() as a2e:
        batch = a2e.batch(
            chosen, journal=journal, name=name, retry=retry, limits=WaitLimits(**dict(limits)), **settings
        )
        check_place(settings["out"])
        await _check(path, chosen)
        if journal is None:
            say(_RISK)
        return await pursue(
            batch,
            batch.run(path),
            total=await asyncio.to_thread(_count, path),
            saves=settings["out"] is not None,
            go_on=f"To continue: {again}" if journal else _where(chosen),
            as_json=as_json,
        )


async def _check(path: Path, kind: TaskKind[..., Task]) -> None:
    # What is wrong with the file as a whole must be found before a journal is made.
    async with aclosing(items(path, kind.start)) as rows:
        await anext(rows, None)


def _count(path: Path) -> int | None:
    """Return the number of jobs, or None where counting would take long."""
    if path.stat().st_size > _LARGE:
        return None
    with path.open(encoding="utf-8-sig", newline="") as file:
        if path.suffix.lower() != ".csv":
            return sum(not line.isspace() for line in file)
        try:
            return sum(any(cell.strip() for cell in row) for row in csv.reader(file)) - 1
        except csv.Error:
            return None


def _where(kind: TaskKind[..., Task]) -> str:
    look = f" To look: a2e call {kind.records.noun}.{kind.records.name}" if kind.records else ""
    return f"What was started goes on at the service; without a journal it cannot be continued.{look}"
