"""`a2e status`: the database alone tells, so there is neither a session nor a key."""

from datetime import UTC, datetime

from a2e_async._progress import span
from a2e_async._rows import Phase
from a2e_async.cli._inputs import database
from a2e_async.cli._terminal import give, give_table, number
from a2e_async.integrations._operations import Standing, Status, read_status

_HEAD = ("kind", "name", "jobs", *Phase, "dead", "coins", "of", "oldest")


async def run(*, dsn: str | None, as_json: bool) -> int:
    """Tell how each batch stands, and who works on them."""
    status = await read_status(database(dsn))
    if as_json:
        give(_record(status))
        return 0
    give_table([_HEAD, *map(_row, status.batches)], range(2, len(_HEAD)))
    brake = f"braked for {span(status.brake)}" if status.brake else "no brake"
    watch = ", ".join(f"{kind} by {address}" for kind, address in status.leaders) or "nothing"
    give(f"queue: {status.waiting} waiting, {status.running} taken up; workers: {status.workers}; {brake}")
    give(f"watched: {watch}")
    return 0


def _row(batch: Standing) -> tuple[str, ...]:
    counts = (sum(batch.counts.values()), *(batch.counts[phase] for phase in Phase), batch.dead)
    most = "-" if batch.max_coins is None else number(batch.max_coins)
    oldest = "-" if batch.oldest is None else span(batch.oldest)
    return (batch.kind, batch.name or "-", *map(str, counts), number(batch.coins), most, oldest)


def _record(status: Status) -> dict[str, object]:
    return {
        "batches": [
            {
                "batch": batch.id,
                "kind": batch.kind,
                "name": batch.name,
                "created": datetime.fromtimestamp(batch.created, UTC).isoformat(timespec="seconds"),
                "jobs": sum(batch.counts.values()),
                **batch.counts,
                "dead": batch.dead,
                "coins": batch.coins,
                "max_coins": batch.max_coins,
                "oldest_seconds": batch.oldest,
            }
            for batch in status.batches
        ],
        "waiting": status.waiting,
        "running": status.running,
        "workers": status.workers,
        "brake_seconds": status.brake,
        "watched": [{"kind": kind, "by": address} for kind, address in status.leaders],
    }
