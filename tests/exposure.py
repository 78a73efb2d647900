"""Uses a token in every way, fails in every way, and shows all that can be shown: run by test_security.

Needs A2E_API_KEY and A2E_BASE_URL of a sandbox whose account has FAULTS. Writes journals, results and pickles into the
current directory and everything else to stdout and stderr; then lives on until stdin is closed, so that its memory can
be looked into.
"""

import asyncio
import contextlib
import faulthandler
import logging
import os
import pickle
import sys
import traceback
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
from rich.pretty import pretty_repr

from a2e_async import FACE_SWAP, A2EError, A2ESession, Limits, PollPolicy, RetryPolicy, SessionConfig, Webhooks
from a2e_async.sandbox import Rule
from a2e_async.sandbox.objects import SAMPLES

WEBHOOK_TOKEN = "hook-" + "0123456789" * 3
COINS, ADD = "/api/v1/user/remainingCoins", "/api/v1/userFaceSwapTask/add"
FAULTS = {
    401: Rule("status", status=401),
    402: Rule("status", status=402),
    403: Rule("status", status=403),
    404: Rule("status", status=404),
    408: Rule("status", status=408),
    418: Rule("status", status=418),
    429: Rule("status", status=429, retry_after=3600),
    500: Rule("status", status=500),
    1003: Rule("status", status=400, body='{"code": 1003, "msg": "no"}'),
    "redirect": Rule("redirect"),
    "page": Rule("html"),
    "bomb": Rule("gzip_bomb"),
    "endless": Rule("endless"),
    "slow": Rule("dribble", pace=0.2),
    "cut": Rule("truncated"),
    "garbled": Rule("invalid_utf8"),
    "repeated": Rule("status", status=400, body='{"code": 1001, "msg": "no such token: TOKEN", "trace_id": "TOKEN"}'),
    "page that repeats": Rule("html", body="<p>TOKEN</p>"),
    "reset": Rule("reset_after"),  # last, as aiohttp itself asks again
}
SWIFT = {
    "retry": RetryPolicy(attempts=1, patience=0.1),
    "poll": PollPolicy(shortest=0.05, longest=0.2),
    "timeout": 0.5,
    "limits": Limits(concurrency=1),
}
seen: set[str] = set()


def show(error: BaseException) -> None:
    """Show an error as loggers, consoles and collectors of crashes do, with the locals of all frames."""
    seen.add(type(error).__name__)
    print(repr(error), error, vars(error))
    link: BaseException | None = error
    while link is not None:  # also what `from None` hides
        print("".join(traceback.TracebackException.from_exception(link, capture_locals=True).format()))
        for frame, _ in traceback.walk_tb(link.__traceback__):  # as rich shows locals, without its drawing
            print({name: pretty_repr(value, max_length=10, max_string=80) for name, value in frame.f_locals.items()})
        link = link.__cause__ or link.__context__
    logging.getLogger("app").error("failed", exc_info=error)
    if isinstance(error, A2EError):
        with Path("errors.pickle").open("ab") as file:
            pickle.dump(error, file)


async def failing(work: Callable[[], Awaitable[object]]) -> None:
    try:
        await work()
    except BaseException as error:  # noqa: BLE001 - that of a cancelled call, too
        show(error)


async def fails() -> None:
    """Call once for each fault, reading and paying, and be cut short."""
    files = {"face_url": "https://a.example/f.jpg?X-Signature=s", "video_url": "https://a.example/v.mp4"}
    for name in FAULTS:
        async with A2ESession(**SWIFT) as a2e:
            print("--", name)
            await failing(a2e.account.coins)
            add = a2e.face_swap.tasks.add
            await failing(lambda add=add: add(name="n", **files, webhook_token=WEBHOOK_TOKEN))
    async with A2ESession(**SWIFT) as a2e:
        call = asyncio.ensure_future(a2e.account.coins())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        call.cancel()
        await failing(lambda: call)
        await failing(lambda: a2e.face_swap.tasks.add(name="n", face_url="no url", video_url="https://a.example/v"))
        await failing(lambda: a2e.face_swap.tasks.detail(id="0" * 24))
        await failing(lambda: a2e.files.upload("not there.jpg"))
        await failing(lambda: a2e.files.save("http://127.0.0.1:1/?signature=s", "x.mp4"))
        logging.getLogger("app").warning("%r %s %r", a2e, a2e.config, vars(a2e._transport))
        print(vars(a2e._transport.pool()), a2e._transport.pool().api.headers)
    for settings in ({"base_url": "http://127.0.0.1:1"}, {"base_url": "http://a2e.example"}, {"api_key": ""}):
        await failing(partial(balance, **settings))
    for made in (
        lambda: SessionConfig(api_key=os.environ["A2E_API_KEY"], base_url="ftp://x"),
        lambda: A2ESession(f"{os.environ['A2E_API_KEY']} not"),
    ):
        try:
            made()
        except A2EError as error:
            show(error)


async def balance(**settings: str) -> None:
    async with A2ESession(**SWIFT | settings) as a2e:
        await a2e.account.coins()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    asked = await reader.readuntil(b"\r\n\r\n")
    writer.write(asked)  # all that was sent, for an answer
    await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def echo() -> AsyncIterator[str]:
    async with await asyncio.start_server(garbage, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def works() -> None:
    """Upload, swap, batch, save: with a session of one's own and a lent one."""
    jobs = [{"key": f"k{i}", "name": f"n{i}", "face_url": SAMPLES / "face.jpg", "video_url": SAMPLES / "clip.mp4"}
            for i in range(2)]  # fmt: skip
    easy: dict[str, Any] = SWIFT | {"timeout": 30.0, "retry": RetryPolicy(), "limits": Limits()}
    async with aiohttp.ClientSession(headers={"x-mine": "1"}) as http:
        for lent in (None, http):
            async with A2ESession(http=lent, **easy) as a2e:
                name = "own" if lent is None else "lent"
                async with a2e.batch(FACE_SWAP, journal=f"{name}.sqlite", out=f"{name}/{{key}}.mp4") as batch:
                    async for outcome in batch.run([job | {"webhook_token": WEBHOOK_TOKEN} for job in jobs]):
                        print(outcome)
                    copies = [path.read_bytes() for path in Path().glob(f"{name}.sqlite*")]
                    Path(f"{name}.copy").write_bytes(b"".join(copies))
                Webhooks(a2e, token=WEBHOOK_TOKEN)
    async with echo() as url:
        await failing(partial(balance, base_url=url))

    async def others() -> None:
        async with A2ESession(f"{os.environ['A2E_API_KEY']}x", **easy) as a2e:
            async with a2e.batch(FACE_SWAP, journal="own.sqlite"):
                pass

    await failing(others)


async def main() -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0
    await fails()
    await works()
    print("raised:", *sorted(seen))


if __name__ == "__main__":
    faulthandler.enable()
    warnings.simplefilter("always")
    logging.basicConfig(level=logging.DEBUG)
    logging.captureWarnings(capture=True)
    asyncio.run(main())
    faulthandler.dump_traceback(all_threads=True)
    lost = SystemError(A2ESession())
    sys.excepthook(SystemError, lost, None)
    print("waiting", flush=True)
    sys.stdin.read()
