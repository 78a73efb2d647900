"""What the fixtures of `pytest_plugin` hand out: handles on one account of a sandbox, in whatever process it runs."""

import json
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from difflib import get_close_matches
from http.client import HTTPException
from typing import Any, overload

import msgspec
from msgspec.structs import asdict

from a2e_async._control import Control
from a2e_async._secret import Secret
from a2e_async.groups import declared, endpoints
from a2e_async.sandbox import Rule
from a2e_async.sandbox.objects import SAMPLE_PATH

_SHOWN, _WIDE = 50, 200


class A2ERequest(msgspec.Struct, frozen=True):
    """One request that reached the sandbox; `status` is 0 where it was cut off, `effect` names the fault if any."""

    number: int
    at: datetime
    method: str
    path: str
    query: str
    status: int
    effect: str
    body: Any
    headers: list[tuple[str, str]]

    @property
    def endpoint(self) -> str:
        """The name of its endpoint, such as face_swap.tasks.add; '' for uploads, downloads and what none declares."""
        found = declared(self.method, self.path)
        return f"{found.noun}.{found.name}" if found else ""

    @property
    def paid(self) -> bool:
        """Whether its endpoint may spend coins, whatever came of this request."""
        found = declared(self.method, self.path)
        return found is not None and found.paid

    def __repr__(self) -> str:
        struck = f" ({self.effect})" if self.effect else ""
        return f"<{self.method} {self.endpoint or self.path} {self.status or 'cut off'}{struck}>"


class A2ECharge(msgspec.Struct, frozen=True):
    """One line of the ledger: a negative delta was spent, for the task with that id."""

    at: datetime
    delta: float
    balance: float
    reason: str
    task: str


class A2ETask(msgspec.Struct, frozen=True, rename={"id": "_id", "status": "current_status"}):
    """A task as the sandbox has it now; `status` is the service's word."""

    id: str
    kind: str
    status: str
    coins: float
    name: str = ""
    failure: str = ""


class A2ERequests(Sequence[A2ERequest]):
    """The account's requests, oldest first, looked up anew each time."""

    def __init__(self, control: "Control") -> None:
        self._control = control

    @overload
    def __getitem__(self, at: int) -> A2ERequest: ...
    @overload
    def __getitem__(self, at: slice) -> list[A2ERequest]: ...
    def __getitem__(self, at: int | slice) -> A2ERequest | list[A2ERequest]:
        return self._all()[at]

    def __iter__(self) -> Iterator[A2ERequest]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return repr(self._all())

    @property
    def paid(self) -> list[A2ERequest]:
        """The requests of endpoints that may spend coins, refused and struck ones included."""
        return [request for request in self._all() if request.paid]

    def by_endpoint(self, name: str) -> list[A2ERequest]:
        """Return the requests of an endpoint such as face_swap.tasks.add; ValueError for a name that there is not."""
        names = {f"{one.noun}.{one.name}": one.label for one in endpoints()}
        if name not in names:
            near = get_close_matches(name, names, n=3, cutoff=0.4)
            raise ValueError(f"there is no endpoint {name!r}; near it: {', '.join(near) or 'none'}")
        same = {other for other, label in names.items() if label == names[name]}
        return [request for request in self._all() if request.endpoint in same]

    def report(self) -> str:
        """Return the newest as lines of text, without tokens."""
        every = self._all()
        lines = [_line(request) for request in every[-_SHOWN:]]
        before = len(every) - len(lines)
        return "\n".join([*([f"({before} before these)"] if before else []), *lines]) or "none"

    def _all(self) -> list[A2ERequest]:
        return self._control.read("requests", list[A2ERequest])


class A2EFaults(Sequence[Rule]):
    """The rules of the account, with `hits` and `strikes` as they are now, looked up anew each time."""

    def __init__(self, control: "Control") -> None:
        self._control = control

    @overload
    def __getitem__(self, at: int) -> Rule: ...
    @overload
    def __getitem__(self, at: slice) -> list[Rule]: ...
    def __getitem__(self, at: int | slice) -> Rule | list[Rule]:
        return self._all()[at]

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        lines = [f"<{rule.effect}: struck {rule.strikes} of {rule.hits}>" for rule in self._all()]
        return f"[{', '.join(lines)}]"

    def add(self, rule: str | Rule) -> Rule:
        """Let a rule act from now on, written as for `a2e sandbox --fault` or made; ValueError for what is none."""
        made = Rule.parse(rule) if isinstance(rule, str) else rule
        return self._control.read("faults", Rule, asdict(made))

    def remove(self, rule: str | Rule) -> None:
        """Let a rule, or all with the effect of that name, act no more; LookupError if there is none."""
        ids = [one.id for one in self._all() if one.effect == rule] if isinstance(rule, str) else [rule.id]
        if not ids:
            raise LookupError(f"no rule has the effect {rule!r}")
        for id_ in ids:
            self._control.send("DELETE", f"faults/{id_}")

    def clear(self) -> None:
        """Let none of the rules act any more."""
        self._control.send("DELETE", "faults")

    def _all(self) -> list[Rule]:
        return self._control.read("faults", list[Rule])


