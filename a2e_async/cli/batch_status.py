"""`a2e batch status`: the journal alone tells, so there is neither a session nor a key."""

from datetime import UTC, datetime

from a2e_async._rows import Phase, Summary
from a2e_async.cli._terminal import give, give_table, number
from a2e_async.journal import read_summaries

_HEAD = ("kind", "name", "jobs", *Phase, "coins", "holder")


async def run(*, journal: str, as_json: bool) -> int:
    """Tell how each batch of a journal stands."""
    batches = read_summaries(journal)
    if as_json:
        give([_record(batch) for batch in batches])
        return 0
    give_table([_HEAD, *map(_row, batches)], range(2, len(_HEAD) - 1))
    return 0


def _row(batch: Summary) -> tuple[str, ...]:
    counts = [sum(batch.counts.values()), *(batch.counts[phase] for phase in Phase)]
    return (batch.kind, batch.name or "-", *map(str, counts), number(batch.coins), batch.holder or "-")


def _record(batch: Summary) -> dict[str, object]:
    return {
        "batch": batch.id,
        "kind": batch.kind,
        "name": batch.name,
        "created": datetime.fromtimestamp(batch.created, UTC).isoformat(timespec="seconds"),
        "jobs": sum(batch.counts.values()),
        **batch.counts,
        "coins": batch.coins,
        "holder": batch.holder or None,
    }
