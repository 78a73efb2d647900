"""What /sandbox/ shows of an account: how it stands, its tasks, requests, callbacks and coins, oldest first."""

import re
from collections.abc import Mapping
from typing import Annotated

import msgspec
from msgspec import Meta
from msgspec.structs import asdict

from a2e_async.sandbox.account import Account
from a2e_async.sandbox.clock import Clock
from a2e_async.sandbox.journal import Entry
from a2e_async.sandbox.life import Task
from a2e_async.sandbox.previews import Previews
from a2e_async.sandbox.wire import Refusal, iso

_NUMBER = re.compile(r"[0-9]{1,15}")
_ALL, _CURVE = 1 << 40, 60


class _Window(msgspec.Struct, forbid_unknown_fields=True):
    """How much of a list is wanted: the `last` so many, all without it, and of those what fits the rest."""

    last: Annotated[int, Meta(ge=1, le=_ALL)] = _ALL
    text: str = ""
    kind: str = ""
    state: str = ""
    status: str = ""
    brief: bool = False
    media: bool = False


class Ask(msgspec.Struct, frozen=True):
    """A request for one of the sandbox's own routes; `tail` is what follows the route in the path."""

    account: Account
    previews: Previews
    query: Mapping[str, str]
    body: bytes
    tail: str = ""

    def window(self) -> _Window:
        """Return what the query wants of a list; ValueError for what it cannot."""
        return msgspec.convert(dict(self.query), _Window, strict=False)

    def number(self) -> int:
        """Return the number in the path."""
        if not _NUMBER.fullmatch(self.tail):
            raise Refusal("no such number", status=404)
        return int(self.tail)


def overview(ask: Ask) -> object:
    """Return the clock, the balance now and after each late booking, and how many tasks are in which state."""
    coins, diamonds = ask.account.bank.balance()
    return {
        "label": ask.account.label,
        "clock": clock_fields(ask.account.clock),
        "coins": coins,
        "diamonds": diamonds,
        "balances": [line.balance for line in ask.account.bank.ledger(_CURVE)],
        "counts": ask.account.tally.counts(),
    }


def clock_fields(clock: Clock) -> dict[str, object]:
    """Return what time it is and how it goes on."""
    return {"now": iso(clock.now()), "rate": clock.spec.rate, "step": clock.spec.step}


def tasks(ask: Ask) -> object:
    """Return tasks with their state now; `kind`, `state` and `text`, in ids and starts, narrow it.

    `media` adds where inputs and results can be seen.
    """
    now, wanted = ask.account.clock.now(), ask.window()
    found = ask.account.tally.newest(wanted.last, kind=wanted.kind, state=wanted.state, text=wanted.text)
    return [_task(task, now) | ({"media": ask.previews.of(task, now)} if wanted.media else {}) for task in found]


def requests(ask: Ask) -> object:
    """Return requests; `text` and the first digits of `status` narrow it, and `brief` leaves out bodies and headers."""
    wanted = ask.window()
    found = ask.account.newest_requests(wanted.last, wanted.text, wanted.status)
    return [_brief(entry) if wanted.brief else _whole(entry) for entry in found]


def request(ask: Ask) -> object:
    """Return one request by its number."""
    found = ask.account.request(ask.number())
    if not found:
        raise Refusal("no such request, or no longer kept", status=404)
    return _whole(found)


def webhooks(ask: Ask) -> object:
    """Return callbacks."""
    every = list(enumerate(ask.account.webhooks, 1))
    return [
        {"number": number, **asdict(callback), "at": iso(callback.at)}
        for number, callback in every[-ask.window().last :]
    ]


def ledger(ask: Ask) -> object:
    """Return the balance and the lines of the ledger."""
    lines = ask.account.bank.ledger(ask.window().last)
    return {"coins": ask.account.coins, "rows": [{**asdict(line), "at": iso(line.at)} for line in lines]}


def _task(task: Task, now: int) -> dict[str, object]:
    state = task.state(now)
    return {
        **task.wire_fields(),
        "_id": task.id,
        "kind": task.noun,
        "current_status": state,
        "failure": task.failure if state == "failed" else "",
        "coins": task.coins,
        "createdAt": iso(task.created),
        "endsAt": iso(task.ends),
    }


def _brief(entry: Entry) -> dict[str, object]:
    return {
        "number": entry.number,
        "at": iso(entry.at),
        "method": entry.method,
        "path": entry.path,
        "query": entry.query,
        "size": len(entry.raw),
        "status": entry.status,
        "effect": entry.effect,
    }


def _whole(entry: Entry) -> dict[str, object]:
    return {
        **_brief(entry),
        "body": entry.body,
        "text": entry.text,
        "target": entry.target,
        "headers": entry.headers,
        "authorization": entry.authorization,
    }
