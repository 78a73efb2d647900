"""A loop whose time jumps to the next timer, and a service that answers from memory: pacing without waiting."""

import asyncio
import selectors
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from a2e_async._answer import Page
from a2e_async._endpoint import Endpoint
from a2e_async._wire import ById, ByIds, PageQuery, Request
from a2e_async.errors import A2EError, NotFoundError
from a2e_async.groups.face_swap import FaceSwapTasks, Swap

T = TypeVar("T")


class _Jump(selectors.DefaultSelector):
    loop: "SteppingLoop"

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout:
            self.loop.now += timeout
        elif not ready and timeout is None:
            raise RuntimeError("nothing will ever happen again on this loop")
        return ready


class SteppingLoop(asyncio.SelectorEventLoop):
    """No socket but the loop's own may be used on it."""

    def __init__(self) -> None:
        self.now = 1000.0
        selector = _Jump()
        selector.loop = self
        super().__init__(selector)

    def time(self) -> float:
        return self.now


def stepped(main: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a stepping loop; fail if a task is left behind."""
    with asyncio.Runner(loop_factory=SteppingLoop) as runner:

        async def checked() -> T:
            result = await main
            left = asyncio.all_tasks() - {asyncio.current_task()}
            assert not left, f"left behind: {left}"
            return result

        return runner.run(checked())


class Service:
    """Face-swap tasks that move with the loop's time; counts requests and can be made to misbehave."""

    def __init__(self, duration: Callable[[str], float] = lambda _: 10.0, *, latency: float = 0.0) -> None:
        self.duration, self.latency = duration, latency
        self.ahead = 0.0
        """Seconds that passed for the service while the loop's clock stood still."""
        self.born: dict[str, float] = {}
        self.calls: Counter[str] = Counter()
        self.times: list[tuple[float, str]] = []
        self.faults: dict[str, Callable[[int], A2EError | None]] = {}
        self.word: Callable[[str, float], str] = lambda _id, age: "processing" if age > 1 else "initialized"

    def add(self, *ids: str) -> None:
        self.born |= dict.fromkeys(ids, self.now())

    def now(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead

    def late(self, task_id: str) -> float:
        """Seconds for which a task has been over."""
        return self.now() - self.born[task_id] - self.duration(task_id)

    def look(self, task_id: str) -> Swap:
        age = self.now() - self.born[task_id]
        done = age >= self.duration(task_id)
        return Swap(id=task_id, status="completed" if done else self.word(task_id, age))

    async def call(self, endpoint: Endpoint[..., Any], request: Request) -> Any:
        name = endpoint.name
        self.calls[name] += 1
        self.times.append((asyncio.get_running_loop().time(), name))
        if self.latency:
            await asyncio.sleep(self.latency)
        fault = self.faults.get(name)
        if fault is not None and (error := fault(self.calls[name])) is not None:
            raise error
        match request:
            case ById(id=task_id):
                if task_id not in self.born:
                    raise NotFoundError("no such task", http_status=404, endpoint=endpoint.label)
                return self.look(task_id)
            case ByIds(ids=ids):
                assert len(ids) <= 200
                return [self.look(i) for i in ids if i in self.born]
            case PageQuery(page=page, size=size):
                rows = [self.look(i) for i in reversed(self.born)]
                return Page(rows[(page - 1) * size : page * size], len(rows))
            case _:
                assert endpoint is FaceSwapTasks.processing
                return [task for i in self.born if not (task := self.look(i)).state.final]
