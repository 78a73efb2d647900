"""Callbacks: one POST for each task that wanted one, when its account's clock reaches its end."""

import asyncio
from collections.abc import Callable

import aiohttp
import msgspec
from yarl import URL

from a2e_async.sandbox import faults
from a2e_async.sandbox.account import Account
from a2e_async.sandbox.journal import Callback
from a2e_async.sandbox.life import Task
from a2e_async.sandbox.reach import Reach, client, is_loopback, parsed
from a2e_async.sandbox.wire import Refusal, to_text

HEADER = "X-A2e-Webhook-Token"
_LONGEST_URL, _LONGEST_TOKEN = 2048, 256
_TIMEOUT = aiohttp.ClientTimeout(total=10)


class Hook(msgspec.Struct, frozen=True):
    """Where a start wants its callback, and what is to come back with it."""

    url: URL
    token: str

    @classmethod
    def of(cls, url: str, token: str) -> "Hook | None":
        """Check what a start holds: None where it wants no callback, Refusal for what nobody could send."""
        if not url:
            return None
        if len(url) > _LONGEST_URL:
            raise Refusal(f"webhook_url must have at most {_LONGEST_URL} characters")
        if len(token) > _LONGEST_TOKEN or not (token.isascii() and token.isprintable()):
            raise Refusal(f"webhook_token must have at most {_LONGEST_TOKEN} printable ASCII characters")
        try:
            return cls(parsed(url), token)
        except Refusal as refusal:
            raise Refusal(f"webhook_url: {url} {refusal.msg}") from None


class Outbox:
    """Waits for the ends of tasks as long as the server runs; what is due later is never sent."""

    def __init__(self, reach: Reach) -> None:
        self._reach: Reach = reach
        self._waits: set[asyncio.Task[None]] = set()
        self._client: aiohttp.ClientSession | None = None

    def expect(self, hook: Hook, account: Account, task: Task, show: Callable[[Task], object]) -> None:
        """Call back once when a task has ended; `show` makes its record then."""
        wait = asyncio.create_task(self._follow(hook, account, task, show))
        self._waits.add(wait)
        wait.add_done_callback(self._waits.discard)

    async def aclose(self) -> None:
        """Send nothing more."""
        waits = list(self._waits)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
        if self._client:
            await self._client.close()

    async def _follow(self, hook: Hook, account: Account, task: Task, show: Callable[[Task], object]) -> None:
        await account.clock.reached(task.ends)
        if not account.holds(task):
            return
        name = str(task.wire_fields().get("name", ""))
        strike = account.faults.pick(faults.WEBHOOK, str(hook.url), name, task.id)
        effect = strike.rule.effect if strike else ""
        if strike:
            await asyncio.sleep(strike.pause)
        # How the real body looks was never documented.
        body = {"code": 0, "data": show(task)}
        for _ in range(2 if effect == "webhook_doubled" else 1):
            callback = Callback(account.clock.now(), str(hook.url), task.id, body, effect)
            account.webhooks.append(callback)
            account.news.tell("webhooks", "faults")
            if effect != "webhook_lost":
                await self._post(hook.url, "forged" if effect == "webhook_forged" else hook.token, callback)
                account.news.tell("webhooks")

    async def _post(self, url: URL, token: str, callback: Callback) -> None:
        if self._reach == "loopback" and not is_loopback(url.host or ""):
            callback.error = 'not on this machine; the sandbox calls elsewhere only with fetch="any"'
            return
        if self._client is None:
            self._client = client(self._reach, _TIMEOUT)
        headers = {"Content-Type": "application/json"} | ({HEADER: token} if token else {})
        body = to_text(callback.body).encode()
        try:
            async with self._client.post(url, data=body, headers=headers, allow_redirects=False) as response:
                callback.status = response.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            callback.error = str(error) or type(error).__name__
