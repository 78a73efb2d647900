"""A sandbox, or a server of a test's own, and a session on it, with waits too short to notice."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from aiohttp import web

from a2e_async import A2ESession, PollPolicy, RetryPolicy
from a2e_async.sandbox import Account, Sandbox

KEY = "sk_known-token"
SWIFT = {
    "retry": RetryPolicy(base=0.01, longest=0.02, patience=5.0),
    "poll": PollPolicy(shortest=0.05, longest=0.2),
}


class Scene(NamedTuple):
    sandbox: Sandbox
    account: Account
    a2e: A2ESession

    @property
    def swap(self) -> dict[str, str]:
        return {"name": "clip", "face_url": self.sandbox.face_url, "video_url": self.sandbox.video_url}

    def sent(self, method: str, path: str) -> list[int]:
        """Statuses of the requests that reached the server."""
        found = [e for e in self.account.requests if e.method == method and path in e.path]
        return [entry.status for entry in found]


@asynccontextmanager
async def scene(clock: str = "scaled:100", coins: float = 1000.0, **settings: Any) -> AsyncIterator[Scene]:
    async with Sandbox(clock=clock, coins=coins) as sandbox:
        async with A2ESession(KEY, base_url=sandbox.url, **(SWIFT | settings)) as a2e:
            yield Scene(sandbox, sandbox.account(KEY), a2e)


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def host(*answers: Answer, **settings: Any) -> AsyncIterator[tuple[str, list[web.Request], A2ESession]]:
    """Serve each request with the next answer, the last one again and again."""
    seen: list[web.Request] = []

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request)
        return await answers[min(len(seen), len(answers)) - 1](request)

    runner = web.ServerRunner(web.Server(serve, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        async with A2ESession(KEY, **({"base_url": url} | SWIFT | settings)) as a2e:
            yield f"{url}/result.mp4", seen, a2e
    finally:
        await runner.cleanup()
