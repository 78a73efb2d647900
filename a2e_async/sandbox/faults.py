"""Faults by rule: what to match, and what then goes wrong."""

import asyncio
import os
import re
import socket
import struct
from collections.abc import Awaitable, Callable
from fnmatch import fnmatchcase
from math import inf
from typing import Literal, TypeAlias, get_args

import msgspec
from aiohttp import web

from a2e_async.sandbox.draws import between
from a2e_async.sandbox.wire import page, to_text

_WORD = re.compile(r'("current_status":)"\w*"')

RequestEffect: TypeAlias = Literal["reset_before", "reset_after", "status", "html", "word", "delay"]
WebhookEffect: TypeAlias = Literal["webhook_lost", "webhook_doubled", "webhook_late", "webhook_forged"]
WEBHOOK = "WEBHOOK"
"""The method of callbacks; their path is the whole URL."""
_ON_WEBHOOKS: tuple[str, ...] = get_args(WebhookEffect)
Work: TypeAlias = Callable[[], Awaitable[web.StreamResponse]]


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """One fault: `path` and `name` (the body's) are globs; due on the `nth` hit, the `first` so many, or all.

    `every` lets that begin anew: `every=1000, first=20` is a burst at the start of each thousand hits. `share`
    (0 to 1) strikes that part of the hits that would be due: which ones follows from the account's seed, the
    rule's place among its rules and the number of the hit, so a run can be repeated. `seconds` of real time
    pass before the effect. `after` lets `status` and `html` replace the answer of work that was done. `hits`
    counts the requests matched, in the order in which they reached the server, `strikes` those it struck:
    where several rules are due, the first one does. ValueError for what can never be due. Effects that begin
    with `webhook` strike callbacks alone, whose `path` is the whole URL and whose `name` the task's.
    """

    effect: RequestEffect | WebhookEffect
    method: str = "*"
    path: str = "*"
    name: str = "*"
    nth: int | None = None
    first: int | None = None
    every: int | None = None
    share: float | None = None
    seconds: float = 0.0
    after: bool = False
    status: int = 503
    headers: dict[str, str] = {}
    body: str | None = None
    word: str = "archiving"
    hits: int = 0
    strikes: int = 0

    def __post_init__(self) -> None:
        """Refuse what can never be due or never be sent."""
        ordinals = [number for number in (self.nth, self.first) if number is not None]
        every = inf if self.every is None else self.every
        effects = (*_EFFECTS, *_ON_WEBHOOKS)
        wants = {
            f"effect must be one of {', '.join(effects)}": self.effect in effects,
            "nth, first and every must be at least 1": all(number >= 1 for number in ordinals) and every >= 1,
            "every needs an nth or first within it": self.every is None or 0 < max(ordinals, default=0) <= every,
            "share must be within 0..1": self.share is None or 0 <= self.share <= 1,
            "seconds must be a span of time": 0 <= self.seconds < inf,
            "status must be within 200..599": 200 <= self.status <= 599,
        }
        for want, met in wants.items():
            if not met:
                raise ValueError(want)

    def due(self, seed: int, place: int, method: str, path: str, name: str) -> bool:
        """Count the request if it matches, and tell whether the effect is due; `place` is the rule's own."""
        if (method == WEBHOOK) != (self.effect in _ON_WEBHOOKS):
            return False
        if self.method not in {"*", method} or not fnmatchcase(path, self.path) or not fnmatchcase(name, self.name):
            return False
        self.hits += 1
        at = (self.hits - 1) % self.every + 1 if self.every else self.hits
        if self.nth not in {None, at} or (self.first is not None and at > self.first):
            return False
        return self.share is None or between(0, 1, "fault", seed, place, self.hits) < self.share


def pick(rules: list[Rule], seed: int, method: str, path: str, name: str) -> Rule | None:
    """Return the first rule due for a request of an account with that seed; all rules count it."""
    due = [rule for place, rule in enumerate(rules) if rule.due(seed, place, method, path, name)]
    if not due:
        return None
    due[0].strikes += 1
    return due[0]


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


_EFFECTS: dict[str, Callable[[Rule, web.BaseRequest, Work], Awaitable[web.StreamResponse]]] = {
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
