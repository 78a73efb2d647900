"""The ceiling of the benchmarks' own server: requests a second under a loader that does next to nothing.

python benchmarks/bench_ceiling.py [--seconds 3] [--connections 32] [--json FILE]

The loader, in this process, keeps some requests under way on each connection and counts answers by their first line.
"""

import asyncio
import time
from typing import Any

from _contenders import SWAPS
from _measure import Service, parser, save, service, table

UNDER_WAY = 8
START = b"HTTP/1.1 200"


class Loader(asyncio.Protocol):
    def __init__(self, request: bytes) -> None:
        self._request = request
        self.answers = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(self._request * UNDER_WAY)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        found = data.count(START)
        self.answers += found
        if found:
            self._transport.write(self._request * found)  # type: ignore[attr-defined]


async def load(running: Service, request: bytes, seconds: float, connections: int) -> dict[str, float]:
    loop = asyncio.get_running_loop()
    port = int(running.url.rsplit(":", 1)[1])
    made = [await loop.create_connection(lambda: Loader(request), "127.0.0.1", port) for _ in range(connections)]
    before, began, mine = running.ask("stats")["cpu"], time.monotonic(), time.process_time()
    first = sum(loader.answers for _, loader in made)
    await asyncio.sleep(seconds)
    answers, wall, mine = (
        sum(loader.answers for _, loader in made) - first,
        time.monotonic() - began,
        time.process_time() - mine,
    )
    for transport, _ in made:
        transport.abort()
    cpu = running.ask("stats")["cpu"] - before
    return {"requests_s": answers / wall, "server_us": cpu / answers * 1e6, "loader_us": mine / answers * 1e6}


def main() -> None:
    args_of = parser(__doc__)
    args_of.add_argument("--seconds", type=float, default=3.0)
    args_of.add_argument("--connections", type=int, default=32)
    args = args_of.parse_args()
    result: dict[str, Any] = {}
    with service() as running:
        running.ask("reset", low=3600, high=3600)
        ids = running.ask("fill", count=200)
        body = ('{"ids":["' + '","'.join(ids) + '"]}').encode()
        requests = {
            "detail": f"GET {SWAPS}/{ids[0]} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(),
            "batchDetail of 200": (
                f"POST {SWAPS}/batchDetail HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode()
            + body,
        }
        for name, request in requests.items():
            result[name] = asyncio.run(load(running, request, args.seconds, args.connections))
        loop = running.ask("stats")["loop"]
    rows = [(name, *row.values()) for name, row in result.items()]
    print(f"server on {loop}\n\n{table(('request', 'a second', 'server, us of CPU', 'loader, us of CPU'), rows)}")
    save(args.json, {"requests": result, "loop": loop})


if __name__ == "__main__":
    main()
