"""`a2e migrate`."""

from a2e_async.cli._inputs import database
from a2e_async.cli._terminal import give
from a2e_async.integrations._database import LAYOUT, Database, migrate


async def run(*, dsn: str | None, as_json: bool) -> int:
    """Make the tables that are missing, and tell whether there were any."""
    place = database(dsn)
    made = await migrate(place)
    name = Database(place).name
    if as_json:
        give({"database": name, "layout": LAYOUT, "made": made})
    else:
        done = "the missing tables were made" if made else "nothing was missing"
        give(f"{name}: {done}; layout {LAYOUT}")
    return 0
