"""The sandbox as something to open: in the event loop at hand, or in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import ParamSpec, Self

import msgspec
from aiohttp import web

from a2e_async.sandbox.account import Account
from a2e_async.sandbox.clock import ClockSpec
from a2e_async.sandbox.dispatch import Dispatcher
from a2e_async.sandbox.faults import Rule
from a2e_async.sandbox.objects import SAMPLE_PATH, work_directory
from a2e_async.sandbox.reach import Reach, is_loopback
from a2e_async.sandbox.store import Store
from a2e_async.sandbox.world import Start

P = ParamSpec("P")

_CALLED = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what to call them, not where to bind
_PATIENCE = 0.1
"""How long, in seconds, requests in flight may take to end when the sandbox closes."""
_TURNS = 4
"""Turns of the loop from a connection's arrival until aiohttp knows it, and one more."""


class Sandbox:
    """A local A2E over HTTP: `async with Sandbox() as sandbox`, then point any client at `sandbox.url`.

    `clock` is "real", "scaled:20", "stepped" or "per-poll:5" (seconds) and, like `coins` and `seed`, what
    new accounts begin with; each account gets its own copy of every rule in `faults`. `db` is ":memory:" or a
    file, which outlives a killed process; uploads and results lie beside it. `fetch="any"` lets inputs come
    from, and callbacks go to, other machines, though never to link-local addresses and clouds' metadata services.
    ValueError for a `host` that others can reach, unless `allow_remote`; whoever reaches it can make it fetch what
    `fetch` allows.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        db: str | Path = ":memory:",
        *,
        clock: str = "real",
        coins: float = 1000.0,
        seed: int = 0,
        faults: Iterable[Rule] = (),
        strict: bool = False,
        fetch: Reach = "loopback",
        allow_remote: bool = False,
    ) -> None:
        if not (allow_remote or is_loopback(host)):
            raise ValueError(f"{host} can be reached from other machines; pass allow_remote=True if that is meant")
        self._host, self._port, self._db = host, port, db
        self._start = Start(ClockSpec.parse(clock), coins, seed, tuple(faults))
        self._strict, self._guarded = strict, not allow_remote
        self._fetch: Reach = fetch
        self._opened: _Opened | None = None

    async def start(self) -> None:
        """Bind and answer from now on; RuntimeError if it does so already."""
        if self._opened:
            raise RuntimeError("the sandbox is running")
        opened = _Opened(self._db, self._start, self._fetch, strict=self._strict, guarded=self._guarded)
        self._opened = opened
        try:
            await opened.listen(self._host, self._port)
        except BaseException:
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """Close every connection and stop; safe to repeat."""
        opened, self._opened = self._opened, None
        if opened:
            await opened.aclose()

    async def __aenter__(self) -> Self:
        """Start, and return the sandbox."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        await self.aclose()

    @property
    def url(self) -> str:
        """Where to point a client, such as http://127.0.0.1:41234."""
        return f"http://{self._live.authority}"

    @property
    def face_url(self) -> str:
        """The URL of a picture of a face to try things with."""
        return f"{self.url}{SAMPLE_PATH}face.jpg"

    @property
    def video_url(self) -> str:
        """The URL of a short clip to try things with."""
        return f"{self.url}{SAMPLE_PATH}clip.mp4"

    @property
    def samples(self) -> dict[str, str]:
        """The URLs of all sample inputs by file name."""
        return {"face.jpg": self.face_url, "clip.mp4": self.video_url}

    def account(
        self, api_key: str, *, clock: str | None = None, coins: float | None = None, seed: int | None = None
    ) -> Account:
        """Return the account of a key, in any thread; ValueError for settings of one that exists."""
        world = self._live.dispatcher.world
        return world.account(api_key, world.start(clock=clock, coins=coins, seed=seed))

    @property
    def _live(self) -> "_Opened":
        if self._opened is None:
            raise RuntimeError("the sandbox is not running")
        return self._opened


class _Opened:
    """What exists only while a sandbox runs."""

    def __init__(self, db: str | Path, start: Start, fetch: Reach, *, strict: bool, guarded: bool) -> None:
        root, self._temporary = work_directory(db)
        self._store = Store(db)
        self.dispatcher = Dispatcher(self._store, root, start, fetch, strict=strict, guarded=guarded)
        self._http = web.Server(self.dispatcher.handle, access_log=None)
        self._server: asyncio.Server | None = None
        self.authority = ""

    async def listen(self, host: str, port: int) -> None:
        server = await asyncio.get_running_loop().create_server(self._http, host, port)
        self._server = server
        # A name may stand for several addresses, each with a port of its own when the port was left open.
        address, bound = msgspec.convert(server.sockets[0].getsockname()[:2], tuple[str, int])
        name = _CALLED.get(address, address)
        self.authority = f"[{name}]:{bound}" if ":" in name else f"{name}:{bound}"

    async def aclose(self) -> None:
        self.dispatcher.own.streams.end()
        if self._server:
            await self._refuse(self._server)
        await self._http.shutdown(_PATIENCE)
        await self.dispatcher.aclose()
        self._store.close()
        if self._temporary:
            self._temporary.cleanup()

    async def _refuse(self, server: asyncio.Server) -> None:
        # What asyncio has accepted but not yet handed over when its server closes stays open for ever.
        with suppress(NotImplementedError):
            for listening in server.sockets:
                asyncio.get_running_loop().remove_reader(listening.fileno())
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        server.close()
        self._http.pre_shutdown()


def _threaded(make: Callable[P, Sandbox]) -> Callable[P, AbstractContextManager[Sandbox]]:
    @contextmanager
    def in_thread(*args: P.args, **kwargs: P.kwargs) -> Generator[Sandbox]:
        sandbox, opened = make(*args, **kwargs), Future[Callable[[], object]]()
        thread = threading.Thread(target=_serve, args=(sandbox, opened), name="a2e-sandbox", daemon=True)
        thread.start()
        try:
            stop = opened.result()
            try:
                yield sandbox
            finally:
                stop()
        finally:
            thread.join()

    return in_thread


def _serve(sandbox: Sandbox, opened: "Future[Callable[[], object]]") -> None:
    async def main() -> None:
        stop = asyncio.Event()
        try:
            await sandbox.start()
        except Exception as error:  # noqa: BLE001 - raised again where the thread was asked for
            opened.set_exception(error)
            return
        opened.set_result(partial(asyncio.get_running_loop().call_soon_threadsafe, stop.set))
        await stop.wait()
        await sandbox.aclose()

    asyncio.run(main())


sandbox_thread = _threaded(Sandbox)
"""Run a Sandbox in a thread and event loop of its own during the `with` block; takes what Sandbox takes."""