class A2EClock:
    """The account's time. In tests it stands still but for five seconds with each reading of a task or list."""

    def __init__(self, control: "Control") -> None:
        self._control = control

    def __repr__(self) -> str:
        return f"<A2EClock {self.now.isoformat()}>"

    @property
    def now(self) -> datetime:
        """The account's present, UTC."""
        return self._control.read("clock", _Time).now

    def advance(self, seconds: float) -> None:
        """Move it ahead; callbacks that come due are sent. ValueError for a step back, and for more than a year."""
        self._control.send("POST", "clock", {"advance": seconds})

    def pace(self, rate: float, *, step: float = 0.0) -> None:
        """Let it go on at `rate` times real time, and `step` seconds more with each reading; 0 stops it."""
        self._control.send("POST", "clock", {"rate": rate, "step": step})


class A2EAccount:
    """One account of a sandbox. Its repr leaves the key out."""

    def __init__(self, url: str, api_key: str) -> None:
        self.url = url
        """Where the sandbox is: what A2E_BASE_URL is to be."""
        self.api_key = Secret(api_key)
        self._control = Control(url, self.api_key)
        self.clock = A2EClock(self._control)
        self.faults = A2EFaults(self._control)
        self.requests = A2ERequests(self._control)

    def __repr__(self) -> str:
        return f"<A2EAccount of {self.url}>"

    @property
    def coins(self) -> float:
        """The balance."""
        return self._control.read("overview", _Overview).coins

    @property
    def spent(self) -> float:
        """Coins spent so far, less what was refunded."""
        return -sum(line.delta for line in self.ledger if line.reason not in {"grant", "fault"})

    @property
    def ledger(self) -> list[A2ECharge]:
        """Every grant, charge and refund, oldest first."""
        return self._control.read("ledger", _Ledger).rows

    @property
    def tasks(self) -> list[A2ETask]:
        """Every task that was not removed, oldest first."""
        return self._control.read("tasks", list[A2ETask])

    def grant(self, coins: float) -> None:
        """Give coins; ValueError for what is no amount."""
        self._control.send("POST", "coins", {"coins": coins})

    def price(self, kind: str, coins: float | None) -> None:
        """Let tasks of a kind, such as face_swap, cost this much from now on; None: the usual price."""
        self._control.send("POST", "prices", {"kind": kind, "coins": coins})


class A2ESandbox:
    """A sandbox that runs: point any client at its `url`; each key that begins with sk_ is an account of its own."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    def __repr__(self) -> str:
        return f"<A2ESandbox {self.url}>"

    @property
    def face_url(self) -> str:
        """The URL of a picture of a face to try things with."""
        return f"{self.url}{SAMPLE_PATH}face.jpg"

    @property
    def video_url(self) -> str:
        """The URL of a short clip to try things with."""
        return f"{self.url}{SAMPLE_PATH}clip.mp4"

    def account(
        self,
        api_key: str | None = None,
        *,
        credits: float | None = None,  # noqa: A002 - as the marker calls it
        seed: int | None = None,
        clock: str | None = None,
    ) -> A2EAccount:
        """Return the account of a key, made if new, by default of a key that nobody has.

        `AccountExistsError` for settings of one that exists, ValueError for bad ones.
        """
        account = A2EAccount(self.url, f"sk_{secrets.token_hex(16)}" if api_key is None else api_key)
        chosen = {"coins": credits, "seed": seed, "clock": clock}
        given = {name: value for name, value in chosen.items() if value is not None}
        Control(self.url, account.api_key).send("POST", "accounts", given)
        return account

    def check(self) -> None:
        """Raise ConnectionError unless a sandbox answers there."""
        try:
            healthy = Control(self.url, "sk_nobody").read("health", dict[str, str]) == {"status": "ok"}
        except (OSError, HTTPException, ValueError, LookupError, msgspec.DecodeError) as error:
            raise ConnectionError(f"no sandbox answers at {self.url}: {error}") from None
        if not healthy:
            raise ConnectionError(f"what answers at {self.url} is no sandbox")


class _Time(msgspec.Struct):
    now: datetime


class _Overview(msgspec.Struct):
    coins: float


class _Ledger(msgspec.Struct):
    rows: list[A2ECharge]


def _line(request: A2ERequest) -> str:
    body = "" if request.body is None else json.dumps(request.body, ensure_ascii=False)
    body = body if len(body) <= _WIDE else body[:_WIDE] + "..."
    query = f"?{request.query}" if request.query else ""
    struck = f" [{request.effect}]" if request.effect else ""
    return f"{request.method} {request.path}{query} -> {request.status or 'cut off'}{struck} {body}".rstrip()
