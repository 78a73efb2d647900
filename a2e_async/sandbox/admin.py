"""The sandbox's own routes below /sandbox/ that are about one account, and the settings among them."""

from collections.abc import Callable

import msgspec
from msgspec.structs import asdict

from a2e_async.sandbox import lists
from a2e_async.sandbox.clock import ClockSpec
from a2e_async.sandbox.faults import Rule, effects, storm
from a2e_async.sandbox.lists import Ask
from a2e_async.sandbox.wire import Refusal


class _Clock(msgspec.Struct, forbid_unknown_fields=True):
    rate: float | None = None
    step: float | None = None
    advance: float = 0.0


class _Price(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    coins: float | None


class _Coins(msgspec.Struct, forbid_unknown_fields=True):
    coins: float


class _Storm(msgspec.Struct, forbid_unknown_fields=True):
    share: float


class _Lag(msgspec.Struct, forbid_unknown_fields=True):
    seconds: float


def clock(ask: Ask) -> object:
    """Return the caller's time, and how it goes on."""
    return lists.clock_fields(ask.account.clock)


def set_clock(ask: Ask) -> object:
    """Move the caller's clock ahead by `advance` seconds, and let it go on as `rate` and `step` say, if they are given.

    A `rate` alone ends steps.
    """
    wanted = msgspec.json.decode(ask.body, type=_Clock)
    if wanted == _Clock():
        raise Refusal("say advance, rate or step")
    rate = ask.account.clock.spec.rate if wanted.rate is None else wanted.rate
    spec = ClockSpec(rate, wanted.step or 0)  # made before anything moves: all of it happens, or nothing
    ask.account.advance(wanted.advance)
    if (wanted.rate, wanted.step) != (None, None):
        ask.account.pace(spec.rate, step=spec.step)
    return clock(ask)


def faults(ask: Ask) -> object:
    """Return the caller's rules in the order of their making, with what they hit and struck so far."""
    return [asdict(rule) for rule in ask.account.rules]


def add_fault(ask: Ask) -> object:
    """Add a rule to the caller's faults."""
    return asdict(ask.account.fault(msgspec.json.decode(ask.body, type=Rule)))


def all_effects(_ask: Ask) -> object:
    """Return what a rule can do, with its parameters."""
    return effects()


def add_storm(ask: Ask) -> object:
    """Add a rule for every effect but one to the caller's faults."""
    return [asdict(ask.account.fault(rule)) for rule in storm(msgspec.json.decode(ask.body, type=_Storm).share)]


def fault(ask: Ask) -> object:
    """Return one of the caller's rules."""
    return asdict(ask.account.faults.find(ask.number()))


def change_fault(ask: Ask) -> object:
    """Change fields of one of the caller's rules."""
    return asdict(ask.account.faults.change(ask.number(), msgspec.json.decode(ask.body, type=dict[str, object])))


def remove_fault(ask: Ask) -> object:
    """Remove one of the caller's rules."""
    return asdict(ask.account.faults.remove(ask.number()))


def remove_faults(ask: Ask) -> object:
    """Remove all of the caller's rules."""
    ask.account.faults.clear()
    return []


def price(ask: Ask) -> object:
    """Set what the caller's tasks of a kind cost; null brings the usual price back."""
    wanted = msgspec.json.decode(ask.body, type=_Price)
    ask.account.price(wanted.kind, wanted.coins)
    return asdict(wanted)


def coins(ask: Ask) -> object:
    """Give the caller coins."""
    ask.account.grant(msgspec.json.decode(ask.body, type=_Coins).coins)
    return {"coins": ask.account.coins}


def lag(ask: Ask) -> object:
    """Let the caller's new tasks be shown late."""
    wanted = msgspec.json.decode(ask.body, type=_Lag)
    ask.account.lag(wanted.seconds)
    return asdict(wanted)


ROUTES: dict[tuple[str, str], Callable[[Ask], object]] = {
    ("GET", "/sandbox/overview"): lists.overview,
    ("GET", "/sandbox/requests"): lists.requests,
    ("GET", "/sandbox/requests/"): lists.request,
    ("GET", "/sandbox/webhooks"): lists.webhooks,
    ("GET", "/sandbox/ledger"): lists.ledger,
    ("GET", "/sandbox/tasks"): lists.tasks,
    ("GET", "/sandbox/clock"): clock,
    ("POST", "/sandbox/clock"): set_clock,
    ("GET", "/sandbox/faults"): faults,
    ("POST", "/sandbox/faults"): add_fault,
    ("DELETE", "/sandbox/faults"): remove_faults,
    ("GET", "/sandbox/faults/"): fault,
    ("PATCH", "/sandbox/faults/"): change_fault,
    ("DELETE", "/sandbox/faults/"): remove_fault,
    ("GET", "/sandbox/effects"): all_effects,
    ("POST", "/sandbox/storm"): add_storm,
    ("POST", "/sandbox/coins"): coins,
    ("POST", "/sandbox/prices"): price,
    ("POST", "/sandbox/lag"): lag,
}


def find(method: str, path: str) -> tuple[Callable[[Ask], object], str] | None:
    """Return what answers a path below /sandbox/, and what follows the route in it."""
    if route := ROUTES.get((method, path)):
        return route, ""
    parent, _, tail = path.rpartition("/")
    route = ROUTES.get((method, f"{parent}/"))
    return (route, tail) if route and tail else None
