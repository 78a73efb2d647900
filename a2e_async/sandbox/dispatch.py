"""One request from arrival to answer: who asks, which row, which fault, which handler."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from urllib.parse import quote

import msgspec
from aiohttp import web
from yarl import URL

from a2e_async.sandbox import bodies, faults, guard, openapi
from a2e_async.sandbox.account import Account
from a2e_async.sandbox.call import Call, Services
from a2e_async.sandbox.check import checked, unknown
from a2e_async.sandbox.clock import real_now
from a2e_async.sandbox.downloads import PREFIXES, Files
from a2e_async.sandbox.handlers import HANDLERS
from a2e_async.sandbox.inputs import Inputs
from a2e_async.sandbox.journal import Entry, masked
from a2e_async.sandbox.objects import Objects
from a2e_async.sandbox.own import Own
from a2e_async.sandbox.previews import Previews
from a2e_async.sandbox.reach import Reach
from a2e_async.sandbox.results import Results
from a2e_async.sandbox.routing import OPEN, Match, find_route
from a2e_async.sandbox.store import Store
from a2e_async.sandbox.webhooks import Outbox
from a2e_async.sandbox.wire import Refusal, page, success
from a2e_async.sandbox.world import Start, World

WARNING = "X-A2E-Sandbox-Warning"
_LONGEST_WARNING = 2000
"""Clients refuse headers that are longer than 8 kB."""
GUEST = "Bearer sk_guest"
"""Who asks where no token is asked for."""


class _Named(msgspec.Struct):
    name: str = ""


class Visit(msgspec.Struct):
    """What is known of a request before it is answered: who asks, or why not, and the JSON body."""

    account: Account | None = None
    refusal: Refusal | None = None
    body: bytes = b""

    def name(self) -> str:
        """Return the `name` in the body, which fault rules can match."""
        try:
            return msgspec.json.decode(self.body, type=_Named).name if b'"name"' in self.body else ""
        except msgspec.DecodeError:
            return ""


class Dispatcher:
    """The request handler of a sandbox and everything behind it."""

    def __init__(self, store: Store, root: Path, start: Start, reach: Reach, *, strict: bool, guarded: bool) -> None:
        self.world = World(store, start)
        objects = Objects(store, root)
        results = Results(objects)
        self._files = Files(self.world, objects, results)
        self.own = Own(self.world, Previews(self.world, objects, results), remote=not guarded)
        self._services = Services(objects, Inputs(self._files, objects, reach), results, Outbox(reach))
        self._strict, self._guarded = strict, guarded

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        try:
            guard.check(request, local=self._guarded)
        except Refusal as refusal:
            return refusal.response()
        if request.path == openapi.PATH:
            return openapi.response()
        if not request.path.startswith(("/api/", *PREFIXES)):
            return await self.own.answer(request)
        visit = await self._visit(request)
        work = partial(self._answer, request, visit)
        account = visit.account
        strike = _strike(request, visit)
        entry = self._enter(request, visit, strike.rule.effect if strike else "")
        if account and strike:
            hit = faults.Hit(request, work, account.clock.now, account.drain)
            response, changed = await faults.act(strike, hit)
            entry.effect = entry.effect if changed else ""
        else:
            response = await work()
        if request.transport and not request.transport.is_closing():
            entry.status = response.status
        if account:
            account.news.tell("requests", *(["faults"] if account.rules else []))
        return response

    async def aclose(self) -> None:
        """Stop calling back, fetching and rendering."""
        await self._services.outbox.aclose()
        await self._services.inputs.aclose()
        await self._services.results.aclose()

    async def _visit(self, request: web.BaseRequest) -> Visit:
        if request.path.startswith(PREFIXES):
            return Visit(self._files.owner(request.path))
        visit = Visit()
        guest = GUEST if request.path in OPEN else ""
        try:
            visit.account = self.world.authorize(request.headers.get("Authorization", guest))
            visit.body = await bodies.read(request)
        except Refusal as refusal:
            visit.refusal = refusal
        return visit

    def _enter(self, request: web.BaseRequest, visit: Visit, effect: str) -> Entry:
        authorization = request.headers.get("Authorization", "")
        hide = bodies.Hider(authorization.partition(" ")[2].strip())
        entry = Entry(
            at=visit.account.clock.now() if visit.account else real_now(),
            account=visit.account.label if visit.account else "",
            method=request.method,
            path=hide.text(request.path),
            query=hide.text(request.query_string),
            raw=hide.body(visit.body),
            head=hide.body(masked(request.headers.items())),
            target=hide.target(request.raw_path),
            effect=effect,
        )
        self.world.log.enter(entry)
        if visit.account:
            visit.account.news.tell("requests")
        return entry

    async def _answer(self, request: web.BaseRequest, visit: Visit) -> web.StreamResponse:
        if request.path.startswith(PREFIXES):
            return await self._files.respond(request)
        match = find_route(request.method, request.path)
        if not match:
            return page("404 Not Found", status=404)
        try:
            return await self._serve(request, _known(visit), match, visit.body)
        except Refusal as refusal:
            return refusal.response()

    async def _serve(self, request: web.BaseRequest, account: Account, match: Match, body: bytes) -> web.StreamResponse:
        row, params = match.route
        served = HANDLERS.get((row.method, row.served_path or ""))
        if not served:
            raise Refusal("the sandbox does not serve this row yet", status=501)
        params += served.more
        found = {"path": match.in_path, "query": request.query, "body": _body(request, body)}
        odd = unknown(params, found)
        warning = f"unknown fields: {', '.join(map(quote, odd))}"[:_LONGEST_WARNING] if odd else ""
        if odd and self._strict:
            raise Refusal(warning)
        args = checked(params, found, served.optional)
        base, lang = URL(f"{request.scheme}://{request.host}"), request.headers.get("x-lang", "en-US")
        call = Call(account, row, args, base, self._services, lang)
        answer = await served.handler(call)
        response = answer if isinstance(answer, web.StreamResponse) else success(answer)
        if odd:
            response.headers[WARNING] = warning
        return response


def _strike(request: web.BaseRequest, visit: Visit) -> faults.Strike | None:
    account = visit.account
    if not account or not account.rules:
        return None
    return account.faults.pick(request.method, request.path, visit.name())


def _known(visit: Visit) -> Account:
    if visit.refusal:
        raise visit.refusal
    if not visit.account:
        raise Refusal("no token", status=401)
    return visit.account


def _body(request: web.BaseRequest, body: bytes) -> Mapping[str, object]:
    if not body:
        return {}
    if request.content_type != "application/json":
        raise Refusal("a body needs Content-Type: application/json")
    try:
        return msgspec.json.decode(body, type=dict[str, object])
    except msgspec.DecodeError:
        raise Refusal("the body must be a JSON object") from None
