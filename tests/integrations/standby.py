"""A worker that watches for all, or waits for its turn, in a process of its own: `URL KEY DSN`."""

import asyncio
import logging
import sys

from a2e_async import FACE_SWAP, A2ESession
from a2e_async.integrations.postgres_watch import shared_watch
from tests.service import SWIFT


async def main(url: str, key: str, dsn: str) -> None:
    async with A2ESession(key, base_url=url, **SWIFT) as a2e:
        await shared_watch(a2e, dsn, FACE_SWAP)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    logging.getLogger("asyncio").setLevel(logging.WARNING)
    asyncio.run(main(*sys.argv[1:]))
