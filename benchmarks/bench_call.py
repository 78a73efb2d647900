"""CPU of one status call through the SDK beside bare aiohttp + msgspec: interleaved rounds, median of paired ratios.

python benchmarks/bench_call.py [--rounds 15] [--calls 600] [--concurrency 32]
"""

import argparse
import asyncio
import multiprocessing
import random
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection

import aiohttp
import msgspec

from a2e_async import A2ESession
from a2e_async._answer import Envelope
from a2e_async.groups.face_swap import Swap

ID = "66e63777a3ebb9f1e3a2ab5c"
URLS = {"face_url": "https://cdn.example/f.jpg", "video_url": "https://cdn.example/v.mp4"}
RECORD = URLS | {
    "_id": ID,
    "name": "clip",
    "duration": 12,
    "current_status": "processing",
    "result_url": "",
    "error_code": "",
    "faild_message": "",
    "createdAt": "2024-09-15T03:20:22.436Z",
    "updatedAt": "2024-09-15T03:20:22.436Z",
}
BODY = msgspec.json.encode({"code": 0, "data": RECORD, "trace_id": "0" * 36})
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(BODY),
    BODY,
)

Round = Callable[[int], Awaitable[None]]


class _Server(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"{"):
            self._transport.write(ANSWER)  # type: ignore[attr-defined]


def serve(pipe: Connection) -> None:
    """Answer everything alike, at a cost far below any client's."""

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


async def spread(calls: int, concurrency: int, call: Callable[[], Awaitable[object]]) -> None:
    async def worker() -> None:
        for _ in range(calls // concurrency):
            await call()

    await asyncio.gather(*(worker() for _ in range(concurrency)))


async def bench(base: str, rounds: int, calls: int, concurrency: int) -> list[float]:
    """Return the ratio of each round."""
    decode = msgspec.json.Decoder(Envelope[Swap]).decode
    headers = {"Authorization": "Bearer sk_bench"}
    async with A2ESession("sk_bench", base_url=base) as a2e, aiohttp.ClientSession(headers=headers) as plain:

        async def through_sdk() -> object:
            return await a2e.face_swap.tasks.detail(id=ID)

        async def bare() -> object:
            async with plain.get(f"{base}/api/v1/userFaceSwapTask/{ID}") as response:
                return decode(await response.read()).data

        ratios: list[float] = []
        for number in range(rounds + 1):
            spent: dict[Callable[[], Awaitable[object]], float] = {}
            for call in random.sample([through_sdk, bare], 2):
                began = time.process_time()
                await spread(calls, concurrency, call)
                spent[call] = time.process_time() - began
            if number:  # the first round only warms up
                ratios.append(spent[through_sdk] / spent[bare])
        print(f"bare: {spent[bare] / calls * 1e6:.0f} us of CPU a call; SDK: {spent[through_sdk] / calls * 1e6:.0f}")
        return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=600)
    parser.add_argument("--concurrency", type=int, default=32)
    args = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    base = f"http://127.0.0.1:{here.recv()}"
    ratios = asyncio.run(bench(base, args.rounds, args.calls, args.concurrency))
    server.terminate()
    low, high = min(ratios), max(ratios)
    print(
        f"SDK / bare, median of {len(ratios)} paired rounds: {statistics.median(ratios):.2f} ({low:.2f} to {high:.2f})"
    )


if __name__ == "__main__":
    main()
