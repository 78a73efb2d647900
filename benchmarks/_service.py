"""The benchmarks' own server: the face-swap API, and in `_wires.py` as much of the peers' as their clients need.

python benchmarks/_service.py       prints its URL; ends with its standard input

It is one raw protocol without a framework, in a process of its own, so that it costs far less than any client.
`/_bench/...` steers it: reset, fill, ends, stats.
"""

import asyncio
import gc
import os
import random
import sys
import threading
import time
from urllib.parse import parse_qsl

import _wires
import msgspec
from _wires import Request, Tasks, ok

try:
    from uvloop import new_event_loop
except ImportError:
    from asyncio import new_event_loop

SWAPS = b"/api/v1/userFaceSwapTask"
RESULTS = b"/results/"
CLIP = b"SANDBOX " * 250_000
MEDIA = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n%b" % (len(CLIP), CLIP)
RECORD = (
    b'{"_id":"%b","name":%b,"face_url":"https://cdn.example/uploads/2025/01/15/face-91bc.jpg",'
    b'"video_url":"https://cdn.example/uploads/2025/01/15/source-video-7f3a.mp4","duration":12.48,'
    b'"current_status":"%b","result_url":"%b","error_code":"","faild_message":"",'
    b'"createdAt":"2025-01-15T08:30:00.123Z","updatedAt":"2025-01-15T08:31:12.456Z"}'
)


class _Name(msgspec.Struct):
    name: msgspec.Raw = msgspec.Raw(b'""')


class _Ids(msgspec.Struct):
    ids: list[str]


_read_name = msgspec.json.Decoder(_Name).decode
_read_ids = msgspec.json.Decoder(_Ids).decode


class Service(Tasks):
    """All tasks since the last reset. The n-th gets the n-th duration drawn from the seed, whoever the client is."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.reset()

    def reset(self, seed: int = 1, low: float = 2.0, high: float = 8.0) -> None:
        self._draw, self._low, self._high = random.Random(seed), low, high
        self._names: dict[str, bytes] = {}
        self.ends.clear()
        self.named.clear()
        self.requests = self.received = self.sent = self.connections = 0
        self._cpu = time.process_time()

    def add(self, name: bytes = b'""') -> str:
        task_id = f"{int(time.time()):08x}{len(self.ends):016x}"
        self.ends[task_id] = time.monotonic() + self._draw.uniform(self._low, self._high)
        self._names[task_id] = name
        return task_id

    def record(self, task_id: str) -> bytes:
        name, done = self._names[task_id], self.ended(task_id)
        result = b"https://cdn.example/results/2025/01/15/%b.mp4" % task_id.encode() if done else b""
        return RECORD % (task_id.encode(), name, b"completed" if done else b"processing", result)

    def many(self, ids: list[str]) -> bytes:
        return b"[" + b",".join([self.record(task_id) for task_id in ids]) + b"]"

    def answer(self, request: Request) -> bytes:
        path = request.path
        if not path.startswith(SWAPS):
            return MEDIA if path.startswith(RESULTS) else _wires.answer(self, request)
        match path[len(SWAPS) + 1 :]:
            case b"add":
                return _envelope(self.record(self.add(bytes(_read_name(request.body).name))))
            case b"batchDetail":
                return _envelope(self.many([key for key in _read_ids(request.body).ids[:200] if key in self.ends]))
            case b"status":
                now = time.monotonic()
                return _envelope(self.many([key for key, end in self.ends.items() if end > now]))
            case b"records":
                return _envelope(self._page(dict(parse_qsl(request.query.decode()))))
            case task_id:
                return _envelope(self.record(task_id.decode()))

    def _page(self, query: dict[str, str]) -> bytes:
        size = int(query.get("pageSize", "10"))
        skip = (int(query.get("pageNum", "1")) - 1) * size
        newest = list(reversed(self.ends))[skip : skip + size]
        return b'{"count":%d,"rows":%b}' % (len(self.ends), self.many(newest))

    def steer(self, command: bytes, query: dict[str, str]) -> bytes:
        values = {"seed": 1.0, "low": 2.0, "high": 8.0, "count": 0.0} | {k: float(v) for k, v in query.items()}
        told: object = None
        match command:
            case b"reset":
                self.reset(int(values["seed"]), values["low"], values["high"])
            case b"fill":
                told = [self.add() for _ in range(int(values["count"]))]
            case b"ends":
                told = self.ends
            case _:
                names = "requests", "received", "sent", "connections"
                told = {name: getattr(self, name) for name in names}
                told |= {"cpu": time.process_time() - self._cpu, "loop": type(asyncio.get_running_loop()).__module__}
        return ok(msgspec.json.encode(told))


def _envelope(data: bytes) -> bytes:
    return ok(b'{"code":0,"data":%b,"trace_id":"65f0c0de-0000-4000-8000-000000000000"}' % data)


class Connection(asyncio.Protocol):
    def __init__(self, service: Service) -> None:
        self._service = service
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._service.connections += 1

    def data_received(self, data: bytes) -> None:
        service, self._rest = self._service, self._rest + data
        out: list[bytes] = []
        while (request := self._next()) is not None:
            if request.path.startswith(b"/_bench/"):
                out.append(service.steer(request.path[8:], dict(parse_qsl(request.query.decode()))))
                data = b""
            else:
                service.requests += 1
                out.append(service.answer(request))
                service.sent += len(out[-1])
        service.received += len(data)
        self._transport.write(b"".join(out))  # type: ignore[attr-defined]

    def _next(self) -> Request | None:
        data = self._rest
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None
        method, target, _ = data[: data.find(b"\r\n")].split(b" ", 2)
        body = b""
        end += 4
        if method == b"POST":
            body, end = _body(data, end)
            if end < 0:
                return None
        self._rest = data[end:]
        path, _, query = target.partition(b"?")
        return Request(method, path, query, body)


def _body(data: bytes, start: int) -> tuple[bytes, int]:
    """Return the body and where it ends, -1 while it is not complete."""
    head = data[:start].lower()
    at = head.find(b"content-length:")
    if at >= 0:
        end = start + int(head[at + 15 : head.find(b"\r\n", at)])
        return data[start:end], end if len(data) >= end else -1
    if b"chunked" not in head:
        return b"", start
    last = data.find(b"0\r\n\r\n", start)
    chunks = data[start:last].split(b"\r\n")[1::2]
    return b"".join(chunks), last + 5 if last >= 0 else -1


async def serve() -> None:
    """Serve until the standard input ends, so that no server outlives its benchmark."""
    loop, service = asyncio.get_running_loop(), Service("")
    server = await loop.create_server(lambda: Connection(service), "127.0.0.1", 0, backlog=4096)
    service.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(service.url, flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    await server.serve_forever()


if __name__ == "__main__":
    gc.freeze()
    gc.disable()
    asyncio.Runner(loop_factory=new_event_loop).run(serve())
