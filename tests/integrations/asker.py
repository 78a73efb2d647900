"""Asks a sandbox for its coins again and again, in a process of its own, under a shared brake: `URL KEY DSN`."""

import asyncio
import sys

from a2e_async import A2ESession
from a2e_async.integrations.postgres_limits import shared_brake


async def main(url: str, key: str, dsn: str) -> None:
    async with A2ESession(key, base_url=url) as a2e, shared_brake(a2e, dsn):
        while True:
            await a2e.account.coins()
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
