"""What the trial of several machines is made of: workers that can be killed, and networks that can be cut."""

import asyncio
import os
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

PAUSE = 1.0
"""Seconds after which what keeps a worker running starts it again."""
_LINGER = struct.pack("ii", 1, 0)


class Wire:
    """The network between one worker and the database."""

    def __init__(self, dsn: str) -> None:
        self._far = urlsplit(dsn)
        self.dsn = ""
        self._open = asyncio.Event()
        self._open.set()
        self._ends: set[asyncio.StreamWriter] = set()
        self._joined: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.dsn = urlunsplit(self._far._replace(netloc=f"{self._far.username}@127.0.0.1:{port}"))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self._reset()
        self._open.set()
        if self._joined:
            await asyncio.wait(self._joined)

    async def cut(self, seconds: float) -> None:
        """Carry nothing for so long, in either direction, then reset every connection."""
        self._open.clear()
        await asyncio.sleep(seconds)
        self._reset()
        self._open.set()

    def _reset(self) -> None:
        for end in tuple(self._ends):
            plug = end.get_extra_info("socket")
            with suppress(OSError):
                plug.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER)
            end.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task, ends = asyncio.current_task(), [writer]
        self._joined.add(task)
        self._ends.add(writer)
        try:
            await self._open.wait()
            there, back = await asyncio.open_connection(self._far.hostname, self._far.port)
            self._ends.add(back)
            ends.append(back)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(reader, back))
                group.create_task(self._carry(there, writer))
        except* OSError:  # the database is away, or has hung up
            pass
        finally:
            for end in ends:
                self._ends.discard(end)
                end.transport.abort()
            self._joined.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            await self._open.wait()
            writer.write(data)
            await writer.drain()
        writer.close()


class Worker:
    """`a2e worker` in a process of its own, started again whenever it ends, as a machine's service manager would."""

    def __init__(self, command: Sequence[str], env: dict[str, str], log: Path) -> None:
        self._command, self._env, self._log = command, os.environ | env, log
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._killed = False
        self.ended = 0
        """Times that it ended by itself."""

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._keeper.cancel()
        await asyncio.wait([self._keeper])
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), 30)
            except TimeoutError:
                self._process.kill()
                await self._process.wait()

    async def _keep(self) -> None:
        with self._log.open("ab") as log:
            while True:
                self._killed = False
                self._process = await asyncio.create_subprocess_exec(
                    *self._command, env=self._env, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log
                )
                await self._process.wait()
                self.ended += not self._killed
                await asyncio.sleep(PAUSE)

    def kill(self) -> bool:
        """Kill it where it stands; False if it does not run."""
        if self._process is None or self._process.returncode is not None:
            return False
        self._killed = True
        self._process.kill()
        return True
