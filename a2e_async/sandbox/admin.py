"""The sandbox's own routes below /sandbox/, and its front page."""

import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from html import escape
from typing import TypeAlias

import msgspec
from aiohttp import web
from msgspec.structs import asdict

from a2e_async.sandbox.account import Account
from a2e_async.sandbox.faults import Rule, effects, storm
from a2e_async.sandbox.wire import iso, page
from a2e_async.sandbox.world import World


class _Advance(msgspec.Struct, forbid_unknown_fields=True):
    advance: float


class _Price(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    coins: float | None


class _Coins(msgspec.Struct, forbid_unknown_fields=True):
    coins: float


class _Storm(msgspec.Struct, forbid_unknown_fields=True):
    share: float


class _Lag(msgspec.Struct, forbid_unknown_fields=True):
    seconds: float


def requests(account: Account, _body: bytes) -> object:
    """Return the log of the caller's requests, oldest first."""
    return [
        {
            "at": iso(entry.at),
            "method": entry.method,
            "path": entry.path,
            "query": entry.query,
            "body": entry.body,
            "authorization": entry.authorization,
            "status": entry.status,
            "effect": entry.effect,
        }
        for entry in account.requests
    ]


def webhooks(account: Account, _body: bytes) -> object:
    """Return the log of the caller's callbacks, oldest first."""
    return [{**asdict(callback), "at": iso(callback.at)} for callback in account.webhooks]


def ledger(account: Account, _body: bytes) -> object:
    """Return the caller's ledger, oldest line first."""
    return {
        "coins": account.coins,
        "rows": [{**asdict(charge), "at": iso(charge.at)} for charge in account.ledger],
    }


def tasks(account: Account, _body: bytes) -> object:
    """Return the caller's tasks with their state now, oldest first."""
    now = account.clock.now()
    return [
        {
            "_id": task.id,
            "kind": task.noun,
            **task.wire_fields(),
            "current_status": task.state(now),
            "coins": task.coins,
            "createdAt": iso(task.created),
        }
        for task in account.tasks
    ]


def clock(account: Account, body: bytes) -> object:
    """Move the caller's clock ahead by `advance` seconds."""
    account.advance(msgspec.json.decode(body, type=_Advance).advance)
    return {"now": iso(account.clock.now())}


def faults(account: Account, _body: bytes) -> object:
    """Return the caller's rules in the order of their making, with what they hit and struck so far."""
    return [asdict(rule) for rule in account.rules]


def add_fault(account: Account, body: bytes) -> object:
    """Add a rule to the caller's faults."""
    return asdict(account.fault(msgspec.json.decode(body, type=Rule)))


def one_fault(id_: int, account: Account, _body: bytes) -> object:
    """Return one of the caller's rules."""
    return asdict(account.faults.find(id_))


def change_fault(id_: int, account: Account, body: bytes) -> object:
    """Change fields of one of the caller's rules."""
    return asdict(account.faults.change(id_, msgspec.json.decode(body, type=dict[str, object])))


def remove_fault(id_: int, account: Account, _body: bytes) -> object:
    """Remove one of the caller's rules."""
    return asdict(account.faults.remove(id_))


def all_effects(_account: Account, _body: bytes) -> object:
    """Return what a rule can do, with its parameters."""
    return effects()


def add_storm(account: Account, body: bytes) -> object:
    """Add a rule for every effect but one to the caller's faults."""
    return [asdict(account.fault(rule)) for rule in storm(msgspec.json.decode(body, type=_Storm).share)]


def remove_faults(account: Account, _body: bytes) -> object:
    """Remove all of the caller's rules."""
    account.rules.clear()
    return []


def price(account: Account, body: bytes) -> object:
    """Set what the caller's tasks of a kind cost; null brings the usual price back."""
    wanted = msgspec.json.decode(body, type=_Price)
    account.price(wanted.kind, wanted.coins)
    return asdict(wanted)


def coins(account: Account, body: bytes) -> object:
    """Give the caller coins."""
    account.grant(msgspec.json.decode(body, type=_Coins).coins)
    return {"coins": account.coins}


def lag(account: Account, body: bytes) -> object:
    """Let the caller's new tasks be shown late."""
    wanted = msgspec.json.decode(body, type=_Lag)
    account.lag(wanted.seconds)
    return asdict(wanted)


Route: TypeAlias = Callable[[Account, bytes], object]

_ROUTES: dict[tuple[str, str], Route] = {
    ("GET", "/sandbox/requests"): requests,
    ("GET", "/sandbox/webhooks"): webhooks,
    ("GET", "/sandbox/ledger"): ledger,
    ("GET", "/sandbox/tasks"): tasks,
    ("POST", "/sandbox/clock"): clock,
    ("GET", "/sandbox/faults"): faults,
    ("POST", "/sandbox/faults"): add_fault,
    ("DELETE", "/sandbox/faults"): remove_faults,
    ("GET", "/sandbox/effects"): all_effects,
    ("POST", "/sandbox/storm"): add_storm,
    ("POST", "/sandbox/coins"): coins,
    ("POST", "/sandbox/prices"): price,
    ("POST", "/sandbox/lag"): lag,
}


_RULE = re.compile(r"/sandbox/faults/([0-9]{1,9})")
_OF_RULE: dict[str, Callable[[int, Account, bytes], object]] = {
    "GET": one_fault,
    "PATCH": change_fault,
    "DELETE": remove_fault,
}


def find(method: str, path: str) -> Route | None:
    """Return what answers one of the sandbox's own routes."""
    one = _RULE.fullmatch(path)
    if one and (of_rule := _OF_RULE.get(method)):
        return partial(of_rule, int(one[1]))
    return _ROUTES.get((method, path))


def front_page(world: World) -> web.Response:
    """Return a page that says what this is and how many tasks each account has in which state."""
    lines: list[str] = []
    for account in world.accounts:
        now = account.clock.now()
        counts = Counter((task.noun, task.state(now)) for task in account.tasks)
        lines += [
            f"<tr><td>{account.label}<td>{escape(noun)}<td>{state}<td>{count}</tr>"
            for (noun, state), count in sorted(counts.items())
        ]
    body = (
        "<p>A local server that answers as the A2E service would. No model works here:"
        " every result is its input, marked SANDBOX.</p><table><tr><th>account<th>kind<th>state<th>tasks</tr>"
        + "".join(lines)
        + "</table>"
    )
    return page("A2E sandbox", body=body)
