"""Other answers than the right one, and other conditions for the work."""

import time
from email.utils import formatdate
from http import HTTPStatus
from math import ceil

from aiohttp import web

from a2e_async.sandbox.faults.hit import Hit, Instead
from a2e_async.sandbox.faults.rule import Rule
from a2e_async.sandbox.wire import page, store_error


async def _delay(_rule: Rule, hit: Hit) -> web.StreamResponse:
    return await hit.work()


async def _status(rule: Rule, hit: Hit) -> web.StreamResponse:
    if rule.after:
        await hit.work()
    answer = _answer(rule, rule.status)
    if rule.retry_after is not None:
        # A date is rounded up, or the wait it asks for would be up to a second too short.
        date = formatdate(ceil(time.time()) + rule.retry_after, usegmt=True)
        answer.headers["Retry-After"] = date if rule.http_date else str(rule.retry_after)
    answer.headers.update(rule.headers)
    return answer


async def _html(rule: Rule, hit: Hit) -> web.StreamResponse:
    if rule.after:
        await hit.work()
    return _answer(rule, 200)


async def _redirect(rule: Rule, hit: Hit) -> web.StreamResponse:
    to = rule.location or f"https://elsewhere.invalid{hit.request.path_qs}"
    return web.Response(status=307, headers={"Location": to})


async def _expired(_rule: Rule, _hit: Hit) -> web.StreamResponse:
    return store_error("AccessDenied", "this URL has expired")


async def _coins_out(_rule: Rule, hit: Hit) -> web.StreamResponse:
    hit.drain()
    return await hit.work()


def _answer(rule: Rule, status: int) -> web.Response:
    if rule.body is None:
        return page(f"{status} {_PHRASES.get(status, '')}".strip(), status=status, body="<hr>SANDBOX fault")
    kind = "application/json" if rule.body.startswith("{") else "text/html"
    return web.Response(text=rule.body, status=status, content_type=kind)


_PHRASES = {int(status): status.phrase for status in HTTPStatus}

INSTEAD: dict[str, Instead] = {
    "delay": _delay,
    "status": _status,
    "html": _html,
    "redirect": _redirect,
    "expired": _expired,
    "coins_out": _coins_out,
}
