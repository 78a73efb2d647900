"""From a rule that strikes to what the client is sent."""

import asyncio

from aiohttp import web

from a2e_async.sandbox.faults import bodies, breaks, records, replies
from a2e_async.sandbox.faults.hit import Hit, held
from a2e_async.sandbox.faults.rules import Strike

INSTEAD = {**breaks.INSTEAD, **replies.INSTEAD}
CHANGES = {**bodies.CHANGES, **breaks.CHANGES, **records.CHANGES}


async def act(strike: Strike, hit: Hit) -> tuple[web.StreamResponse, bool]:
    """Answer a request as the rule wants, and tell whether there was anything to change.

    A cut connection is reported as status 500 on a transport that is closing.
    """
    rule = strike.rule
    await asyncio.sleep(strike.pause)
    if instead := INSTEAD.get(rule.effect):
        return await instead(rule, hit), True
    right = await hit.work()
    answer = await held(hit.request, right)
    try:
        changed = await CHANGES[rule.effect](rule, hit, answer) if answer else None
    except ConnectionError:  # the client has had enough
        return right, True
    if changed:
        return changed, True
    rule.strikes -= 1
    return right, False
