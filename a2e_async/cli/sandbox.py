"""`a2e sandbox`."""

import errno
import os
import sqlite3
from typing import Literal

from a2e_async.cli._terminal import give, told_to_stop
from a2e_async.errors import ConfigError
from a2e_async.sandbox import Rule, Sandbox
from a2e_async.sandbox import storm as make_storm


async def run(  # noqa: PLR0913 - the options of one server
    *,
    host: str,
    port: int,
    db: str | None,
    clock: str,
    coins: float,
    faults: list[str],
    storm: float | None,
    strict: bool,
    fetch: Literal["loopback", "any"],
    allow_remote: bool,
) -> int:
    """Serve until Ctrl-C or SIGTERM."""
    file, rules = db or ":memory:", [_rule(text) for text in faults]
    rules += [] if storm is None else _storm(storm)
    try:
        sandbox = Sandbox(
            *(host, port, file),
            clock=clock,
            coins=coins,
            faults=rules,
            strict=strict,
            fetch=fetch,
            allow_remote=allow_remote,
        )
        await sandbox.start()
    except (ValueError, OSError, sqlite3.Error) as error:
        raise ConfigError(_why_not(error, host, port, file)) from error
    try:
        give(_welcome(sandbox, db))
        await told_to_stop()
    finally:
        await sandbox.aclose()
    return 0


def _rule(text: str) -> Rule:
    try:
        return Rule.parse(text)
    except ValueError as error:
        raise ConfigError(f"--fault {text}: {error}") from error


def _storm(share: float) -> list[Rule]:
    try:
        return make_storm(share)
    except ValueError as error:
        raise ConfigError(f"--storm {share:g}: {error}") from error


def _why_not(error: Exception, host: str, port: int, file: str) -> str:
    if isinstance(error, ValueError):
        return str(error).replace("pass allow_remote=True", "add --allow-remote")
    if isinstance(error, sqlite3.Error):
        return f"cannot use {file}: {error}. Choose another --db."
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use. Choose another --port, or 0 for any that is free."
    return f"cannot serve on {host} port {port}: {error}"


def _welcome(sandbox: Sandbox, db: str | None) -> str:
    export = "set" if os.name == "nt" else "export"
    data = f"{db} and {db}.files" if db else "memory and a temporary directory, gone at the end (--db keeps them)"
    return f"""\
A local A2E at {sandbox.url}; its results are marked SANDBOX, no model makes them. Open it in a browser to look inside.
To use it elsewhere:

  {export} A2E_BASE_URL={sandbox.url}
  {export} A2E_API_KEY=sk_test
  a2e swap {sandbox.face_url} {sandbox.video_url} -o out.mp4

Data: {data}
Stop: Ctrl-C"""
