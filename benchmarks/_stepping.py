"""A face-swap service in memory, for the loop of the tests whose time jumps: hours of watching in seconds."""

import asyncio
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TypeVar

import _measure  # noqa: F401 - finds the checkout
from _service import RECORD

from a2e_async._endpoint import Endpoint
from a2e_async._wire import ById, ByIds

LATENCY = 0.15
"""Seconds between a request and its answer."""
_RECORD = RECORD.replace(b"2025-01-15T08:30:00.123Z", b"%b").replace(b"2025-01-15T08:31:12.456Z", b"%b")
T = TypeVar("T")


class Memory:
    """Answers as the service does, in bytes that the SDK decodes; counts what it is asked, and its own CPU."""

    def __init__(self, durations: Iterable[float]) -> None:
        self.durations = {f"task{number:020}": seconds for number, seconds in enumerate(durations)}
        self.born: dict[str, float] = {}
        self.requests = self.readings = 0
        self.cpu = 0.0

    def add(self, ids: Iterable[str]) -> None:
        self.born |= dict.fromkeys(ids, asyncio.get_running_loop().time())

    def late(self, task_id: str) -> float:
        """Seconds for which a task has been over."""
        return asyncio.get_running_loop().time() - self.born[task_id] - self.durations[task_id]

    def record(self, task_id: str, now: float) -> bytes:
        self.readings += 1
        begun, key = self.born[task_id], task_id.encode()
        end = begun + self.durations[task_id]
        result = b"https://cdn.example/results/%b.mp4" % key if now >= end else b""
        status = b"completed" if result else b"processing" if now - begun > 1 else b"initialized"
        return _RECORD % (key, b'"clip"', status, result, _iso(begun), _iso(min(now, end)))

    def answer(self, ids: Iterable[str]) -> bytes:
        now = asyncio.get_running_loop().time()
        return b",".join([self.record(task_id, now) for task_id in ids])

    async def call(self, endpoint: Endpoint[..., T], request: object) -> T:
        self.requests += 1
        await asyncio.sleep(LATENCY)
        began = time.process_time()
        match request:
            case ById(id=task_id):
                data = self.answer([task_id])
            case ByIds(ids=ids):
                data = b"[%b]" % self.answer(ids)
            case _:
                raise ValueError(endpoint.label)
        self.cpu += time.process_time() - began
        return endpoint.answer.read(endpoint.label, 200, {}, b'{"code":0,"data":%b}' % data)


def _iso(at: float) -> bytes:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").encode()
