"""One rule: which requests it matches, and when its effect is due."""

import re
from fnmatch import fnmatchcase
from math import inf, isfinite
from typing import Self

import msgspec
from msgspec import structs

from a2e_async.sandbox.faults.catalogue import EFFECTS, PARAMETERS, Name

_LARGEST_BOMB = 1 << 30
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WANTED = f"effect must be one of {', '.join(EFFECTS)}"


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """One fault: `path` and `name` (the body's) are globs; due on the `nth` hit, the `first` so many, or all.

    `every` lets that begin anew: `every=1000, first=20` is a burst at the start of each thousand hits. `share`
    (0 to 1) strikes that part of the hits that would be due. Which ones follows from the account, its seed, the
    rule's `id`, what is asked for and how often it was, so that a run can be repeated, whatever the order in
    which requests for different things arrive. `seconds` of real time pass before the effect, or, where `longest`
    is given, some time between the two: all are as likely, or with `tail` most are short and few are long.

    `hits` counts the requests matched, in the order in which they reached the server, `strikes` those that were
    changed: where several rules are due, the first one acts. `id` is given by the account that takes the rule in.
    EFFECTS says what each effect does and which of the other fields it takes. ValueError for what no effect
    takes, can never be due or never be sent. Effects that begin with `webhook` strike callbacks alone, whose
    `path` is the whole URL and whose `name` the task's.
    """

    effect: Name
    method: str = "*"
    path: str = "*"
    name: str = "*"
    nth: int | None = None
    first: int | None = None
    every: int | None = None
    share: float | None = None
    seconds: float = 0.0
    longest: float | None = None
    tail: bool = False
    enabled: bool = True
    status: int = 503
    retry_after: int | None = None
    http_date: bool = False
    headers: dict[str, str] = {}
    body: str | None = None
    after: bool = False
    location: str | None = None
    part: float = 0.5
    pace: float = 2.0
    off: int = -8
    content_type: str = "text/plain"
    size: int = 64 * 1024 * 1024
    word: str = "archiving"
    age: float = 10.0
    skew: float = 3600.0
    id: int = 0
    hits: int = 0
    strikes: int = 0

    def __post_init__(self) -> None:
        """Refuse what can never be due or never be sent."""
        for want, met in (self._when() | self._what()).items():
            if not met:
                raise ValueError(want)
        takes = EFFECTS[self.effect].takes
        for field in structs.fields(self):
            if field.name in PARAMETERS and field.name not in takes and getattr(self, field.name) != _usual(field):
                raise ValueError(f"{self.effect} takes no {field.name}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a rule as JSON or as `effect:field=value,field=value`; ValueError for what is none."""
        if text.lstrip().startswith("{"):
            return msgspec.json.decode(text, type=cls)
        effect, _, rest = text.partition(":")
        pairs = [pair.partition("=") for pair in rest.split(",") if pair]
        fields = {name.strip(): value for name, _, value in pairs}
        if effect not in EFFECTS:
            raise ValueError(_WANTED)
        return msgspec.convert({"effect": effect, **fields}, cls, strict=False)

    def matches(self, method: str, path: str, name: str) -> bool:
        """Tell whether a request or callback is one of those it is about."""
        if not self.enabled or not EFFECTS[self.effect].reaches(method, path):
            return False
        return self.method in {"*", method} and _fits(path, self.path) and _fits(name, self.name)

    def due(self) -> bool:
        """Count one hit, and tell whether the effect is due, the share aside."""
        self.hits += 1
        at = (self.hits - 1) % self.every + 1 if self.every else self.hits
        return self.nth in {None, at} and (self.first is None or at <= self.first)

    def pause(self, chance: float) -> float:
        """Return how long to wait before the effect, by a chance between 0 and 1."""
        if self.longest is None:
            return self.seconds
        if self.tail:  # Pareto with exponent 1, cut off at the longest
            return self.seconds / (1 - chance * (1 - self.seconds / self.longest))
        return self.seconds + (self.longest - self.seconds) * chance

    def _when(self) -> dict[str, bool]:
        ordinals = [number for number in (self.nth, self.first) if number is not None]
        every = inf if self.every is None else self.every
        longest = self.seconds if self.longest is None else self.longest
        return {
            _WANTED: self.effect in EFFECTS,
            "nth, first and every must be at least 1": all(number >= 1 for number in ordinals) and every >= 1,
            "every needs an nth or first within it": self.every is None or 0 < max(ordinals, default=0) <= every,
            "share must be within 0..1": self.share is None or 0 <= self.share <= 1,
            "seconds must be a span of time": 0 <= self.seconds < inf,
            "longest must be a span of time, and no shorter than seconds": self.seconds <= longest < inf,
            "tail needs 0 < seconds < longest": not self.tail or 0 < self.seconds < longest,
        }

    def _what(self) -> dict[str, bool]:
        lines = [self.content_type, self.location or "", *self.headers, *self.headers.values()]
        return {
            "status must be within 200..599": 200 <= self.status <= 599,
            "retry_after must be within 0..1000000000": self.retry_after is None or 0 <= self.retry_after <= 10**9,
            "http_date needs retry_after": not self.http_date or self.retry_after is not None,
            "part must be at least 0 and less than 1": 0 <= self.part < 1,
            "pace and age must be spans of time": 0 <= self.pace < inf and 0 <= self.age < inf,
            "off must not be 0": self.off != 0,
            "headers, location and content_type must be single lines": not any(map(_CONTROL.search, lines)),
            f"size must be within 1..{_LARGEST_BOMB}": 1 <= self.size <= _LARGEST_BOMB,
            "skew must be a number of seconds": isfinite(self.skew) and abs(self.skew) < 1e9,
        }


def _fits(text: str, glob: str) -> bool:
    return glob == "*" or fnmatchcase(text, glob)


def _usual(field: structs.FieldInfo) -> object:
    return {} if field.default is msgspec.NODEFAULT else field.default
