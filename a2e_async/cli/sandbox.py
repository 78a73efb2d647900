"""`a2e sandbox`."""

import asyncio
import contextlib
import os
import signal
import sqlite3
from typing import Literal

from a2e_async.cli._terminal import give
from a2e_async.errors import ConfigError
from a2e_async.sandbox import Sandbox

_KEY = "sk_test"


async def run(  # noqa: PLR0913 - the options of one server
    *,
    host: str,
    port: int,
    db: str | None,
    clock: str,
    coins: float,
    strict: bool,
    fetch: Literal["loopback", "any"],
    allow_remote: bool,
) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    try:
        sandbox = Sandbox(
            host,
            port,
            db or ":memory:",
            clock=clock,
            coins=coins,
            strict=strict,
            fetch=fetch,
            allow_remote=allow_remote,
        )
    except ValueError as error:
        raise ConfigError(str(error).replace("pass allow_remote=True", "pass --allow-remote")) from None
    try:
        await sandbox.start()
    except OSError as error:
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror}. Choose another --port.") from None
    except sqlite3.Error as error:
        raise ConfigError(f"cannot use {db}: {error}. Choose another file for --db.") from None
    try:
        give(_welcome(sandbox, db))
        await _stop()
    finally:
        await sandbox.aclose()
    return 0


async def _stop() -> None:
    stopped = asyncio.Event()
    with contextlib.suppress(NotImplementedError):  # Windows: there only Ctrl-C is told
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    # Here Ctrl-C is how it is meant to end.
    with contextlib.suppress(asyncio.CancelledError):
        await stopped.wait()


def _welcome(sandbox: Sandbox, db: str | None) -> str:
    export = "set" if os.name == "nt" else "export"
    return f"""\
A local A2E at {sandbox.url} (results are marked SANDBOX: no model makes them). To use it, elsewhere:

  {export} A2E_BASE_URL={sandbox.url}
  {export} A2E_API_KEY={_KEY}
  a2e swap {sandbox.face_url} {sandbox.video_url} -o out.mp4

Data: {f"{db} and {db}.files" if db else "in memory and a temporary directory, gone when this ends (--db keeps them)"}
Stop: Ctrl-C"""
