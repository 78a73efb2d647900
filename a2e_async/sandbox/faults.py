"""Faults by rule: what to match, and what then goes wrong."""

import asyncio
import os
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from typing import Literal, TypeAlias

import msgspec
from aiohttp import web

from a2e_async.sandbox.wire import page, to_text

_WORD = re.compile(r'("current_status":)"\w*"')

Effect: TypeAlias = Literal["reset_before", "reset_after", "status", "html", "word", "delay"]
Work: TypeAlias = Callable[[], Awaitable[web.StreamResponse]]


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """One fault: `path` and `name` (the body's) are globs; due on the `nth` hit, the `first` so many, or all.

    `seconds` of real time pass before the effect. `after` lets `status` and `html` replace the answer of work
    that was done. `hits` counts the requests matched, in the order in which they reached the server.
    """

    effect: Effect
    method: str = "*"
    path: str = "*"
    name: str = "*"
    nth: int | None = None
    first: int | None = None
    seconds: float = 0.0
    after: bool = False
    status: int = 503
    headers: dict[str, str] = {}
    body: str | None = None
    word: str = "archiving"
    hits: int = 0

    def strikes(self, method: str, path: str, name: str) -> bool:
        """Count the request if it matches, and tell whether the effect is due."""
        if self.method not in {"*", method} or not fnmatchcase(path, self.path) or not fnmatchcase(name, self.name):
            return False
        self.hits += 1
        return self.nth in {None, self.hits} and (self.first is None or self.hits <= self.first)


def pick(rules: list[Rule], method: str, path: str, name: str) -> Rule | None:
    """Return the first rule due for a request; all rules count it."""
    due = [rule for rule in rules if rule.strikes(method, path, name)]
    return due[0] if due else None


async def apply(rule: Rule, request: web.BaseRequest, work: Work) -> web.StreamResponse:
    """Answer a request as the rule wants; a cut connection is reported as status 0."""
    if rule.seconds:
        await asyncio.sleep(rule.seconds)
    return await _EFFECTS[rule.effect](rule, request, work)


async def _reset_before(_rule: Rule, request: web.BaseRequest, _work: Work) -> web.StreamResponse:
    return _cut(request)


async def _reset_after(_rule: Rule, request: web.BaseRequest, work: Work) -> web.StreamResponse:
    await work()
    return _cut(request)


async def _status(rule: Rule, _request: web.BaseRequest, work: Work) -> web.StreamResponse:
    if rule.after:
        await work()
    return _answer(rule, rule.status)


async def _html(rule: Rule, _request: web.BaseRequest, work: Work) -> web.StreamResponse:
    if rule.after:
        await work()
    return _answer(rule, 200)


async def _word(rule: Rule, _request: web.BaseRequest, work: Work) -> web.StreamResponse:
    response = await work()
    if isinstance(response, web.Response) and response.content_type == "application/json":
        response.body = _WORD.sub(lambda held: held[1] + to_text(rule.word), response.text or "").encode()
    return response


async def _delay(_rule: Rule, _request: web.BaseRequest, work: Work) -> web.StreamResponse:
    return await work()


_EFFECTS: dict[Effect, Callable[[Rule, web.BaseRequest, Work], Awaitable[web.StreamResponse]]] = {
    "reset_before": _reset_before,
    "reset_after": _reset_after,
    "status": _status,
    "html": _html,
    "word": _word,
    "delay": _delay,
}


def _answer(rule: Rule, status: int) -> web.Response:
    if rule.body is None:
        response = page("SANDBOX fault", status=status)
    else:
        kind = "application/json" if rule.body.startswith("{") else "text/html"
        response = web.Response(text=rule.body, status=status, content_type=kind)
    response.headers.update(rule.headers)
    return response


def _cut(request: web.BaseRequest) -> web.StreamResponse:
    # Without a zero linger the kernel ends the connection politely, which clients report as another error.
    transport = request.transport
    if transport is not None:
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            linger = struct.pack("hh" if os.name == "nt" else "ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    return web.Response(status=500, reason="cut")
