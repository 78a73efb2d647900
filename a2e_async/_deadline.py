"""Work that is cut short when its time is up."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from a2e_async.errors import TransportTimeoutError

NOTHING = "before anything was started"
DOWNLOADING = "while the result was downloaded; it stays at the service"


@asynccontextmanager
async def in_time(end: float | None, when: str, label: str) -> AsyncGenerator[asyncio.Timeout]:
    """Cut short what is done inside at a time of the loop's, and say with which work that was; None sets no bound."""
    limit = asyncio.timeout_at(end)
    try:
        async with limit:
            yield limit
    except TimeoutError as error:
        if not limit.expired():
            raise
        late = TransportTimeoutError(f"the deadline passed {when}.", endpoint=label)
        late.retry_safe = True
        raise late from error.__cause__
