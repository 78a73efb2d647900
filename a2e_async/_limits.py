"""The gate: what one session asks of the service at once, and the brake that all of it shares."""

import asyncio
from types import TracebackType


class Gate:
    """Bounds the requests under way on one event loop; a Retry-After holds everyone back, not only who met it."""

    def __init__(self, concurrency: int) -> None:
        self._slots = asyncio.Semaphore(concurrency)
        self._open_at = 0.0

    def brake(self, seconds: float) -> None:
        """Let nobody in for so long; a longer pause that is already on stays."""
        self._open_at = max(self._open_at, asyncio.get_running_loop().time() + seconds)

    async def __aenter__(self) -> None:
        await self._slots.acquire()
        if self._open_at:
            try:
                await self._wait()
            except BaseException:
                self._slots.release()
                raise

    async def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        while (pause := self._open_at - loop.time()) > 0:  # noqa: ASYNC110 - the brake may have grown meanwhile
            await asyncio.sleep(pause)
        self._open_at = 0.0

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._slots.release()
