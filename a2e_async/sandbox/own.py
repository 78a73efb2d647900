"""The way to what is the sandbox's own: the dashboard at /, and the routes below /sandbox/."""

import re
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from a2e_async.sandbox import admin, bodies, guard, pages, previews
from a2e_async.sandbox.account import Account
from a2e_async.sandbox.events import Streams
from a2e_async.sandbox.lists import Ask
from a2e_async.sandbox.previews import Previews
from a2e_async.sandbox.wire import Refusal, page, respond
from a2e_async.sandbox.world import World

_ACCOUNTS = "/sandbox/accounts"
_LABELLED = re.compile(rf"{_ACCOUNTS}/([\w-]+)(/.+)")


class _Account(msgspec.Struct, forbid_unknown_fields=True):
    clock: str | None = None
    coins: Annotated[float, Meta(ge=0, lt=1e15)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None


class Own:
    """Answers for an account to whoever has its token and, unless other machines can reach it, to its own page."""

    def __init__(self, world: World, files: Previews, *, remote: bool) -> None:
        self._world, self._files, self._remote = world, files, remote
        self.streams = Streams()

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        try:
            if (request.method, request.path) == ("POST", _ACCOUNTS):
                return self._open(request.headers.get("Authorization", ""), await bodies.read(request))
            return pages.dashboard(request.path) or await self._answer(request)
        except Refusal as refusal:
            return refusal.response()
        except LookupError as error:
            return Refusal(str(error), status=404).response()
        except ValueError as error:
            return Refusal(str(error)).response()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/sandbox/health":
            return respond({"status": "ok"})
        if request.path.startswith(previews.PREFIX):
            return await self._files.serve(request)
        account = self._caller(request)
        if request.path == _ACCOUNTS:
            return respond([{"label": label} for label in ([account.label] if account else self._world.labels())])
        path, account = self._named(request.path, account)
        if path == "/sandbox/events":
            return await self.streams.serve(request, self._world.news, account)
        found = admin.find(request.method, path)
        if not found:
            return page("404 Not Found", status=404)
        if not account:
            raise Refusal("no token: send Authorization: Bearer sk_...", status=401)
        route, tail = found
        return respond(route(Ask(account, self._files, request.query, await bodies.read(request), tail)))

    def _open(self, authorization: str, body: bytes) -> web.Response:
        """Answer with the account of a token, made as the body says; one that exists cannot begin anew."""
        wanted = msgspec.json.decode(body, type=_Account) if body else _Account()
        start = self._world.start(clock=wanted.clock, coins=wanted.coins, seed=wanted.seed)
        try:
            return respond({"label": self._world.authorize(authorization, start).label})
        except ValueError as error:
            raise Refusal(str(error), status=409) from None

    def _caller(self, request: web.BaseRequest) -> Account | None:
        """Return the account of the request's token; None for the sandbox's own page, which sees every account."""
        token = request.headers.get("Authorization")
        if token:
            return self._world.authorize(token)
        if self._remote or guard.from_elsewhere(request):
            raise Refusal("no token: send Authorization: Bearer sk_...", status=401)
        return None

    def _named(self, path: str, caller: Account | None) -> tuple[str, Account | None]:
        """Return what is asked for, and of which account: the one in the path or the caller's own."""
        found = _LABELLED.fullmatch(path)
        if not found:
            return path, caller
        label, rest = found.groups()
        account = self._world.labelled(label)
        if not account or caller not in {None, account}:
            raise Refusal("no such account", status=404)
        return f"/sandbox{rest}", account
